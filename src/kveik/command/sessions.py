"""Commands on the connection itself: PING ECHO HELLO SELECT AUTH CLIENT QUIT RESET.

Functions of (client, arguments). Called through the registry.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, integer, shown
from kveik.command.command import Command, on_client
from kveik.command.state import Client
from kveik.errors import CommandError
from kveik.limits import DATABASES
from kveik.model import OK, Simple

UNCONFIGURED = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
MAX_I32 = (1 << 31) - 1
REDIS_VERSION = "7.0.15"  # whose commands and replies Kveik follows; clients choose features by it


def ping(client: Client, args: list[bytes]) -> object:
    if len(args) > 2:
        raise CommandError("ERR wrong number of arguments for 'ping' command")
    return args[1] if len(args) == 2 else Simple(b"PONG")


def echo(client: Client, args: list[bytes]) -> object:
    return args[1]


def auth(client: Client, args: list[bytes]) -> object:
    raise CommandError(UNCONFIGURED if len(args) <= 3 else SYNTAX)


def select(client: Client, args: list[bytes]) -> object:
    number = integer(args[1])
    if not -MAX_I32 - 1 <= number <= MAX_I32:
        raise CommandError(
            f"ERR value is out of range, value must between {-MAX_I32 - 1} and {MAX_I32}"
        )
    if not 0 <= number < DATABASES:
        raise CommandError("ERR DB index is out of range")
    client.database = number
    return OK


def quit_(client: Client, args: list[bytes]) -> object:
    client.closing = True
    return OK


def reset(client: Client, args: list[bytes]) -> object:
    client.reset()
    return Simple(b"RESET")


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
    at = 2
    while at < len(args):
        word = args[at].upper()
        if word == b"AUTH" and at + 2 < len(args):
            raise CommandError(UNCONFIGURED)
        if word != b"SETNAME" or at + 1 >= len(args):
            raise CommandError(f"ERR Syntax error in HELLO option '{shown(args[at])}'")
        client.name = _checked_name(args[at + 1])
        at += 2
    client.protocol = version
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": version,
        b"id": client.number,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def client_(client: Client, args: list[bytes]) -> object:
    """CLIENT ID | GETNAME | SETNAME name | SETINFO LIB-NAME|LIB-VER text"""
    word = args[1].upper()
    if word == b"ID" and len(args) == 2:
        return client.number
    if word == b"GETNAME" and len(args) == 2:
        return client.name or None
    if word == b"SETNAME" and len(args) == 3:
        client.name = _checked_name(args[2])
        return OK
    if word == b"SETINFO" and len(args) == 4:
        return _set_info(client, args[2].upper(), args[3])
    if word in (b"ID", b"GETNAME", b"SETNAME", b"SETINFO"):
        name = word.decode().lower()
        raise CommandError(f"ERR wrong number of arguments for 'client|{name}' command")
    raise CommandError(f"ERR unknown subcommand '{shown(args[1])}'. Try CLIENT HELP.")


def _set_info(client: Client, attribute: bytes, text: bytes) -> object:
    if any(byte <= 32 or byte > 126 for byte in text):
        name = attribute.decode("utf-8", "replace").lower()
        raise CommandError(f"ERR {name} cannot contain spaces, newlines or special characters.")
    if attribute == b"LIB-NAME":
        client.library = text
    elif attribute == b"LIB-VER":
        client.library_version = text
    else:
        raise CommandError(f"ERR Unrecognized option '{shown(attribute)}'")
    return OK


def _checked_name(name: bytes) -> bytes:
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
        "noscript loading stale fast",
        "connection",
        "Authenticates the connection; refused, as no password can be set yet.",
    ),
    on_client(
        client_,
        "CLIENT",
        -2,
        "noscript loading stale",
        "connection",
        "Tells or sets the connection's id, name and library.",
        since="2.4.0",
    ),
    on_client(echo, "ECHO", 2, "loading stale fast", "connection", "Returns the given string."),
    on_client(
        hello,
        "HELLO",
        -1,
        "noscript loading stale fast",
        "connection",
        "Shakes hands and chooses the protocol version.",
        since="6.0.0",
    ),
    on_client(ping, "PING", -1, "fast", "connection", "Answers PONG: the server is alive."),
    on_client(
        quit_, "QUIT", -1, "noscript loading stale fast", "connection", "Closes the connection."
    ),
    on_client(
        reset,
        "RESET",
        1,
        "noscript loading stale fast",
        "connection",
        "Resets the connection to how it began.",
        since="6.2.0",
    ),
    on_client(
        select, "SELECT", 2, "loading stale fast", "connection", "Changes the selected database."
    ),
]
