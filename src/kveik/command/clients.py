"""CLIENT: what a connection is, which others there are, and what may be done to them.

Called through the registry.
"""

from __future__ import annotations

import time
from typing import Final

from kveik.command.arguments import SYNTAX, integer, shown, wrong_member
from kveik.command.command import Command, family, member, on_client
from kveik.command.killing import kill, kind_of
from kveik.command.sessions import checked_name
from kveik.command.state import OFF, SKIPS_NEXT, TALKS, Client
from kveik.errors import CommandError
from kveik.limits import MAX_SLEEP
from kveik.model import NO_REPLY, OK, Verbatim

CACHING: Final = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
    "OPTOUT mode enabled"
)


def id_(client: Client, args: list[bytes]) -> object:
    return client.number


def getname(client: Client, args: list[bytes]) -> object:
    return client.name or None


def setname(client: Client, args: list[bytes]) -> object:
    client.name = checked_name(args[2])
    return OK


def setinfo(client: Client, args: list[bytes]) -> object:
    attribute = args[2].upper()
    text = args[3]
    if any([byte <= 32 or byte > 126 for byte in text]):
        name = attribute.decode("utf-8", "replace").lower()
        raise CommandError(f"ERR {name} cannot contain spaces, newlines or special characters.")
    if attribute == b"LIB-NAME":
        client.library = text
    elif attribute == b"LIB-VER":
        client.library_version = text
    else:
        raise CommandError(f"ERR Unrecognized option '{shown(attribute)}'")
    return OK


# --- who is there -------------------------------------------------------------------------------


def info(client: Client, args: list[bytes]) -> object:
    return Verbatim(_line(client) + "\n")


def list_(client: Client, args: list[bytes]) -> object:
    """CLIENT LIST [TYPE type | ID id ...]"""
    everybody = list(client.server.clients.values())
    if len(args) > 3 and args[2].upper() == b"ID":
        numbers = [_number(text) for text in args[3:]]
        known = client.server.clients
        everybody = [known[number] for number in numbers if number in known]
    elif len(args) == 4 and args[2].upper() == b"TYPE":
        kind = kind_of(args[3])
        everybody = [one for one in everybody if one.kind() == kind]
    elif len(args) > 2:
        raise CommandError(SYNTAX)
    return Verbatim("".join([_line(one) + "\n" for one in everybody]))


def _number(text: bytes) -> int:
    try:
        return integer(text)
    except CommandError:
        raise CommandError("ERR Invalid client ID") from None


def _line(client: Client) -> str:
    now = client.server.now
    queue = client.queue
    facts: dict[str, object] = {
        "id": client.number,
        "addr": client.address,
        "laddr": client.local,
        "fd": client.descriptor,
        "name": client.name.decode("ascii"),
        "age": int(max(now - client.since, 0)),
        "idle": int(max(now - client.active, 0)),
        "flags": _flags(client),
        "db": client.database,
        "sub": len(client.channels),
        "psub": len(client.patterns),
        "ssub": len(client.shard_channels),
        "multi": -1 if queue is None else len(queue.commands),
        "watch": len(client.watches),
        "multi-mem": 0 if queue is None else queue.size,
        "oll": len(client.outbox),
        "omem": client.outbox_size,
        "events": "r",
        "cmd": client.command or "NULL",
        "user": "default" if client.authenticated else "(superuser)",
        "redir": -1,
        "resp": client.protocol,
        "lib-name": client.library.decode("ascii"),
        "lib-ver": client.library_version.decode("ascii"),
    }
    return " ".join([f"{name}={value}" for name, value in facts.items()])


def _flags(client: Client) -> str:
    flags = "O" if client.monitors else ""
    flags += "P" if client.kind() == b"pubsub" else ""
    flags += "x" if client.queue is not None else ""
    flags += "b" if client.waiting is not None else ""
    flags += "d" if client.touched > 0 else ""
    flags += "c" if client.closing else ""
    return flags or "N"


# --- what is done to others ---------------------------------------------------------------------


def pause(client: Client, args: list[bytes]) -> object:
    """CLIENT PAUSE milliseconds [WRITE | ALL]"""
    server = client.server
    mode = args[3].upper() if len(args) > 3 else b"ALL"
    if len(args) > 4:
        raise CommandError(wrong_member("CLIENT", args))
    if mode not in (b"WRITE", b"ALL"):
        raise CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    until = time.monotonic() + timeout(args[2])
    # Of two pauses the longer and the stricter holds.
    server.paused_until = max(server.paused_until, until)
    server.pauses_reads = mode == b"ALL" or (server.pauses_reads and server.paused_until > until)
    server.settle()
    return OK


def timeout(text: bytes) -> float:
    """Seconds, from milliseconds; CommandError as Redis words it."""
    try:
        milliseconds = integer(text)
    except CommandError:
        raise CommandError("ERR timeout is not an integer or out of range") from None
    if milliseconds < 0:
        raise CommandError("ERR timeout is negative")
    return min(milliseconds / 1000, MAX_SLEEP)


def unpause(client: Client, args: list[bytes]) -> object:
    client.server.resume()
    return OK


def unblock(client: Client, args: list[bytes]) -> object:
    """CLIENT UNBLOCK id [TIMEOUT | ERROR]"""
    if len(args) > 4:
        raise CommandError(wrong_member("CLIENT", args))
    reason = args[3].upper() if len(args) > 3 else b"TIMEOUT"
    if reason not in (b"TIMEOUT", b"ERROR"):
        raise CommandError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    other = client.server.clients.get(integer(args[2]))
    if other is None or other.waiting is None:
        return 0
    other.waiting.unblocked = True
    other.waiting.error = reason == b"ERROR"
    other.resume()
    return 1


# --- what the connection wants ------------------------------------------------------------------


def reply(client: Client, args: list[bytes]) -> object:
    """CLIENT REPLY ON | OFF | SKIP"""
    word = args[2].upper()
    if word == b"ON":
        client.silence = TALKS
    elif word == b"OFF":
        client.silence = OFF
    elif word == b"SKIP":
        client.silence = OFF if client.silence == OFF else SKIPS_NEXT
    else:
        raise CommandError(SYNTAX)
    client.settle()
    return OK if word == b"ON" else NO_REPLY


def switch(client: Client, args: list[bytes]) -> object:
    """CLIENT NO-EVICT, CLIENT NO-TOUCH: nobody is evicted, and no key has an age, so both hold."""
    if args[2].upper() not in (b"ON", b"OFF"):
        raise CommandError(SYNTAX)
    return OK


def tracking(client: Client, args: list[bytes]) -> object:
    word = args[2].upper()
    if word == b"OFF":
        return OK
    if word != b"ON":
        raise CommandError(SYNTAX)
    raise CommandError("ERR CLIENT TRACKING is not supported: cache nothing, or for a short time")


def trackinginfo(client: Client, args: list[bytes]) -> object:
    return {b"flags": [b"off"], b"redirect": -1, b"prefixes": []}


def getredir(client: Client, args: list[bytes]) -> object:
    return -1


def caching(client: Client, args: list[bytes]) -> object:
    raise CommandError(CACHING)


_GROUP: Final = "connection"
_OWN: Final = "noscript loading stale"
_ADMIN: Final = "admin noscript loading stale"
_MEMBERS: Final[list[tuple[Command, str]]] = [
    (on_client(caching, "CLIENT|CACHING", 3, _OWN, _GROUP, "Refused: no keys are tracked."),
     "(YES|NO)"),
    (on_client(getname, "CLIENT|GETNAME", 2, _OWN, _GROUP, "Returns the connection's name."), ""),
    (on_client(getredir, "CLIENT|GETREDIR", 2, _OWN, _GROUP, "Returns -1: no keys are tracked."),
     ""),
    (on_client(id_, "CLIENT|ID", 2, _OWN, _GROUP, "Returns the connection's number."), ""),
    (on_client(info, "CLIENT|INFO", 2, _OWN, _GROUP, "Describes the connection."), ""),
    (on_client(kill, "CLIENT|KILL", -3, _ADMIN, _GROUP, "Closes connections."),
     "<ip:port> | [ID <id>] [ADDR <ip:port>] [LADDR <ip:port>] [TYPE <type>] [USER <user>] "
     "[SKIPME (YES|NO)]"),
    (on_client(list_, "CLIENT|LIST", -2, _ADMIN, _GROUP, "Describes open connections."),
     "[TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <id> ...]"),
    (on_client(switch, "CLIENT|NO-EVICT", 3, _ADMIN, _GROUP, "Accepted: nobody is evicted."),
     "(ON|OFF)"),
    (on_client(switch, "CLIENT|NO-TOUCH", 3, _OWN, _GROUP, "Accepted: keys have no age."),
     "(ON|OFF)"),
    (on_client(pause, "CLIENT|PAUSE", -3, _ADMIN, _GROUP, "Holds commands, or writes, back."),
     "<milliseconds> [WRITE|ALL]"),
    (on_client(reply, "CLIENT|REPLY", 3, _OWN, _GROUP, "Says whether replies are sent."),
     "(ON|OFF|SKIP)"),
    (on_client(setinfo, "CLIENT|SETINFO", 4, _OWN, _GROUP, "Sets the client library's facts."),
     "(LIB-NAME|LIB-VER) <text>"),
    (on_client(setname, "CLIENT|SETNAME", 3, _OWN, _GROUP, "Names the connection."), "<name>"),
    (on_client(tracking, "CLIENT|TRACKING", -3, _OWN, _GROUP, "Refused: no keys are tracked."),
     "(ON|OFF) [<option> ...]"),
    (on_client(trackinginfo, "CLIENT|TRACKINGINFO", 2, _OWN, _GROUP,
               "Says that no keys are tracked."), ""),
    (on_client(unblock, "CLIENT|UNBLOCK", -3, _ADMIN, _GROUP, "Ends another's waiting."),
     "<id> [TIMEOUT|ERROR]"),
    (on_client(unpause, "CLIENT|UNPAUSE", 2, _ADMIN, _GROUP, "Ends a pause."), ""),
]  # fmt: skip

COMMANDS: Final[list[Command]] = [
    family(
        "CLIENT",
        _GROUP,
        "A container for client connection commands.",
        [member(command, usage) for command, usage in _MEMBERS],
        "2.4.0",
    ),
]
