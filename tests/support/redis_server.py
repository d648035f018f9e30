"""A real Redis to compare with."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

MARKER = b"$8\r\n-marker-\r\n"
PATIENCE = 10.0  # seconds

Line = str | list[bytes]  # words, or arguments as they are


def arguments(line: Line) -> list[bytes]:
    return [word.encode() for word in line.split()] if isinstance(line, str) else line


def encode(args: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args)


class Redis:
    """A real server of its own, without persistence, on a Unix socket."""

    def __init__(self, program: str, folder: str) -> None:
        self.path = str(Path(folder, "redis.sock"))
        options = ["--port", "0", "--unixsocket", self.path, "--dir", folder]
        command = [program, *options, "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + PATIENCE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE)
            try:
                connection.connect(self.path)
                return connection
            except OSError:
                connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def renew(self) -> None:
        """Forget everything: no keys, and a new connection."""
        self._socket.close()
        self._socket = self._connect()
        self.reply([b"FLUSHALL"])

    def reply(self, args: list[bytes]) -> bytes:
        """The bytes of the reply to one request."""
        self._socket.sendall(encode(args) + encode([b"ECHO", b"-marker-"]))
        data = b""
        while not data.endswith(MARKER):
            piece = self._socket.recv(1 << 16)
            assert piece, f"Redis closed the connection after {data!r}"
            data += piece
        return data.removesuffix(MARKER)

    def replies(self, requests: list[list[bytes]]) -> list[bytes]:
        """As reply, for requests that are sent in one go: hardly any time passes between them."""
        self._socket.sendall(
            b"".join(encode(args) + encode([b"ECHO", b"-marker-"]) for args in requests)
        )
        data = b""
        while data.count(MARKER) < len(requests):
            piece = self._socket.recv(1 << 16)
            assert piece, f"Redis closed the connection after {data!r}"
            data += piece
        return data.split(MARKER)[:-1]

    def last_words(self, data: bytes) -> bytes:
        """What is answered to bytes after which the connection is closed."""
        answer = b""
        connection = self._connect()
        try:
            connection.sendall(data)
            while piece := connection.recv(1 << 16):
                answer += piece
        except ConnectionResetError:  # it had not read all of the bytes
            pass
        finally:
            connection.close()
        return answer

    def end(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(PATIENCE)
