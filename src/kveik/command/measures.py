"""What a server measures of the commands it performs: counts, times, the slow ones, the errors.

Read by INFO, SLOWLOG and LATENCY; filled by the requests when they are done. Plain GETs and SETs,
which take microseconds, are counted by the server and not timed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kveik.command.command import Command
from kveik.limits import (
    MAX_ERRORS,
    MAX_LATENCIES,
    SLOWLOG_ARGUMENT,
    SLOWLOG_ARGUMENTS,
    SLOWLOG_ENTRIES,
    SLOWLOG_TIME,
)
from kveik.model import Failure
from kveik.native import i64

if TYPE_CHECKING:
    from kveik.command.state import Client

BUCKETS: Final = 32  # powers of two of microseconds; the last one is an hour and more
REDACTED: Final = b"(redacted)"


class Calls:
    """Of one command."""

    def __init__(self) -> None:
        self.calls: i64 = 0
        self.rejected: i64 = 0  # refused before they were begun
        self.failed: i64 = 0
        self.seconds = 0.0
        self.buckets = [0] * BUCKETS  # by the bits of their microseconds


class Slow:
    """A command that took long. number: of all that ever did."""

    def __init__(self, number: i64, usec: i64, args: list[bytes], client: Client) -> None:
        self.number = number
        self.at = int(time.time())
        self.usec = usec
        self.args = args
        self.address = client.address
        self.name = client.name


class Latencies:
    """The latest slow moments of one kind, oldest first. worst: milliseconds, of all ever."""

    def __init__(self) -> None:
        self.worst: i64 = 0
        self.samples: list[tuple[int, int]] = []  # (Unix seconds, milliseconds)


class Measures:
    def __init__(self) -> None:
        self.slow: list[Slow] = []  # newest last
        self.slow_time: i64 = SLOWLOG_TIME  # microseconds from which one is slow; -1 for never
        self.slow_most: i64 = SLOWLOG_ENTRIES
        self._slow_ever: i64 = 0
        self.latency_time: i64 = 0  # milliseconds; 0 for none
        self.latencies: dict[str, Latencies] = {}
        self.plain_gets: i64 = 0  # the server's counts when statistics were last reset
        self.plain_sets: i64 = 0
        self.calls: dict[str, Calls] = {}
        self.errors: dict[str, int] = {}  # by their first word

    def reset(self, plain_gets: i64, plain_sets: i64) -> None:
        """CONFIG RESETSTAT: count from 0; so many plain ones there have been."""
        self.calls = {}
        self.errors = {}
        self.plain_gets = plain_gets
        self.plain_sets = plain_sets

    def of(self, command: Command) -> Calls:
        found = self.calls.get(command.lower)
        if found is None:
            found = self.calls[command.lower] = Calls()
        return found

    def note(
        self, command: Command, client: Client, args: list[bytes], seconds: float, reply: object
    ) -> None:
        """A command has been performed."""
        calls = self.of(command)
        calls.calls += 1
        calls.seconds += seconds
        usec: i64 = int(seconds * 1e6)
        calls.buckets[min(int(usec).bit_length(), BUCKETS - 1)] += 1
        if isinstance(reply, Failure):
            calls.failed += 1
            self._error(reply)
        if 0 <= self.slow_time <= usec and "skip_slowlog" not in command.flags:
            self._slow(usec, args, client)
        if 0 < self.latency_time * 1000 <= usec:
            self.moment("fast-command" if "fast" in command.flags else "command", usec // 1000)

    def refuse(self, command: Command | None, reply: Failure) -> None:
        """A command, if there is one of that name, was not even begun."""
        if command is not None:
            self.of(command).rejected += 1
        self._error(reply)

    def _error(self, reply: Failure) -> None:
        code = reply.text.split(" ", 1)[0][:SLOWLOG_ARGUMENT]
        if code in self.errors or len(self.errors) < MAX_ERRORS:
            self.errors[code] = self.errors.get(code, 0) + 1

    def _slow(self, usec: i64, args: list[bytes], client: Client) -> None:
        self.slow.append(Slow(self._slow_ever, usec, _in_short(concealed(args)), client))
        self._slow_ever += 1
        self.trim()

    def trim(self) -> None:
        """Keep no more slow commands than wanted."""
        del self.slow[: max(len(self.slow) - self.slow_most, 0)]

    def moment(self, kind: str, milliseconds: i64) -> None:
        """Something took long."""
        found = self.latencies.get(kind)
        if found is None:
            found = self.latencies[kind] = Latencies()
        found.worst = max(found.worst, milliseconds)
        now = int(time.time())
        samples = found.samples
        if samples and samples[-1][0] == now:  # one a second, the worst
            samples[-1] = (now, max(samples[-1][1], milliseconds))
            return
        samples.append((now, milliseconds))
        del samples[: max(len(samples) - MAX_LATENCIES, 0)]

    def synced(self, seconds: float) -> None:
        """The log was synced."""
        if 0 < self.latency_time <= int(seconds * 1000):
            self.moment("aof-fsync-always", int(seconds * 1000))


def concealed(args: list[bytes]) -> list[bytes]:
    """A request as others may see it: without passwords."""
    name = args[0].upper()
    if name == b"AUTH":
        return [args[0], *[REDACTED] * (len(args) - 1)]
    if name == b"HELLO" and len(args) > 2:
        return [*args[:2], *[REDACTED] * (len(args) - 2)]
    secret = name == b"CONFIG" and b"REQUIREPASS" in [arg.upper() for arg in args[2:]]
    return [*args[:2], *[REDACTED] * (len(args) - 2)] if secret else args


def _in_short(args: list[bytes]) -> list[bytes]:
    """A request as the slow log keeps it."""
    kept = args
    if len(args) > SLOWLOG_ARGUMENTS:
        left = len(args) - SLOWLOG_ARGUMENTS + 1
        kept = [*args[: SLOWLOG_ARGUMENTS - 1], b"... (%d more arguments)" % left]
    return [_cut(arg) for arg in kept]


def _cut(arg: bytes) -> bytes:
    more = len(arg) - SLOWLOG_ARGUMENT
    return arg if more <= 0 else b"%s... (%d more bytes)" % (arg[:SLOWLOG_ARGUMENT], more)
