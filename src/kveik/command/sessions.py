"""Commands on the connection itself: PING ECHO HELLO SELECT AUTH QUIT RESET.

Called through the registry; `locate`, `enter` and `leave` by the session.
"""

from __future__ import annotations

from typing import Any, Final

from kveik.command import monitor, multi, pubsub
from kveik.command.access import log_in
from kveik.command.arguments import SYNTAX, database_number, integer, shown
from kveik.command.command import Command, on_client
from kveik.command.state import TALKS, Client, Server
from kveik.errors import CommandError
from kveik.model import OK, Simple

UNCONFIGURED = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
UNGREETED = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
    "protocol version at the same time"
)
DEFAULT_USER: Final = b"default"
LOOPBACK: Final = ("127.", "::1")
REDIS_VERSION = "7.0.15"  # whose commands and replies Kveik follows; clients choose features by it


def ping(client: Client, args: list[bytes]) -> object:
    if len(args) > 2:
        raise CommandError("ERR wrong number of arguments for 'ping' command")
    if client.listens():
        return [b"pong", args[1] if len(args) == 2 else b""]
    return args[1] if len(args) == 2 else Simple(b"PONG")


def echo(client: Client, args: list[bytes]) -> object:
    return args[1]


def auth(client: Client, args: list[bytes]) -> object:
    """AUTH [user] password"""
    if len(args) > 3:
        raise CommandError(SYNTAX)
    authenticate(client, args[1] if len(args) == 3 else DEFAULT_USER, args[-1])
    return OK


def authenticate(client: Client, user: bytes, password: bytes) -> None:
    """Let a client in; CommandError if that is not the password."""
    if not client.server.password:
        raise CommandError(UNCONFIGURED)
    if not log_in(client, password, user == DEFAULT_USER):
        raise CommandError("WRONGPASS invalid username-password pair or user is disabled.")


def select(client: Client, args: list[bytes]) -> object:
    client.database = database_number(args[1])
    return OK


def quit_(client: Client, args: list[bytes]) -> object:
    client.closing = True
    return OK


def reset(client: Client, args: list[bytes]) -> object:
    abandon(client)
    client.database = 0
    client.protocol = 2
    client.name = b""
    client.silence = TALKS
    client.authenticated = not client.server.password
    client.settle()
    return Simple(b"RESET")


def locate(client: Client, peer: Any, here: Any) -> None:
    """Note the two ends of a connection, as its socket names them: tuples, but for a local file."""
    client.address = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else ""
    client.loopback = not isinstance(peer, tuple) or peer[0].startswith(LOOPBACK)
    client.local = f"{here[0]}:{here[1]}" if isinstance(here, tuple) else ""


def enter(client: Client) -> None:
    """A connection was made."""
    client.server.clients[client.number] = client


def leave(client: Client) -> None:
    """It has ended. Idempotent."""
    client.ended = True
    client.outbox = []
    abandon(client)
    client.server.clients.pop(client.number, None)


def look_after(server: Server, seconds: float) -> None:
    """So much time has passed: who was heard of, and who has said nothing for too long."""
    performed = server.performed()
    server.rate = (performed - server.performed_before) / seconds
    server.performed_before = performed
    for client in list(server.clients.values()):
        if client.heard:
            client.heard = False
            client.active = server.now
        elif 0 < server.idle_timeout < int(server.now - client.active) and not _waits(client):
            server.idle += 1
            client.cut()


def _waits(client: Client) -> bool:
    """Whether it says nothing with good reason: it listens, or is not answered yet."""
    listens = client.subscriptions() > 0 or len(client.shard_channels) > 0
    return listens or client.monitors or len(client.feeds) > 0 or client.busy()


def abandon(client: Client) -> None:
    """Keep nothing for it any more: no transaction, no subscriptions."""
    multi.leave(client)
    pubsub.forget(client)
    monitor.forget(client)
    client.leave_feeds()


def hello(client: Client, args: list[bytes]) -> object:
    """HELLO [version [AUTH user password] [SETNAME name]]"""
    version = client.protocol
    if len(args) > 1:
        try:
            version = integer(args[1])
        except CommandError:
            what = "Protocol version is not an integer or out of range"
            raise CommandError(f"ERR {what}") from None
        if version not in (2, 3):
            raise CommandError("NOPROTO unsupported protocol version")
    name = client.name
    user: bytes | None = None
    password = b""
    at = 2
    while at < len(args):
        word = args[at].upper()
        if word == b"AUTH" and at + 2 < len(args):
            user = args[at + 1]
            password = args[at + 2]
            at += 3
        elif word == b"SETNAME" and at + 1 < len(args):
            name = checked_name(args[at + 1])
            at += 2
        else:
            raise CommandError(f"ERR Syntax error in HELLO option '{shown(args[at])}'")
    if user is not None:
        authenticate(client, user, password)
    elif not client.authenticated:
        raise CommandError(UNGREETED)
    client.name = name
    client.protocol = version
    client.settle()
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": version,
        b"id": client.number,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def checked_name(name: bytes) -> bytes:
    if any(byte <= 32 or byte > 126 for byte in name):
        raise CommandError(
            "ERR Client names cannot contain spaces, newlines or special characters."
        )
    return name


COMMANDS: Final[list[Command]] = [
    on_client(
        auth,
        "AUTH",
        -2,
        "noscript loading stale fast no_auth allow_busy",
        "connection",
        "Authenticates the connection.",
    ),
    on_client(echo, "ECHO", 2, "loading stale fast", "connection", "Returns the given string."),
    on_client(
        hello,
        "HELLO",
        -1,
        "noscript loading stale fast no_auth allow_busy",
        "connection",
        "Shakes hands and chooses the protocol version.",
        since="6.0.0",
    ),
    on_client(ping, "PING", -1, "fast", "connection", "Answers PONG: the server is alive."),
    on_client(
        quit_,
        "QUIT",
        -1,
        "noscript loading stale fast no_auth allow_busy",
        "connection",
        "Closes the connection.",
    ),
    on_client(
        reset,
        "RESET",
        1,
        "noscript loading stale fast no_auth allow_busy",
        "connection",
        "Resets the connection to how it began.",
        since="6.2.0",
    ),
    on_client(
        select, "SELECT", 2, "loading stale fast", "connection", "Changes the selected database."
    ),
]
