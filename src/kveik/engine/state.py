"""What a directory holds, as far as its manifest says: the tables by level, and two positions.

Pure values. Invariants: level 0 stands newest first and may overlap; in every other level tables
stand by key and are disjoint; no table is there twice, and each has a number below next_table.
Called by the manifest, by the version for the order of tables, and by who looks into a directory.
"""

from __future__ import annotations

from itertools import pairwise

from kveik.format.edit import Edit
from kveik.format.table import TableInfo
from kveik.limits import LEVELS
from kveik.native import i64


class State:
    """log: the first log segment still needed; lsn: the last commit that is in tables."""

    __slots__ = ("levels", "log", "lsn", "next_table")

    def __init__(
        self, levels: list[list[TableInfo]], log: i64 = 1, lsn: i64 = 0, next_table: i64 = 1
    ) -> None:
        self.levels = levels
        self.log = log
        self.lsn = lsn
        self.next_table = next_table

    def after(self, edit: Edit) -> State:
        """The state that an edit makes of this one; ValueError if it does not fit."""
        after = State(
            [],
            _forward("log", self.log, edit.log),
            _forward("lsn", self.lsn, edit.lsn),
            max(self.next_table, edit.next_table),  # two jobs may end in either order
        )
        removed = set(edit.removed)
        numbers = {info.number for level in self.levels for info in level}
        if not removed <= numbers:
            raise ValueError(f"table {min(removed - numbers)} is removed and was not there")
        numbers -= removed
        for _, info in edit.added:
            if info.number in numbers:
                raise ValueError(f"table {info.number} is added twice")
            if info.number >= after.next_table:
                raise ValueError(f"table {info.number} is not below {after.next_table}, the next")
            numbers.add(info.number)
        after.levels = [arranged(number, tables, edit) for number, tables in enumerate(self.levels)]
        return after

    def full(self) -> Edit:
        """The edit that makes this state of an empty one."""
        added = [(number, info) for number, level in enumerate(self.levels) for info in level]
        return Edit(added, [], self.log, self.lsn, self.next_table)


def empty_levels() -> list[list[TableInfo]]:
    return [[] for _ in range(LEVELS)]


def arranged(number: int, level: list[TableInfo], edit: Edit) -> list[TableInfo]:
    """A level after an edit, the same list where it changes nothing; ValueError at an overlap."""
    added = [info for target, info in edit.added if target == number]
    removed = set(edit.removed)
    left = [info for info in level if info.number not in removed] if removed else level
    if not added:
        return level if len(left) == len(level) else left
    if number == 0:
        at = _first_gone(level, left)
        return left[:at] + added + left[at:]
    tables = sorted(left + added, key=_low)
    for before, behind in pairwise(tables):
        if before.high > behind.low:
            what = f"tables {before.number} and {behind.number} of level {number} overlap"
            raise ValueError(what)
    return tables


def _first_gone(level: list[TableInfo], left: list[TableInfo]) -> i64:
    """Where the newest of the tables stood that are gone; 0 where none is."""
    if len(left) < len(level):
        for at, (before, behind) in enumerate(zip(level, left, strict=False)):
            if before is not behind:
                return at
        return len(left)
    return 0


def _low(info: TableInfo) -> bytes:
    return info.low


def _forward(name: str, before: i64, behind: i64) -> i64:
    """The new value of a number that never goes back; 0 leaves it."""
    if behind == 0:
        return before
    if behind < before:
        raise ValueError(f"{name} goes back from {before} to {behind}")
    return behind
