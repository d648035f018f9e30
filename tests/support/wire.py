"""Raw connections to a server, one for each protocol, that show just what comes over the wire."""

from __future__ import annotations

import json
import pickle
import select
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.tools import PATIENCE

SHORT = 0.25  # seconds in which a reply that is not held back would be there


class ErrorReply(Exception):
    """A RESP error, as a value: its text."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ErrorReply) and str(self) == str(other)

    __hash__ = Exception.__hash__


class Connection:
    """A socket and what all protocols do alike. Nothing waits longer than PATIENCE."""

    def __init__(self, port: int | Path, host: str = "127.0.0.1") -> None:
        """port: or the path of a socket file."""
        if isinstance(port, Path):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(str(port))
        else:
            self.socket = socket.create_connection((host, port), PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """The next line, with its end; what is left where the connection was closed."""
        while b"\n" not in self._received and self._more():
            pass
        end = self._received.find(b"\n") + 1 or len(self._received)
        line, self._received = self._received[:end], self._received[end:]
        return line

    def exactly(self, size: int) -> bytes:
        pieces = [self._received]
        missing = size - len(self._received)
        while missing > 0:
            piece = self.socket.recv(min(missing, 1 << 20))
            if not piece:
                raise ConnectionError("closed in the middle of a reply")
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        self._received = data[size:]
        return data[:size]

    def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        while self._more():
            pass
        data, self._received = self._received, b""
        return data

    def _more(self) -> bool:
        data = self.socket.recv(1 << 20)
        self._received += data
        return bool(data)

    def silent(self, seconds: float = SHORT) -> bool:
        """Whether nothing comes."""
        return not self._received and not select.select([self.socket], [], [], seconds)[0]

    def finish(self) -> None:
        """Say that no more will be sent, as nc -N does."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


Word = bytes | str | int


def frame(*words: Word) -> bytes:
    """One RESP request."""
    pieces = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        pieces += [b"$%d\r\n" % len(data), data, b"\r\n"]
    return b"".join(pieces)


class Resp(Connection):
    """RESP. Simple strings come as str, bulk strings as bytes, errors as ErrorReply."""

    def call(self, *words: Word) -> Any:
        self.send(frame(*words))
        return self.reply()

    def reply(self) -> Any:
        line = self.line()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"closed after {line!r}")
        kind, text = line[:1], line[1:-2].decode()
        if kind == b"+":
            return text
        if kind == b"-":
            return ErrorReply(text)
        if kind == b":":
            return int(text)
        if kind == b"_" or text == "-1":
            return None
        if kind == b"#":
            return text == "t"
        return self._long(kind, int(text))

    def _long(self, kind: bytes, size: int) -> Any:
        if kind in b"$=":
            return self.exactly(size + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(size)]
        if kind == b"%":
            return {self.reply(): self.reply() for _ in range(size)}
        raise ValueError(f"no reply starts with {kind!r}")


class JsonLines(Connection):
    """JSON lines."""

    def call(self, **request: object) -> Any:
        self.send(json.dumps(request).encode() + b"\n")
        return self.reply()

    def reply(self) -> Any:
        line = self.line()
        if not line.endswith(b"\n"):
            raise ConnectionError(f"closed after {line!r}")
        return json.loads(line)

    def read(self, key: str) -> Any:
        answer = self.call(command="read", key=key)
        assert answer["status"] == "ok", answer
        return answer["result"]


class Text(Connection):
    """The text protocol."""

    def call(self, line: str) -> Any:
        self.send(line.encode() + b"\n")
        return self.reply()

    def reply(self) -> Any:
        line = self.line()
        if not line.endswith(b"\n"):
            raise ConnectionError(f"closed after {line!r}")
        return json.loads(line)

    def get(self, key: str) -> Any:
        answer = self.call(f"GET {key}")
        assert answer["status"] == "OK", answer
        return answer["value"]


class Framed(Connection):
    """The length-prefixed protocol."""

    def call(self, cmd: str, **members: object) -> Any:
        self.send(message({"cmd": cmd, **members}))
        return self.reply()

    def reply(self) -> Any:
        size = int.from_bytes(self.exactly(4), "big")
        return pickle.loads(self.exactly(size))  # noqa: S301


def message(request: object, protocol: int = 4) -> bytes:
    """A request of the length-prefixed protocol."""
    data = pickle.dumps(request, protocol)
    return len(data).to_bytes(4, "big") + data


def send_byte_by_byte(connection: Connection, data: bytes, other: Resp) -> None:
    """Send so that the server sees each byte alone: it has answered `other` in between."""
    for at in range(len(data)):
        connection.send(data[at : at + 1])
        assert other.call("PING") == "PONG"
