"""Every Redis command by name, and COMMAND, which describes them. Called by the Redis requests."""

from __future__ import annotations

from typing import Final

from kveik.command import (
    admin,
    clients,
    keys,
    monitor,
    multi,
    pubsub,
    ranges,
    sessions,
    strings,
)
from kveik.command.arguments import MAX_SHOWN, shown
from kveik.command.command import Command, on_client
from kveik.command.state import Client
from kveik.errors import CommandError


def command_(client: Client, args: list[bytes]) -> object:
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


OWN: Final = [
    on_client(
        command_,
        "COMMAND",
        -1,
        "loading stale",
        "server",
        "Counts, lists or describes the commands.",
        since="2.8.13",
    ),
]
COMMANDS: Final[list[Command]] = sorted(
    [
        *OWN,
        *admin.COMMANDS,
        *clients.COMMANDS,
        *keys.COMMANDS,
        *monitor.COMMANDS,
        *multi.COMMANDS,
        *pubsub.COMMANDS,
        *ranges.COMMANDS,
        *sessions.COMMANDS,
        *strings.COMMANDS,
    ],
    key=lambda command: command.name,
)

TABLE: Final[dict[bytes, Command]] = {command.name.encode(): command for command in COMMANDS}


class Finder:
    """Finds the command a request names; remembers the last one, as clients repeat themselves."""

    def __init__(self) -> None:
        self._command = COMMANDS[0]
        self._name = self._command.name.encode()

    def find(self, args: list[bytes]) -> Command:
        """The command, perhaps of a family; CommandError, in Redis' words, if there is none such."""
        name = args[0]
        if name != self._name:
            command = TABLE.get(name.upper())
            if command is None:
                raise CommandError(unknown(args))
            self._name = name
            self._command = command
        return self._command.called(args)


def unknown(args: list[bytes]) -> str:
    beginning = b""
    for arg in args[1:]:
        if len(beginning) >= MAX_SHOWN:
            break
        beginning += b"'" + arg[: MAX_SHOWN - len(beginning)] + b"' "
    text = beginning.decode("utf-8", "backslashreplace")
    return f"ERR unknown command '{shown(args[0])}', with args beginning with: {text}"
