"""A Redis command: its name, how many arguments it takes, how it is described, what it does.

Each module of commands ends with the list of its own; the registry joins them. A command is a
function of (transaction, arguments), of (client, arguments) or of all three; `arity` counts as in
Redis: the name included, negative for "at least".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kveik.command.state import Client
from kveik.engine.transaction import Transaction
from kveik.native import i64

DataFunction = Callable[[Transaction, list[bytes]], object]
ClientFunction = Callable[[Client, list[bytes]], object]
BothFunction = Callable[[Transaction, Client, list[bytes]], object]

# Where a command's keys are: the first, the last, and the step between them, as in COMMAND INFO.
NONE: Final = (0, 0, 0)
ONE: Final = (1, 1, 1)
TWO: Final = (1, 2, 1)
ALL: Final = (1, -1, 1)
PAIRS: Final = (1, -1, 2)


class Command:
    """One of on_data, on_client and on_both is its function."""

    def __init__(
        self,
        name: str,
        arity: i64,
        flags: str,
        group: str,
        summary: str,
        positions: tuple[int, int, int],
        since: str,
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
        self.on_both: BothFunction | None = None

    def accepts(self, count: i64) -> bool:
        """Whether so many arguments, the name included, are right."""
        return count == self.arity if self.arity >= 0 else count >= -self.arity


def on_data(
    function: DataFunction,
    name: str,
    arity: i64,
    flags: str,
    group: str,
    summary: str,
    positions: tuple[int, int, int] = NONE,
    since: str = "1.0.0",
) -> Command:
    """A command that reads or writes data."""
    command = Command(name, arity, flags, group, summary, positions, since)
    command.on_data = function
    return command


def on_client(
    function: ClientFunction,
    name: str,
    arity: i64,
    flags: str,
    group: str,
    summary: str,
    positions: tuple[int, int, int] = NONE,
    since: str = "1.0.0",
) -> Command:
    """A command on the connection, or on the server behind it."""
    command = Command(name, arity, flags, group, summary, positions, since)
    command.on_client = function
    return command


def on_both(
    function: BothFunction,
    name: str,
    arity: i64,
    flags: str,
    group: str,
    summary: str,
    positions: tuple[int, int, int] = NONE,
    since: str = "1.0.0",
) -> Command:
    """A command that reads or writes data and needs to know who asks."""
    command = Command(name, arity, flags, group, summary, positions, since)
    command.on_both = function
    return command
