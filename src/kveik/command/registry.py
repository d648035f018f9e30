"""Every Redis command by name. Called by the Redis requests."""

from __future__ import annotations

from typing import Final

from kveik.command import (
    admin,
    bitfield,
    bits,
    channels,
    clients,
    configuration,
    copies,
    described,
    dumps,
    expiry,
    info,
    keys,
    keyspace,
    kv,
    lcs,
    monitor,
    multi,
    numbers,
    objects,
    pieces,
    pubsub,
    ranges,
    scan,
    sessions,
    slowness,
    strings,
    waiting,
    watch,
)
from kveik.command.absent import ABSENT
from kveik.command.arguments import MAX_SHOWN, shown
from kveik.command.command import Command
from kveik.command.described import TABLE
from kveik.errors import CommandError

COMMANDS: Final[list[Command]] = sorted(
    [
        *admin.COMMANDS,
        *bitfield.COMMANDS,
        *bits.COMMANDS,
        *channels.COMMANDS,
        *clients.COMMANDS,
        *configuration.COMMANDS,
        *copies.COMMANDS,
        *described.COMMANDS,
        *dumps.COMMANDS,
        *expiry.COMMANDS,
        *info.COMMANDS,
        *keys.COMMANDS,
        *keyspace.COMMANDS,
        *kv.COMMANDS,
        *lcs.COMMANDS,
        *monitor.COMMANDS,
        *multi.COMMANDS,
        *numbers.COMMANDS,
        *objects.COMMANDS,
        *pieces.COMMANDS,
        *pubsub.COMMANDS,
        *ranges.COMMANDS,
        *scan.COMMANDS,
        *sessions.COMMANDS,
        *slowness.COMMANDS,
        *strings.COMMANDS,
        *watch.COMMANDS,
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
                raise CommandError(ABSENT.get(name.upper()) or unknown(args))
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
