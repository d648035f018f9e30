"""COMMAND: which commands there are, and what they are like. Called through the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX
from kveik.command.command import Command, family, member, on_client
from kveik.command.glob import Glob
from kveik.command.state import Client
from kveik.errors import CommandError
from kveik.model import Simple

# Every command by name; the registry fills it.
TABLE: Final[dict[bytes, Command]] = {}

# What a command does to its keys, as GETKEYSANDFLAGS tells it, but for the most.
_OVERWRITES: Final = frozenset(("MSET", "MSETNX", "PSETEX", "RESTORE", "SET", "SETEX"))
_REMOVES: Final = frozenset(("DEL", "UNLINK"))
_LOOKS: Final = frozenset(("EXISTS", "PTTL", "STRLEN", "TOUCH", "TTL", "TYPE", "WATCH"))


def find(name: bytes) -> Command | None:
    """The command of a name, perhaps of a family ("config|get")."""
    first, _, rest = name.upper().partition(b"|")
    command = TABLE.get(first)
    if command is not None and rest:
        return None if command.members is None else command.members.get(rest)
    return command


def everything(client: Client, args: list[bytes]) -> object:
    return [_describe(command) for command in TABLE.values()]


def count(client: Client, args: list[bytes]) -> object:
    return len(TABLE)


def info(client: Client, args: list[bytes]) -> object:
    if len(args) == 2:
        return everything(client, args)
    found = [find(name) for name in args[2:]]
    return [None if command is None else _describe(command) for command in found]


def docs(client: Client, args: list[bytes]) -> object:
    chosen = [find(name) for name in args[2:]] if len(args) > 2 else list(TABLE.values())
    return {c.lower.encode(): _document(c) for c in chosen if c is not None}


def list_(client: Client, args: list[bytes]) -> object:
    """COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]"""
    commands = list(TABLE.values())
    if len(args) == 2:
        return [command.lower.encode() for command in commands]
    if len(args) != 5 or args[2].upper() != b"FILTERBY":
        raise CommandError(SYNTAX)
    for command in list(commands):
        commands += list(command.members.values()) if command.members is not None else []
    word = args[3].upper()
    wanted = args[4]
    if word == b"PATTERN":
        glob = Glob(wanted, True)
        return [c.lower.encode() for c in commands if glob.matches(c.lower.encode())]
    if word == b"ACLCAT":
        category = wanted.decode("utf-8", "replace").lower()
        return [c.lower.encode() for c in commands if c.group == category]
    if word == b"MODULE":
        return []
    raise CommandError(SYNTAX)


def getkeys(client: Client, args: list[bytes]) -> object:
    return _keys(args)[1]


def getkeysandflags(client: Client, args: list[bytes]) -> object:
    command, keys = _keys(args)
    flags: list[object] = [Simple(flag) for flag in _access(command)]
    return [[key, flags] for key in keys]


def _keys(args: list[bytes]) -> tuple[Command, list[bytes]]:
    request = args[2:]
    command = TABLE.get(request[0].upper())
    if command is not None and command.members is not None and len(request) > 1:
        command = command.members.get(request[1].upper())
    if command is None:
        raise CommandError("ERR Invalid command specified")
    first, last, step = command.positions
    if step == 0:
        raise CommandError("ERR The command has no key arguments")
    if not command.accepts(len(request)):
        raise CommandError("ERR Invalid number of arguments specified for command")
    stop = len(request) + last if last < 0 else last
    return command, request[first : stop + 1 : step]


def _access(command: Command) -> list[bytes]:
    if command.name in _OVERWRITES:
        return [b"OW", b"update"]
    if command.name in _REMOVES:
        return [b"RM", b"delete"]
    if command.name in _LOOKS:
        return [b"RO"]
    return [b"RW", b"access", b"update"] if command.writes else [b"RO", b"access"]


def _describe(command: Command) -> list[object]:
    first, last, step = command.positions
    flags: list[object] = [flag.encode() for flag in command.flags]
    members = [] if command.members is None else list(command.members.values())
    return [
        command.lower.encode(),
        command.arity,
        flags,
        first,
        last,
        step,
        [f"@{command.group}".encode()],
        [],
        [],
        [_describe(one) for one in members],
    ]


def _document(command: Command) -> dict[object, object]:
    found: dict[object, object] = {
        b"summary": command.summary.encode(),
        b"since": command.since.encode(),
        b"group": command.group.encode(),
    }
    if command.members is not None:
        members = command.members.values()
        found[b"subcommands"] = {one.lower.encode(): _document(one) for one in members}
    return found


_GROUP: Final = "server"
_FLAGS: Final = "loading stale"


def _one(command: Command, usage: str = "") -> Command:
    return member(command, usage)


COMMAND: Final = family(
    "COMMAND",
    _GROUP,
    "Describes all commands.",
    [
        _one(on_client(count, "COMMAND|COUNT", 2, _FLAGS, _GROUP, "Returns how many there are.")),
        _one(
            on_client(docs, "COMMAND|DOCS", -2, _FLAGS, _GROUP, "Says what commands are for."),
            "[<command> ...]",
        ),
        _one(
            on_client(
                getkeys, "COMMAND|GETKEYS", -4, _FLAGS, _GROUP, "Returns the keys of a request."
            ),
            "<request>",
        ),
        _one(
            on_client(
                getkeysandflags,
                "COMMAND|GETKEYSANDFLAGS",
                -4,
                _FLAGS,
                _GROUP,
                "Returns the keys of a request, and what is done to them.",
            ),
            "<request>",
        ),
        _one(
            on_client(info, "COMMAND|INFO", -2, _FLAGS, _GROUP, "Describes commands."),
            "[<command> ...]",
        ),
        _one(
            on_client(list_, "COMMAND|LIST", -2, _FLAGS, _GROUP, "Returns their names."),
            "[FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
        ),
    ],
    "2.8.13",
)
COMMAND.arity = -1
COMMAND.flags = _FLAGS.split()
COMMAND.on_client = everything
COMMANDS: Final[list[Command]] = [COMMAND]
