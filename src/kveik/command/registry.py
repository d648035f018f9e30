"""Every Redis command by name. Called by the Redis requests."""

from __future__ import annotations

from typing import Final

from kveik.command import (
    admin,
    channels,
    clients,
    configuration,
    described,
    info,
    keys,
    monitor,
    multi,
    pubsub,
    ranges,
    sessions,
    slowness,
    strings,
    waiting,
)
from kveik.command.arguments import MAX_SHOWN, shown
from kveik.command.command import Command
from kveik.command.described import TABLE
from kveik.errors import CommandError

COMMANDS: Final[list[Command]] = sorted(
    [
        *admin.COMMANDS,
        *channels.COMMANDS,
        *clients.COMMANDS,
        *configuration.COMMANDS,
        *described.COMMANDS,
        *info.COMMANDS,
        *keys.COMMANDS,
        *monitor.COMMANDS,
        *multi.COMMANDS,
        *pubsub.COMMANDS,
        *ranges.COMMANDS,
        *sessions.COMMANDS,
        *slowness.COMMANDS,
        *strings.COMMANDS,
        *waiting.COMMANDS,
    ],
    key=lambda command: command.name,
)

TABLE.update({command.name.encode(): command for command in COMMANDS})


class Finder:
    """Finds the command a request names; remembers the last one, as clients repeat themselves."""

    def __init__(self) -> None:
        self._command = COMMANDS[0]
        self._name = self._command.name.encode()

    def find(self, args: list[bytes]) -> Command:
        """The command, perhaps of a family; CommandError, in Redis' words, for a wrong request."""
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
