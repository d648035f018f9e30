"""Versions: which tables hold the data at one moment, and since when nobody needs a table any more.

A Version never changes, so whoever acquired one reads the same data until it is released.
Invariants: a table is in use as long as a version that is held has it, or the current one; after
that it is in `garbage`, once. No I/O here: the owner forgets the blocks of garbage and removes its
files. Called on the thread of truth only.
"""

from __future__ import annotations

from bisect import bisect_right

from kveik.engine.levels import Levels
from kveik.engine.state import arranged
from kveik.engine.table import Table
from kveik.format.edit import Edit
from kveik.native import i64


class Version:
    """levels: of tables; level 0 the newest first, the others by key and disjoint."""

    __slots__ = ("_highs", "_versions", "holders", "levels", "number")

    def __init__(self, levels: list[list[Table]], versions: Versions, number: i64) -> None:
        self.levels = levels
        self.number = number  # each version has one more than the one before
        self.holders: i64 = 0
        self._versions = versions
        self._highs = [[table.info.high for table in level] for level in levels]

    def infos(self) -> Levels:
        """What the picker asks for."""
        return [[table.info for table in level] for level in self.levels]

    def find(self, level: i64, key: bytes) -> Table | None:
        """The one table of a level from 1 on that may have the key."""
        tables = self.levels[level]
        at = bisect_right(self._highs[level], key)
        if at < len(tables):
            table = tables[at]
            if table.info.low <= key:
                return table
        return None

    def overlapping(self, level: i64, start: bytes, stop: bytes | None) -> list[Table]:
        """The tables of a level that may have keys from start on and before stop; None: no end."""
        tables = self.levels[level]
        if level > 0:
            tables = tables[bisect_right(self._highs[level], start) :]
        found: list[Table] = []
        for table in tables:
            info = table.info
            if stop is not None and info.low >= stop:
                if level > 0:
                    break
            elif info.high > start:
                found.append(table)
        return found

    def apply(self, edit: Edit, tables: list[Table]) -> Version:
        """The version after an edit; tables: those that it adds and that were not there before."""
        by_number = {table.info.number: table for level in self.levels for table in level}
        for table in tables:
            by_number[table.info.number] = table
        levels: list[list[Table]] = []
        for number, level in enumerate(self.levels):
            before = [table.info for table in level]
            after = arranged(number, before, edit)
            levels.append(level if after is before else [by_number[info.number] for info in after])
        return Version(levels, self._versions, self.number + 1)

    def acquire(self) -> None:
        """Hold on to it, once more."""
        self.holders += 1

    def release(self) -> None:
        """The reverse of acquire, once for each."""
        assert self.holders > 0
        self.holders -= 1
        if self.holders == 0:
            self._versions.let_go(self)


class Versions:
    """current: the newest version. garbage: tables that nobody can reach any more."""

    __slots__ = ("_births", "_gone", "_held", "current", "garbage")

    def __init__(self, levels: list[list[Table]]) -> None:
        self.current = Version(levels, self, 1)
        self.garbage: list[Table] = []
        self._held = [self.current]  # versions that somebody holds; the owner holds the current
        self._births: dict[int, int] = {}  # table number -> first version with it, if not the first
        self._gone: list[tuple[Table, int]] = []  # table, and the first version without it
        self.current.acquire()

    def install(self, edit: Edit, tables: list[Table]) -> Version:
        """Make the version after an edit the current one. A table that moves keeps its object."""
        before = self.current
        after = before.apply(edit, tables)
        added = {info.number for _, info in edit.added}
        removed = set(edit.removed) - added
        for table in tables:
            self._births[table.info.number] = after.number
        for level in before.levels:
            self._gone += [(table, after.number) for table in level if table.info.number in removed]
        self.current = after
        self._held.append(after)
        after.acquire()
        before.release()
        return after

    def let_go(self, version: Version) -> None:
        """Nobody holds this version any more. Called by the version."""
        self._held = [held for held in self._held if held is not version]
        waiting: list[tuple[Table, int]] = []
        for table, death in self._gone:
            birth = self._births.get(table.info.number, 0)
            if any(birth <= held.number < death for held in self._held):
                waiting.append((table, death))
            else:
                self._births.pop(table.info.number, None)
                self.garbage.append(table)
        self._gone = waiting

    def take_garbage(self) -> list[Table]:
        """The garbage, which is the caller's from now on."""
        taken, self.garbage = self.garbage, []
        return taken

    def held(self) -> int:
        """How many versions somebody reads, besides the current one."""
        return len(self._held) - 1
