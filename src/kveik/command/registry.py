"""Every Redis command by name: which function it is, how many arguments, how it is described.

A command is a function of (transaction, arguments), of (client, arguments) or of (server,
arguments); `arity` counts as in Redis: the name included, negative for "at least". Called by the
dialect; COMMAND, which describes the rest, lives here too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kveik.command import admin, keys, ranges, sessions, strings
from kveik.command.arguments import MAX_SHOWN, shown
from kveik.command.state import Client, Server
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.native import i64

DataFunction = Callable[[Transaction, list[bytes]], object]
ClientFunction = Callable[[Client, list[bytes]], object]
ServerFunction = Callable[[Server, list[bytes]], object]


class Command:
    """One command. positions: first and last key and the step between keys, as in COMMAND INFO."""

    def __init__(
        self,
        name: str,
        arity: i64,
        flags: str,
        group: str,
        summary: str,
        positions: tuple[int, int, int] = (0, 0, 0),
        since: str = "1.0.0",
    ) -> None:
        self.name = name
        self.arity = arity
        self.flags = flags.split()
        self.group = group
        self.summary = summary
        self.positions = positions
        self.since = since
        self.on_data: DataFunction | None = None
        self.on_client: ClientFunction | None = None
        self.on_server: ServerFunction | None = None

    def run(self, txn: Transaction, args: list[bytes]) -> object:
        """Call on_data."""
        assert self.on_data is not None
        return self.on_data(txn, args)

    def accepts(self, count: i64) -> bool:
        """Whether so many arguments, the name included, are right."""
        return count == self.arity if self.arity >= 0 else count >= -self.arity


class _Get(Command):
    """Calls its function directly: a call through a variable costs as much as half the command."""

    def run(self, txn: Transaction, args: list[bytes]) -> object:
        return strings.get(txn, args)


class _Set(Command):
    """As _Get."""

    def run(self, txn: Transaction, args: list[bytes]) -> object:
        return strings.set_(txn, args)


def _data(function: DataFunction, command: Command) -> Command:
    command.on_data = function
    return command


def _client(function: ClientFunction, command: Command) -> Command:
    command.on_client = function
    return command


def _server(function: ServerFunction, command: Command) -> Command:
    command.on_server = function
    return command


ONE: Final = (1, 1, 1)
ALL: Final = (1, -1, 1)
PAIRS: Final = (1, -1, 2)


def command_(server: Server, args: list[bytes]) -> object:
    """COMMAND [COUNT | LIST | INFO name ... | DOCS name ...]"""
    if len(args) == 1:
        return [_describe(command) for command in COMMANDS]
    word = args[1].upper()
    named = [TABLE.get(name.upper()) for name in args[2:]]
    if word == b"COUNT":
        if len(args) > 2:
            raise CommandError("ERR wrong number of arguments for 'command|count' command")
        return len(COMMANDS)
    if word == b"LIST" and len(args) == 2:
        return [command.name.lower().encode() for command in COMMANDS]
    if word == b"INFO":
        chosen = named if len(args) > 2 else list(COMMANDS)
        return [None if command is None else _describe(command) for command in chosen]
    if word == b"DOCS":
        chosen = named if len(args) > 2 else list(COMMANDS)
        return {c.name.lower().encode(): _document(c) for c in chosen if c is not None}
    raise CommandError(f"ERR unknown subcommand '{shown(args[1])}'. Try COMMAND HELP.")


def _describe(command: Command) -> list[object]:
    first, last, step = command.positions
    flags: list[object] = [flag.encode() for flag in command.flags]
    return [
        command.name.lower().encode(),
        command.arity,
        flags,
        first,
        last,
        step,
        [f"@{command.group}".encode()],
        [],
        [],
        [],
    ]


def _document(command: Command) -> dict[object, object]:
    return {
        b"summary": command.summary.encode(),
        b"since": command.since.encode(),
        b"group": command.group.encode(),
    }


COMMANDS: Final = [
    _client(
        sessions.auth,
        Command(
            "AUTH",
            -2,
            "noscript loading stale fast",
            "connection",
            "Authenticates the connection; refused, as no password can be set yet.",
        ),
    ),
    _client(
        sessions.client_,
        Command(
            "CLIENT",
            -2,
            "noscript loading stale",
            "connection",
            "Tells or sets the connection's id, name and library.",
            since="2.4.0",
        ),
    ),
    _server(
        command_,
        Command(
            "COMMAND",
            -1,
            "loading stale",
            "server",
            "Counts, lists or describes the commands.",
            since="2.8.13",
        ),
    ),
    _server(
        admin.config,
        Command(
            "CONFIG",
            -2,
            "admin noscript loading stale",
            "server",
            "Returns configuration parameters (GET).",
            since="2.0.0",
        ),
    ),
    _data(
        keys.dbsize,
        Command(
            "DBSIZE", 1, "readonly fast", "server", "Returns the number of keys in the database."
        ),
    ),
    _data(keys.delete, Command("DEL", -2, "write", "generic", "Deletes keys.", ALL)),
    _client(
        sessions.echo,
        Command("ECHO", 2, "loading stale fast", "connection", "Returns the given string."),
    ),
    _data(
        keys.exists,
        Command("EXISTS", -2, "readonly fast", "generic", "Counts which of the keys exist.", ALL),
    ),
    _data(
        keys.flushall,
        Command("FLUSHALL", -1, "write", "server", "Deletes all keys of all databases."),
    ),
    _data(
        keys.flushdb,
        Command("FLUSHDB", -1, "write", "server", "Deletes all keys of the selected database."),
    ),
    _data(
        strings.get,
        _Get("GET", 2, "readonly fast", "string", "Returns the value of a key.", ONE),
    ),
    _client(
        sessions.hello,
        Command(
            "HELLO",
            -1,
            "noscript loading stale fast",
            "connection",
            "Shakes hands and chooses the protocol version.",
            since="6.0.0",
        ),
    ),
    _server(
        admin.info,
        Command(
            "INFO", -1, "loading stale", "server", "Returns facts and statistics of the server."
        ),
    ),
    _data(
        ranges.kv_range,
        Command(
            "KV.RANGE",
            -3,
            "readonly",
            "generic",
            "Returns the entries between two keys, in order.",
            since="0.1.0",
        ),
    ),
    _data(
        strings.mget,
        Command("MGET", -2, "readonly fast", "string", "Returns the values of several keys.", ALL),
    ),
    _data(
        strings.mset,
        Command(
            "MSET", -3, "write denyoom", "string", "Sets several keys at once.", PAIRS, "1.0.1"
        ),
    ),
    _client(
        sessions.ping,
        Command("PING", -1, "fast", "connection", "Answers PONG: the server is alive."),
    ),
    _client(
        sessions.quit_,
        Command("QUIT", -1, "noscript loading stale fast", "connection", "Closes the connection."),
    ),
    _client(
        sessions.reset,
        Command(
            "RESET",
            1,
            "noscript loading stale fast",
            "connection",
            "Resets the connection to how it began.",
            since="6.2.0",
        ),
    ),
    _client(
        sessions.select,
        Command("SELECT", 2, "loading stale fast", "connection", "Changes the selected database."),
    ),
    _data(
        strings.set_,
        _Set(
            "SET",
            -3,
            "write denyoom",
            "string",
            "Sets the value of a key, with conditions and an expiry.",
            ONE,
        ),
    ),
    _server(
        admin.shutdown,
        Command(
            "SHUTDOWN",
            -1,
            "admin noscript loading stale",
            "server",
            "Syncs what is left and stops the server.",
        ),
    ),
    _data(
        strings.strlen,
        Command(
            "STRLEN", 2, "readonly fast", "string", "Returns the length of a value.", ONE, "2.2.0"
        ),
    ),
    _data(
        keys.type_,
        Command("TYPE", 2, "readonly fast", "generic", "Returns the type of a key's value.", ONE),
    ),
    _data(
        keys.delete,
        Command("UNLINK", -2, "write fast", "generic", "Deletes keys, as DEL.", ALL, "4.0.0"),
    ),
]

TABLE: Final = {command.name.encode(): command for command in COMMANDS}


class Finder:
    """Finds the command a request names; remembers the last one, as clients repeat themselves."""

    def __init__(self) -> None:
        self._command = COMMANDS[0]
        self._name = self._command.name.encode()

    def find(self, args: list[bytes]) -> Command:
        """The command; CommandError, as Redis words it, for an unknown one or a wrong count."""
        name = args[0]
        if name != self._name:
            command = TABLE.get(name.upper())
            if command is None:
                raise CommandError(unknown(args))
            self._name = name
            self._command = command
        command = self._command
        if not command.accepts(len(args)):
            lower = command.name.lower()
            raise CommandError(f"ERR wrong number of arguments for '{lower}' command")
        return command


def unknown(args: list[bytes]) -> str:
    beginning = b""
    for arg in args[1:]:
        if len(beginning) >= MAX_SHOWN:
            break
        beginning += b"'" + arg[: MAX_SHOWN - len(beginning)] + b"' "
    text = beginning.decode("utf-8", "backslashreplace")
    return f"ERR unknown command '{shown(args[0])}', with args beginning with: {text}"
