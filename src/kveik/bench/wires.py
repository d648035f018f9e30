"""How each protocol says the requests of the load, and what its answers look like.

Keys and values have the same length throughout, so the answers to one kind of request have it too:
a generator learns the shape of an answer once and then counts bytes. Standard library alone: it
runs in the generator's process.
"""

from __future__ import annotations

import json
import pickle
import random
import socket
import string
import struct
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

PREFIX = "kveik-bench:"  # of every key that is written over a socket
KEY_BYTES = len(PREFIX) + 8
PAST = b"kveik-bench;"  # just behind all of them
# bytes of an answer that tell a good one: '{"status": "ok"'; a length and which pickle
HEADS = {"json": 15, "text": 15, "frame": 6}
TIMEOUT_S = 30.0  # until a server that says nothing is given up
MISSING = b"$-1\r\n"  # RESP's answer for a key that is not there
_VALUES = 512


def key_at(number: int) -> str:
    return f"{PREFIX}{number:08d}"


def values_of(size: int) -> list[str]:
    """Random letters that no protocol takes for anything but text."""
    draw = random.Random(7)
    return ["v" + "".join(draw.choices(string.ascii_letters, k=size - 1)) for _ in range(_VALUES)]


class Wire:
    """A protocol: its requests, and when an answer is whole and right."""

    def __init__(
        self,
        get: Callable[[str], bytes],
        put: Callable[[str, str], bytes],
        delete: Callable[[str], bytes],
        auth: Callable[[str], bytes],
        whole: Callable[[bytes], bool],
        right: Callable[[bytes], bool],
    ) -> None:
        self.get = get
        self.put = put
        self.delete = delete
        self.auth = auth
        self.whole = whole
        self.right = right


def resp(*words: str | bytes) -> bytes:
    parts = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


def _resp_whole(data: bytes) -> bool:
    if data[:1] != b"$":
        return data.endswith(b"\r\n")
    head, end, rest = data.partition(b"\r\n")
    return bool(end) and len(rest) >= int(head[1:]) + 2 * (head != b"$-1")


def _line(**members: str) -> bytes:
    return json.dumps(members).encode() + b"\n"


def _frame(**members: str) -> bytes:
    data = pickle.dumps(members)
    return struct.pack(">I", len(data)) + data


def _framed(data: bytes) -> bool:
    return len(data) >= 4 and len(data) >= 4 + struct.unpack(">I", data[:4])[0]


def _lined(data: bytes) -> bool:
    return data.endswith(b"\n")


WIRES = {
    "resp": Wire(
        lambda key: resp("GET", key),
        lambda key, value: resp("SET", key, value),
        lambda key: resp("DEL", key),
        lambda password: resp("AUTH", password),
        _resp_whole,
        lambda data: data[:1] != b"-" and data != MISSING,
    ),
    "json": Wire(
        lambda key: _line(command="read", key=key),
        lambda key, value: _line(command="put", key=key, value=value),
        lambda key: _line(command="delete", key=key),
        lambda password: _line(command="auth", password=password),
        _lined,
        lambda data: data.startswith(b'{"status": "ok"') and b'"result": null' not in data,
    ),
    "frame": Wire(
        lambda key: _frame(cmd="GET", key=key),
        lambda key, value: _frame(cmd="SET", key=key, value=value),
        lambda key: _frame(cmd="DELETE", key=key),
        lambda password: _frame(cmd="AUTH", password=password),
        _framed,
        lambda data: b"error" not in data and b"NOT_FOUND" not in data and len(data) > 8,
    ),
    "text": Wire(
        lambda key: f"GET {key}\n".encode(),
        lambda key, value: f"SET {key} {value}\n".encode(),
        lambda key: f"DELETE {key}\n".encode(),
        lambda password: f"AUTH {password}\n".encode(),
        _lined,
        lambda data: data.startswith(b'{"status": "OK"'),
    ),
}


class WireError(Exception):
    """A server answered what it should not have, or not at all."""


@dataclass(frozen=True)
class Target:
    """Where the load goes."""

    protocol: str
    host: str = ""
    port: int = 0
    path: str = ""  # of a socket file, in place of host and port
    password: str = ""
    database: int = 0

    def connect(self) -> socket.socket:
        if self.path:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(TIMEOUT_S)
            connection.connect(self.path)
        else:
            connection = socket.create_connection((self.host, self.port), TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.password:
            ask(connection, self.protocol, WIRES[self.protocol].auth(self.password))
        if self.database:
            ask(connection, self.protocol, resp("SELECT", str(self.database)))
        return connection

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"{self.host}:{self.port}"


SCHEMES = {"redis": "resp", "json": "json", "frame": "frame", "text": "text"}


def parse_target(url: str, protocol: str) -> Target:
    """`protocol` may be "": then the scheme says it, or RESP is spoken. Raises ValueError."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
        database = int(parts.path.strip("/") or 0) if parts.scheme == "redis" else 0
    except ValueError:
        raise ValueError(f"{url!r} is no URL of a server") from None
    password = unquote(parts.password or "")
    if parts.scheme == "unix":
        return Target(protocol or "resp", path=parts.path, password=password)
    if parts.scheme not in SCHEMES or not parts.hostname:
        known = ", ".join(f"{scheme}://HOST:PORT" for scheme in SCHEMES)
        raise ValueError(f"{url!r} is no URL of a server: {known} or unix:///PATH")
    spoken = protocol or SCHEMES[parts.scheme]
    if database and spoken != "resp":
        raise ValueError(f"{url!r}: only RESP has numbered databases")
    return Target(spoken, parts.hostname, port, "", password, database)


def ask(connection: socket.socket, protocol: str, request: bytes) -> bytes:
    """One request and its answer; WireError if that is not a good one."""
    wire = WIRES[protocol]
    connection.sendall(request)
    answer = b""
    while not answer or not wire.whole(answer):
        more = connection.recv(1 << 16)
        if not more:
            raise WireError(f"the server closed the connection after {answer[:200]!r}")
        answer += more
    if not wire.right(answer):
        raise WireError(f"the server answered {answer[:200]!r}")
    return answer


@dataclass(frozen=True)
class Shape:
    """A good answer to one kind of request."""

    length: int
    head: str  # its first bytes, as latin-1

    @classmethod
    def of(cls, answer: bytes, protocol: str) -> Shape:
        size = answer.index(b"\r\n") + 2 if protocol == "resp" else HEADS[protocol]
        return cls(len(answer), answer[:size].decode("latin-1"))


def learn(target: Target, size: int, number: int) -> dict[str, Shape]:
    """The answers to each kind of request about values of `size` bytes, tried on key `number`."""
    wire, protocol = WIRES[target.protocol], target.protocol
    key = key_at(number)
    asked = {
        "put": wire.put(key, values_of(size)[0]),
        "get": wire.get(key),
        "delete": wire.delete(key),
    }
    with target.connect() as connection:
        return {
            kind: Shape.of(ask(connection, protocol, request), protocol)
            for kind, request in asked.items()
        }
