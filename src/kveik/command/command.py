"""A Redis command: its name, how many arguments it takes, how it is described, what it does.

Each module of commands ends with the list of its own; the registry joins them. A command is a
function of (transaction, arguments), of (client, arguments), or of all three; `arity` counts as in
Redis: the name included, negative for "at least". A family (CLIENT, CONFIG) has members in place
of a function: commands named "CLIENT|ID", chosen by the first argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kveik.command.arguments import shown
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.model import Simple
from kveik.native import i64

if TYPE_CHECKING:
    from kveik.command.state import Client  # which keeps commands that wait for EXEC

DataFunction = Callable[[Transaction, list[bytes]], object]
ClientFunction = Callable[["Client", list[bytes]], object]
BothFunction = Callable[[Transaction, "Client", list[bytes]], object]

# Where a command's keys are: the first, the last, and the step between them, as in COMMAND INFO.
NONE: Final = (0, 0, 0)
ONE: Final = (1, 1, 1)
TWO: Final = (1, 2, 1)
ALL: Final = (1, -1, 1)
PAIRS: Final = (1, -1, 2)


class Command:
    """Either on_data, on_client or on_both is its function, or it has members."""

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
        self.lower = name.lower()
        self.arity = arity
        self.flags = flags.split()
        self.writes = "write" in self.flags
        self.group = group
        self.summary = summary
        self.positions = positions
        self.since = since
        self.usage = ""  # a member's arguments, for the family's HELP
        self.on_data: DataFunction | None = None
        self.on_client: ClientFunction | None = None
        self.on_both: BothFunction | None = None
        self.members: dict[bytes, Command] | None = None

    def accepts(self, count: i64) -> bool:
        """Whether so many arguments, the name included, are right."""
        return count == self.arity if self.arity >= 0 else count >= -self.arity

    def called(self, args: list[bytes]) -> Command:
        """The command that a request means, perhaps a member. CommandError, in Redis' words."""
        command = self
        members = self.members
        if members is not None and len(args) > 1:
            member = members.get(args[1].upper())
            if member is None:
                raise CommandError(
                    f"ERR unknown subcommand '{shown(args[1])}'. Try {self.name} HELP."
                )
            command = member
        if not command.accepts(len(args)):
            raise CommandError(f"ERR wrong number of arguments for '{command.lower}' command")
        return command

    def call(self, txn: Transaction, client: Client, args: list[bytes]) -> object:
        """Do it; `called` has chosen it."""
        on_data = self.on_data
        if on_data is not None:
            return on_data(txn, args)
        on_both = self.on_both
        if on_both is not None:
            return on_both(txn, client, args)
        on_client = self.on_client
        if on_client is not None:
            return on_client(client, args)
        return self._help()

    def _help(self) -> object:
        """The reply to a family's HELP, which has no function."""
        family = self.name.removesuffix("|HELP")
        lines = [f"{family} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
        lines += self.usage.split("\n")
        return [Simple(line.encode()) for line in lines]


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
    """A command on the connection, or on the server behind it. In EXEC it runs after the commit."""
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
    """A command on data and on the connection, of which it may change nothing before it is done."""
    command = Command(name, arity, flags, group, summary, positions, since)
    command.on_both = function
    return command


def member(command: Command, usage: str) -> Command:
    """A command of a family; usage: its arguments, for HELP."""
    command.usage = usage
    return command


def family(name: str, group: str, summary: str, members: list[Command], since: str) -> Command:
    """A command that only leads to its members; their HELP is made here."""
    command = Command(name, -2, "", group, summary, NONE, since)
    lines: list[str] = []
    for one in members:
        lines.append(f"{one.name.partition('|')[2]} {one.usage}".rstrip())
        lines.append(f"    {one.summary}")
    lines += ["HELP", "    Print this help."]
    flags = "loading stale"
    explain = Command(f"{name}|HELP", 2, flags, group, "Print this help.", NONE, since)
    explain.usage = "\n".join(lines)
    named = {one.name.partition("|")[2].encode(): one for one in [*members, explain]}
    command.members = named
    return command
