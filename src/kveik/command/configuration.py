"""CONFIG: what the server is told, and what of it can be told while it runs.

A parameter that is fixed takes the value that it has, as tools set what they need to be so. Called
through the registry; `settle` by who makes a server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kveik.command.arguments import MAX_I64, SYNTAX, integer, shown
from kveik.command.command import Command, family, member, on_client
from kveik.command.glob import Glob
from kveik.command.state import Client, Server
from kveik.errors import CommandError
from kveik.limits import (
    MAX_BUFFERED,
    MAX_CONNECTIONS,
    MAX_PASSWORD,
    MAX_SLOWLOG,
    OUTPUT_BOUND,
    PUSH_BOUND,
    SLOWLOG_ENTRIES,
    SLOWLOG_TIME,
)
from kveik.model import OK
from kveik.native import i64
from kveik.sizes import parse_size

MAX_PATTERN: Final = 64  # bytes of a CONFIG GET pattern; no name is longer
FIXED: Final = "can't set immutable config"
CLASSES: Final = "g$lshzxetd"  # of keyspace notifications; Redis' A is all of them
_TOLD: Final = frozenset("g$x")  # those that there are here


# --- what can be set: a check that returns what is shown, and what it does to the server ---------


class Whole:
    """A whole number between two others, and what the server does with it."""

    def __init__(self, low: int, high: int, apply: Callable[[Server, i64], None]) -> None:
        self.low = low
        self.high = high
        self.apply = apply

    def read(self, text: bytes) -> int:
        try:
            number = integer(text)
        except CommandError:
            raise CommandError("argument couldn't be parsed into an integer") from None
        if not self.low <= number <= self.high:
            raise CommandError(f"argument must be between {self.low} and {self.high} inclusive")
        return number


def _timeout(server: Server, number: i64) -> None:
    server.idle_timeout = number


def _most_connections(server: Server, number: i64) -> None:
    server.most_connections = number


def _slow_time(server: Server, number: i64) -> None:
    server.measures.slow_time = number


def _slow_most(server: Server, number: i64) -> None:
    server.measures.slow_most = min(number, MAX_SLOWLOG)
    server.measures.trim()


def _latency_time(server: Server, number: i64) -> None:
    server.measures.latency_time = number


def _most_buffered(server: Server, number: i64) -> None:
    server.most_buffered = number


class Size(Whole):
    """As Whole, of bytes, with a unit perhaps."""

    def read(self, text: bytes) -> int:
        try:
            return super().read(b"%d" % parse_size(text.decode("utf-8", "replace")))
        except (ValueError, OverflowError):
            raise CommandError("argument must be a memory value") from None


_NUMBERS: Final[dict[str, Whole]] = {
    "latency-monitor-threshold": Whole(0, MAX_I64, _latency_time),
    "maxclients": Whole(1, (1 << 32) - 1, _most_connections),
    "maxmemory-clients": Size(OUTPUT_BOUND, MAX_I64, _most_buffered),
    "slowlog-log-slower-than": Whole(-1, MAX_I64, _slow_time),
    "slowlog-max-len": Whole(0, MAX_I64, _slow_most),
    "timeout": Whole(0, (1 << 31) - 1, _timeout),
}
_DEFAULTS: Final[dict[str, str]] = {
    "client-output-buffer-limit": f"normal 0 0 0 slave 0 0 0 pubsub {PUSH_BOUND} 0 0",
    "latency-monitor-threshold": "0",
    "maxclients": str(MAX_CONNECTIONS),
    "maxmemory-clients": str(MAX_BUFFERED),
    "notify-keyspace-events": "",
    "requirepass": "",
    "slowlog-log-slower-than": str(SLOWLOG_TIME),
    "slowlog-max-len": str(SLOWLOG_ENTRIES),
    "timeout": "0",
}


def settle(server: Server) -> None:
    """Show what can be set, as a new server has it."""
    for name, value in _DEFAULTS.items():
        server.configuration.setdefault(name, value)
    if server.password:
        server.configuration["requirepass"] = server.password.decode("utf-8", "surrogateescape")


def _checked(server: Server, name: str, text: bytes) -> str:
    """The value as it is shown. CommandError says what is wrong with it."""
    number = _NUMBERS.get(name)
    if number is not None:
        found = number.read(text)
        if name == "maxclients" and found > server.connection_limit:
            raise CommandError(
                "The operating system is not able to handle the specified number of clients, "
                f"try with {server.connection_limit}"
            )
        return str(found)
    value = text.decode("utf-8", "surrogateescape")
    if name == "notify-keyspace-events":
        return _events(value)
    if name == "requirepass":
        if len(text) > MAX_PASSWORD:
            raise CommandError(f"a password has at most {MAX_PASSWORD} bytes")
    elif value.lower() != server.configuration[name].lower():
        raise CommandError(FIXED)
    return value


def _events(text: str) -> str:
    """Classes of notifications, in Redis' order."""
    classes = set(text)
    if not classes <= set(CLASSES + "AKEmn"):
        raise CommandError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    if not classes.isdisjoint("mn"):
        raise CommandError("misses and new keys (m, n) are not told")
    every = "A" in classes or classes >= set(CLASSES)
    chosen = "A" if every else "".join([one for one in CLASSES if one in classes])
    return chosen + "".join([one for one in "KE" if one in classes])


def _apply(server: Server, name: str, value: str) -> None:
    server.configuration[name] = value
    number = _NUMBERS.get(name)
    if number is not None:
        number.apply(server, int(value))
    elif name == "requirepass":
        server.password = value.encode("utf-8", "surrogateescape")
        if not value:
            for client in server.clients.values():
                client.authenticated = True
                client.settle()
    elif name == "notify-keyspace-events":
        classes = set(value.replace("A", CLASSES))
        server.events = frozenset(classes)
        server.notices.on = not (classes.isdisjoint("KE") or classes.isdisjoint(_TOLD))
        server.notices.expired_on = server.notices.on and "x" in classes
        server.settle()


# --- CONFIG -------------------------------------------------------------------------------------


def get(client: Client, args: list[bytes]) -> object:
    # A long pattern could keep the loop busy.
    globs = [Glob(text.lower()) for text in args[2:] if len(text) <= MAX_PATTERN]
    found: dict[object, object] = {}
    for name, value in client.server.configuration.items():
        if any([glob.matches(name.encode()) for glob in globs]):
            found[name.encode()] = value.encode("utf-8", "surrogateescape")
    return found


def set_(client: Client, args: list[bytes]) -> object:
    """All of them, or none."""
    if len(args) % 2 == 1:
        raise CommandError(SYNTAX)
    server = client.server
    values: dict[str, str] = {}
    names = [text.decode("utf-8", "replace").lower() for text in args[2::2]]
    for name, text in zip(names, args[2::2], strict=True):
        if name not in server.configuration:
            what = "Unknown option or number of arguments for CONFIG SET"
            raise CommandError(f"ERR {what} - '{shown(text)}'")
    for name, text in zip(names, args[3::2], strict=True):
        try:
            if name in values:
                raise CommandError("duplicate parameter")
            values[name] = _checked(server, name, text)
        except CommandError as error:
            where = f"possibly related to argument '{name}'"
            raise CommandError(f"ERR CONFIG SET failed ({where}) - {error}") from None
    for name, value in values.items():
        _apply(server, name, value)
    return OK


def resetstat(client: Client, args: list[bytes]) -> object:
    server = client.server
    server.measures.reset(server.plain_hits + server.plain_misses, server.plain_sets)
    server.forgotten = server.performed()
    server.connections_before = server.connections_ever
    server.refused = server.evicted = server.slow = server.idle = 0
    server.bytes_in = server.bytes_out = 0
    return OK


def rewrite(client: Client, args: list[bytes]) -> object:
    raise CommandError("ERR The server is running without a config file")


_GROUP: Final = "server"
_FLAGS: Final = "admin noscript loading stale"
COMMANDS: Final[list[Command]] = [
    family(
        "CONFIG",
        _GROUP,
        "A container for server configuration commands.",
        [
            member(
                on_client(
                    get,
                    "CONFIG|GET",
                    -3,
                    _FLAGS,
                    _GROUP,
                    "Returns the values of configuration parameters.",
                ),
                "<pattern> [<pattern> ...]",
            ),
            member(
                on_client(
                    resetstat,
                    "CONFIG|RESETSTAT",
                    2,
                    _FLAGS,
                    _GROUP,
                    "Resets the server's statistics.",
                ),
                "",
            ),
            member(
                on_client(
                    rewrite,
                    "CONFIG|REWRITE",
                    2,
                    _FLAGS,
                    _GROUP,
                    "Refused: there is no configuration file.",
                ),
                "",
            ),
            member(
                on_client(
                    set_,
                    "CONFIG|SET",
                    -4,
                    _FLAGS,
                    _GROUP,
                    "Sets configuration parameters.",
                ),
                "<directive> <value> [<directive> <value> ...]",
            ),
        ],
        "2.0.0",
    ),
]
