"""KVDBClient: the JSON lines protocol over a socket. Part of the public face."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import cast

from kveik.errors import ConnectionError, ServerError


class KVDBClient:
    """A connection to a server, safe for several threads; connects when it is first used.

    Raises ServerError when the server refuses, ConnectionError when nobody answers in `timeout`
    seconds; a write that ends so may or may not have happened.
    """

    def __init__(self, host: str = "localhost", port: int = 9999, timeout: float = 30.0) -> None:
        self._address = (host, port)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._received = b""

    def put(self, key: str, value: object) -> object:
        """Write a value (anything JSON can say); True once it is on the disk."""
        return self._call({"command": "put", "key": key, "value": value})

    def read(self, key: str) -> object:
        """The value, or None."""
        return self._call({"command": "read", "key": key})

    def read_key_range(self, start_key: str, end_key: str) -> dict[str, object]:
        """The entries from start_key to end_key, both included, in key order."""
        result = self._call(
            {"command": "read_key_range", "start_key": start_key, "end_key": end_key}
        )
        return cast("dict[str, object]", result)

    def batch_put(self, keys: Sequence[str], values: Sequence[object]) -> object:
        """Write all of them, or none."""
        return self._call({"command": "batch_put", "keys": list(keys), "values": list(values)})

    def delete(self, key: str) -> object:
        """Delete a key; whether there was one."""
        return self._call({"command": "delete", "key": key})

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            self._drop()

    def __enter__(self) -> KVDBClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, request: dict[str, object]) -> object:
        line = json.dumps(request, allow_nan=False).encode() + b"\n"
        with self._lock:
            answer = self._exchange(line)
        if answer.get("status") != "ok":
            raise ServerError(str(answer.get("message", "the server gave no reason")))
        return answer.get("result")

    def _exchange(self, line: bytes) -> dict[str, object]:
        host, port = self._address
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._address, self._timeout)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(line)
            answer = json.loads(self._read_line(self._socket))
            if not isinstance(answer, dict):
                raise ValueError("the answer is no JSON object")
            return answer
        except (OSError, ValueError) as error:
            self._drop()  # what comes next on this connection would answer an earlier question
            raise ConnectionError(f"{host}:{port}: {error}") from error
        except BaseException:
            self._drop()
            raise

    def _read_line(self, connection: socket.socket) -> bytes:
        pieces = [self._received]
        while b"\n" not in pieces[-1]:
            piece = connection.recv(1 << 16)
            if not piece:
                raise OSError("the server closed the connection")
            pieces.append(piece)
        line, _, self._received = b"".join(pieces).partition(b"\n")
        return line

    def _drop(self) -> None:
        self._received = b""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
