"""Entries in order, merged from everything a view holds, a page at a time.

Every source gives chunks of its entries; up to the fence, the nearest end of a chunk behind which
its source has more, newer sources overwrite older ones in a dict and the keys are sorted: both at
C speed. Invariants: a Fault leaves the scan as it was, so `page` may be called again; sources are
newest first. Called by the transaction, on the thread of truth.
"""

from __future__ import annotations

from typing import Final

from kveik.engine.cursor import TableCursor
from kveik.engine.memtable import Memtable
from kveik.engine.table import Table
from kveik.engine.view import View
from kveik.limits import MAX_COMMIT
from kveik.model import BYTES, DELETED, Cell
from kveik.native import i64

CHUNK: Final = 256  # entries that a source gives at a time, at most


class Rows:
    """What a scan found, in order, and the newest commit it looked at.

    keys: without the database's byte. values: the bytes of a plain value, a Cell for any other.
    """

    __slots__ = ("keys", "seen", "size", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[object] = []
        self.size: i64 = 0  # bytes of the values
        self.seen: i64 = 0

    def data(self, at: i64) -> bytes:
        """The bytes of a row's value."""
        value = self.values[at]
        if isinstance(value, bytes):
            return value
        assert isinstance(value, Cell)
        return value.data

    def kind(self, at: i64) -> i64:
        """The content type of a row's value."""
        value = self.values[at]
        if isinstance(value, bytes):
            return BYTES
        assert isinstance(value, Cell)
        return value.kind

    def cell(self, at: i64) -> Cell:
        """A row's value as a cell."""
        value = self.values[at]
        if isinstance(value, bytes):
            return Cell(BYTES, value)
        assert isinstance(value, Cell)
        return value


class Source:
    """A chunk of entries, of which those before `at` have been used; keys and values as in Rows."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[object] = []
        self.at: i64 = 0
        self.done = False  # there is no chunk behind this one
        self.hiding = False  # it has range tombstones

    def fill(self, count: i64) -> None:
        """The next chunk, of up to `count` entries. Fault: nothing has changed."""
        raise NotImplementedError

    def hides(self, stored: bytes) -> bool:
        """Whether a range tombstone in it hides what older sources say of a stored key."""
        return False


class MemtableSource(Source):
    def __init__(self, memtable: Memtable, low: bytes, high: bytes, reverse: bool) -> None:
        super().__init__()
        self._memtable = memtable
        self._low = low
        self._high = high
        self._reverse = reverse
        self.hiding = not memtable.clears.empty()

    def fill(self, count: i64) -> None:
        memtable = self._memtable
        stored = memtable.page(self._low, self._high, self._reverse, count)
        self.keys = [key[1:] for key in stored]
        self.values = [memtable.probe(key) for key in stored]
        self.at = 0
        self.done = len(stored) < count
        if stored and self._reverse:
            self._high = stored[-1]
        elif stored:
            self._low = stored[-1] + b"\x00"

    def hides(self, stored: bytes) -> bool:
        return self._memtable.clears.at(stored) > 0


class OwnSource(Source):
    """A transaction's own writes, given in order."""

    def __init__(
        self, keys: list[bytes], values: list[object], clears: list[tuple[bytes, bytes]]
    ) -> None:
        super().__init__()
        self.keys = keys
        self.values = values
        self.done = True
        self.hiding = len(clears) > 0
        self._clears = clears

    def hides(self, stored: bytes) -> bool:
        return any(start <= stored < stop for start, stop in self._clears)


class TableSource(Source):
    """Tables that do not overlap, in the direction of the scan."""

    def __init__(self, tables: list[Table], low: bytes, high: bytes, reverse: bool) -> None:
        super().__init__()
        self._tables = tables
        self._next: i64 = 0
        self._cursor: TableCursor | None = None
        self._low = low
        self._high = high
        self._reverse = reverse
        self.hiding = any([table.info.clears > 0 for table in tables])
        self.done = not tables

    def fill(self, count: i64) -> None:
        while True:
            cursor = self._cursor
            if cursor is None:
                table = self._tables[self._next]
                cursor = TableCursor(table, self._low, self._high, self._reverse)
                self._cursor = cursor
            more = cursor.chunk(count)
            if more:
                self.keys = cursor.keys
                self.values = cursor.values
                self.at = 0
                return
            self._cursor = None
            self._next += 1
            if self._next == len(self._tables):
                self.keys = []
                self.at = 0
                self.done = True
                return

    def hides(self, stored: bytes) -> bool:
        for table in self._tables:
            info = table.info
            if info.clears > 0 and info.low <= stored < info.high:
                return table.hidden(stored)
        return False


class Scan:
    """The live entries from low (included) to high (excluded). now: Unix milliseconds."""

    def __init__(
        self, view: View, low: bytes, high: bytes, reverse: bool, now: i64, own: Source | None
    ) -> None:
        self._view = view
        self._low = low
        self._high = high
        self._reverse = reverse
        self._now = now
        self._sources: list[Source] = [] if own is None else [own]
        for memtable in view.memtables:
            self._sources.append(MemtableSource(memtable, low, high, reverse))
        for tables in view.version.runs(low, high):
            if reverse:
                tables.reverse()
            self._sources.append(TableSource(tables, low, high, reverse))
        self.passed = low[1:]  # all keys up to this one have been looked at, live or not
        self._hiders = [source for source in self._sources if source.hiding]

    def page(self, rows: Rows, limit: i64, most: i64 = MAX_COMMIT, steps: i64 = -1) -> bool:
        """Append entries to rows until it has `limit` (< 0: all) or `most` bytes of values.

        steps: chunks of each source that are looked at, at most (< 0: all); where much has been
        deleted they may give nothing. False once there are no more. Fault: load what it asks for
        and call again, with the same rows.
        """
        for memtable in self._view.memtables:
            rows.seen = max(rows.seen, memtable.clears.newest(self._low, self._high))
        while (limit < 0 or len(rows.keys) < limit) and rows.size < most:
            if steps == 0:
                break
            steps -= 1
            if not self._step(rows, limit):
                return False
        return True

    def _step(self, rows: Rows, limit: i64) -> bool:
        left: i64 = limit - len(rows.keys)  # one more is read: whether there is one is told
        want: i64 = left + 1 if 0 <= left < CHUNK else CHUNK
        live: list[Source] = []
        for source in self._sources:
            while source.at == len(source.keys) and not source.done:
                source.fill(want)
            if source.at < len(source.keys):
                live.append(source)
        if not live:
            return False
        if len(live) == 1 and not self._hiders:
            self._take_alone(live[0], rows, limit)
        else:
            self._merge(live, rows, limit)
        return True

    def _take_alone(self, source: Source, rows: Rows, limit: i64) -> None:
        keys = source.keys
        values = source.values
        at = source.at
        stop: i64 = len(keys)
        taken: i64 = len(rows.keys)
        while at < stop and (limit < 0 or taken < limit):
            taken += self._add(rows, keys[at], values[at])
            at += 1
        source.at = at
        self.passed = keys[at - 1]

    def _merge(self, live: list[Source], rows: Rows, limit: i64) -> None:
        reverse = self._reverse
        bounded = [source.keys[-1] for source in live if not source.done]
        fence: bytes | None = None
        if bounded:
            fence = max(bounded) if reverse else min(bounded)
        merged: dict[bytes, object] = {}
        place: i64 = len(live) - 1
        while place >= 0:
            source = live[place]
            stop: i64 = len(source.keys)
            if fence is not None:
                stop = behind(source.keys, source.at, fence, reverse)
            if stop > source.at:
                self._overlay(merged, source, source.keys[source.at : stop], stop)
            place -= 1
        keys = sorted(merged, reverse=reverse)
        last = fence  # what was hidden has been looked at, too
        used: i64 = 0
        while used < len(keys):
            if limit >= 0 and len(rows.keys) == limit:
                last = keys[used - 1]
                break
            self._add(rows, keys[used], merged[keys[used]])
            used += 1
        if last is not None:
            self.passed = last
        elif keys:
            self.passed = keys[-1]
        for source in live:
            source.at = (
                len(source.keys) if last is None else behind(source.keys, source.at, last, reverse)
            )

    def _overlay(
        self, merged: dict[bytes, object], source: Source, keys: list[bytes], stop: i64
    ) -> None:
        values = source.values[source.at : stop]
        newer = self._newer_hiders(source) if self._hiders else self._hiders
        if not newer:
            merged.update(zip(keys, values, strict=True))
            return
        for at, key in enumerate(keys):
            stored = self._low[:1] + key
            if not any([hider.hides(stored) for hider in newer]):
                merged[key] = values[at]

    def _newer_hiders(self, source: Source) -> list[Source]:
        newer: list[Source] = []
        for candidate in self._sources:
            if candidate is source:
                break
            if candidate.hiding:
                newer.append(candidate)
        return newer

    def _add(self, rows: Rows, key: bytes, value: object) -> i64:
        """Add a row if it is live; how many were added."""
        if isinstance(value, bytes):
            rows.size += len(value)
        else:
            assert isinstance(value, Cell)
            if value.lsn > rows.seen:
                rows.seen = value.lsn
            if value.kind == DELETED or (value.expires != 0 and value.expires <= self._now):
                return 0
            rows.size += len(value.data)
        rows.keys.append(key)
        rows.values.append(value)
        return 1


def behind(keys: list[bytes], at: i64, fence: bytes, reverse: bool) -> i64:
    """The first place from `at` on whose key stands behind the fence."""
    low = at
    high: i64 = len(keys)
    while low < high:
        middle = (low + high) >> 1
        key = keys[middle]
        if (key < fence) if reverse else (key > fence):
            high = middle
        else:
            low = middle + 1
    return low
