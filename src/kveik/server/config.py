"""What a server is told: where it listens, where its data are, how durable they are.

Plain values with checks; `cli` fills it in, `app` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kveik.limits import DEFAULT_MEMORY, MAX_PASSWORD, MIN_MEMORY
from kveik.model import DURABILITIES
from kveik.sizes import show_size

PROTOCOLS = ("auto", "redis", "json")
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 6379


@dataclass(frozen=True)
class Address:
    """One listener: the protocol it speaks, host and port."""

    protocol: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


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
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.durability not in DURABILITIES:
            raise ValueError(f"durability is one of {', '.join(DURABILITIES)}")
        if self.memory < MIN_MEMORY:
            raise ValueError(f"memory is at least {show_size(MIN_MEMORY)}")
        if len(self.password.encode("utf-8", "surrogateescape")) > MAX_PASSWORD:
            raise ValueError(f"a password has at most {MAX_PASSWORD} bytes")


def parse_address(url: str) -> Address:
    """An Address from `protocol://host:port`; ValueError says what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in PROTOCOLS:
        known = ", ".join(f"{name}://" for name in PROTOCOLS)
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
