"""Which tables there are, at one instant: the levels, for readers.

Invariants: a version never changes; a table lives as long as a version that names it is held by
somebody, and is then in the graveyard, whose keeper removes its file: no version names it any more,
so the manifest does not either. Called by views and upkeep, on the thread of truth.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from kveik.disk.api import Disk
from kveik.engine.cache import Cache
from kveik.engine.files import TableFiles
from kveik.engine.state import State, arranged
from kveik.engine.table import Table
from kveik.format.block import Block
from kveik.format.block_writer import BlockWriter
from kveik.format.edit import Edit
from kveik.format.table import TableInfo
from kveik.native import i64

FEW: Final = 4  # tables more than one, which are compared one by one


class Level:
    """Tables that do not overlap, in order."""

    def __init__(self, tables: list[Table]) -> None:
        self.tables = tables
        self._lows = [table.info.low for table in tables]
        index = BlockWriter()
        for table in tables:
            index.add(table.info.high, b"")
        self._highs = Block(b"".join(index.finish()))

    def table_at(self, key: bytes) -> Table | None:
        """The table that has a key if any of them has; its root is asked for the rest."""
        tables = self.tables
        last: i64 = len(tables) - 1
        at: i64 = 0
        if last < FEW:
            while at < last and key >= tables[at].info.high:
                at += 1
        else:
            at = self._highs.upper_bound(key)
        return tables[at] if at <= last else None

    def run(self, low: bytes, high: bytes) -> list[Table]:
        """The tables that may have keys from low to high (excluded)."""
        at: i64 = max(bisect_right(self._lows, low) - 1, 0)
        found: list[Table] = []
        while at < len(self.tables) and self._lows[at] < high:
            if self.tables[at].info.high > low:
                found.append(self.tables[at])
            at += 1
        return found


class Graveyard:
    """Tables that no version names any more."""

    def __init__(self) -> None:
        self._tables: list[Table] = []

    def add(self, table: Table) -> None:
        self._tables.append(table)

    def clear(self, cache: Cache) -> list[str]:
        """Forget them; the names of their files, which may be removed."""
        tables = self._tables
        self._tables = []
        for table in tables:
            table.forget(cache)
        return [table.name for table in tables]


class Version:
    def __init__(self, files: TableFiles, graveyard: Graveyard, levels: list[list[Table]]) -> None:
        """levels: level 0 newest first; every other one by key, without overlaps."""
        self.levels = levels
        self.graveyard = graveyard
        self._files = files
        self.sorted_levels = [Level(tables) for tables in levels[1:] if tables]
        self.empty = not levels[0] and not self.sorted_levels
        self.single = not levels[0] and len(self.sorted_levels) == 1  # at most one table has a key
        self._holders: i64 = 0
        for tables in levels:
            for table in tables:
                table.versions += 1

    def acquire(self) -> None:
        self._holders += 1

    def release(self) -> None:
        """One holder less; the last one gives its tables up."""
        self._holders -= 1
        if self._holders > 0:
            return
        for tables in self.levels:
            for table in tables:
                table.versions -= 1
                if table.versions == 0:
                    self.graveyard.add(table)

    def close(self) -> None:
        """Let go of all files, also those of other versions: nobody reads any more."""
        self._files.close()

    def runs(self, low: bytes, high: bytes) -> list[list[Table]]:
        """The sources of a range, newest first: lists of tables that do not overlap, in order."""
        level0 = self.levels[0]
        runs = [[table] for table in level0 if table.info.low < high and low < table.info.high]
        for level in self.sorted_levels:
            run = level.run(low, high)
            if run:
                runs.append(run)
        return runs

    def infos(self) -> list[list[TableInfo]]:
        """What the picker looks at."""
        return [[table.info for table in tables] for tables in self.levels]

    def known_clears(self) -> dict[int, list[tuple[bytes, bytes]]]:
        """The range tombstones of tables that have some and were read already, by table number."""
        known: dict[int, list[tuple[bytes, bytes]]] = {}
        for tables in self.levels:
            for table in tables:
                root = table.root
                if table.info.clears > 0 and root is not None:
                    known[table.info.number] = list(zip(root.starts, root.stops, strict=True))
        return known

    def apply(self, edit: Edit) -> Version:
        """The version that an edit makes of this one."""
        known = {table.info.number: table for tables in self.levels for table in tables}
        levels: list[list[Table]] = []
        for number, tables in enumerate(self.levels):
            infos = arranged(number, [table.info for table in tables], edit)
            levels.append([known.get(info.number) or Table(self._files, info) for info in infos])
        return Version(self._files, self.graveyard, levels)


def first_version(disk: Disk, state: State) -> Version:
    """The version that a manifest tells of."""
    files = TableFiles(disk)
    levels = [[Table(files, info) for info in level] for level in state.levels]
    return Version(files, Graveyard(), levels)
