"""What a server is told: where it listens, where its data are, how durable they are.

Plain values with checks; `cli` fills it in, `app` reads it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from kveik.engine.shape import codec_of
from kveik.limits import DEFAULT_MEMORY, MAX_PASSWORD, MIN_MEMORY
from kveik.model import DURABILITIES
from kveik.sizes import show_size

PROTOCOLS = ("auto", "redis", "json", "frame", "text")
UNIX = "unix"
MAX_PATH = 100  # bytes of a socket's path; systems take 104 or 108
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 6379


@dataclass(frozen=True)
class Address:
    """One listener: the protocol it speaks, and host and port or the path of a socket file."""

    protocol: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"{UNIX}://{self.path}" + self._suffix()
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"

    def _suffix(self) -> str:
        return "" if self.protocol == "auto" else f"?protocol={self.protocol}"


@dataclass(frozen=True)
class Config:
    """memory in bytes; without listeners the default one is `auto://127.0.0.1:6379`.

    password: empty, and everybody may do everything.
    """

    data_dir: str = "data"
    listen: tuple[Address, ...] = field(
        default=(Address("auto", DEFAULT_HOST, DEFAULT_PORT),),
    )
    durability: str = "always"
    memory: int = DEFAULT_MEMORY
    compression: str = "none"
    snapshot_dir: str = ""  # where SNAPSHOT makes its copies; empty: beside data_dir
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.durability not in DURABILITIES:
            raise ValueError(f"durability is one of {', '.join(DURABILITIES)}")
        codec_of(self.compression)
        check_memory(self.memory)
        check_password(self.password)


def check_memory(size: int) -> None:
    if size < MIN_MEMORY:
        raise ValueError(f"memory is at least {show_size(MIN_MEMORY)}")


def check_password(password: str) -> None:
    if len(password.encode("utf-8", "surrogateescape")) > MAX_PASSWORD:
        raise ValueError(f"a password has at most {MAX_PASSWORD} bytes")


def parse_address(url: str) -> Address:
    """An Address from `protocol://host:port` or `unix:///path`; ValueError says what is wrong."""
    parts = urlsplit(url)
    if parts.scheme == UNIX:
        return _parse_path(url)
    if parts.scheme not in PROTOCOLS:
        known = ", ".join(f"{name}://" for name in (*PROTOCOLS, UNIX))
        raise ValueError(f"{url!r}: a listener starts with {known}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if port is None:
        port = DEFAULT_PORT
    if not 0 <= port <= 65535:
        raise ValueError(f"{url!r}: a port is a number from 0 to 65535")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{url!r}: a listener is protocol://host:port and no more")
    return Address(parts.scheme, parts.hostname or DEFAULT_HOST, port)


def _parse_path(url: str) -> Address:
    parts = urlsplit(url)
    path = unquote(parts.path)
    name, _, protocol = parts.query.partition("=")
    if parts.netloc or not path.strip("/") or parts.fragment or name not in ("", "protocol"):
        raise ValueError(f"{url!r}: a socket file is unix:///path or unix:///path?protocol=redis")
    if name and protocol not in PROTOCOLS:
        raise ValueError(f"{url!r}: the protocol is one of {', '.join(PROTOCOLS)}")
    if len(os.fsencode(path)) > MAX_PATH or "\x00" in path:
        raise ValueError(f"{url!r}: the path of a socket file has at most {MAX_PATH} bytes")
    return Address(protocol or "auto", "", 0, path)
