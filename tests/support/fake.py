"""A server that answers what a test says, to see what clients make of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO


def a_line(stream: BinaryIO) -> bytes:
    return stream.readline()


def a_message(stream: BinaryIO) -> bytes:
    """Of the length-prefixed protocol."""
    head = stream.read(4)
    return head and stream.read(int.from_bytes(head, "big"))


class Fake:
    """Each request, on whatever connection, gets the next answer; None and the end hang up.

    b"" keeps silent. connections: how many were accepted; requests: what was asked.
    """

    def __init__(self, *answers: bytes | None, read: Callable[[BinaryIO], bytes] = a_line) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._answers = list(answers)
        self._read = read
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while request := self._read(stream):
                    self.requests.append(request)
                    answer = self._answers.pop(0) if self._answers else None
                    if answer is None:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    connection.sendall(answer)
            except OSError:
                return

    def __enter__(self) -> Fake:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
