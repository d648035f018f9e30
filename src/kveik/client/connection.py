"""One connection of a client that needs nothing but the standard library. Called by the pool.

Invariants: nothing waits longer than the timeout without a byte coming or going; what is read is
bounded. Raises OSError (TimeoutError among them) where the connection is lost, ValueError where
what comes cannot be an answer; whoever uses it drops it then.
"""

from __future__ import annotations

import select
import socket
from typing import Final

from kveik.limits import MAX_ANSWER

PIECE: Final = 1 << 16  # bytes that are read at once, at least
MAX_PIECE: Final = 1 << 20  # and at most, as room is made for as many


class Connection:
    def __init__(self, address: tuple[str, int], timeout: float) -> None:
        self._socket = socket.create_connection(address, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""  # and not yet asked for

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def line(self) -> bytes:
        """The next line, without its end."""
        pieces = [self._received]
        size = len(self._received)
        while b"\n" not in pieces[-1]:
            pieces.append(self._piece(PIECE))
            size += len(pieces[-1])
            if size > MAX_ANSWER:
                raise ValueError(f"a line has at most {MAX_ANSWER} bytes")
        line, _, self._received = b"".join(pieces).partition(b"\n")
        return line

    def exactly(self, size: int) -> bytes:
        pieces = [self._received]
        missing = size - len(self._received)
        while missing > 0:
            pieces.append(self._piece(max(missing, PIECE)))
            missing -= len(pieces[-1])
        data = b"".join(pieces)
        self._received = data[size:]
        return data[:size]

    def _piece(self, most: int) -> bytes:
        piece = self._socket.recv(min(most, MAX_PIECE))
        if not piece:
            raise OSError("the server closed the connection")
        return piece

    def stale(self) -> bool:
        """Whether something has come that nobody has asked for, such as the end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(self._received or poll.poll(0))

    def close(self) -> None:
        self._socket.close()
