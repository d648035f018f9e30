"""The newest version of every key written since the last table: a dict, and its keys in order.

Invariants: a cell is never changed once it is in; a tombstone stays, so that its LSN is known;
`clears` holds the range tombstones, oldest first. Called by the store; one thread writes, any
thread may call `get`.
"""

from __future__ import annotations

from kveik.engine.index import KeyIndex
from kveik.limits import DATABASES
from kveik.model import CLEARED, DELETED, Cell, Writes
from kveik.native import i64

PAGE = 256  # keys looked at at a time by a scan
MAX_CLEARS = 64  # range tombstones kept before those that nobody waits for are dropped


class Clear:
    """A range tombstone: keys from start (included) to stop (excluded) were deleted at lsn."""

    __slots__ = ("lsn", "start", "stop")

    def __init__(self, start: bytes, stop: bytes, lsn: i64) -> None:
        self.start = start
        self.stop = stop
        self.lsn = lsn


class Rows:
    """What a scan found, in order: keys with their cells, and the newest commit it looked at."""

    __slots__ = ("cells", "keys", "seen")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.cells: list[Cell] = []
        self.seen: i64 = 0


class Memtable:
    def __init__(self) -> None:
        self._cells: dict[bytes, Cell] = {}
        self._index = KeyIndex()
        self._clears: list[Clear] = []
        self._live: list[int] = [0] * DATABASES

    def get(self, key: bytes) -> Cell | None:
        """The newest cell of a key, also a tombstone or an expired one."""
        return self._cells.get(key)

    def cleared_at(self, key: bytes) -> i64:
        """The LSN of the newest range tombstone over a key that has no cell; 0 for none."""
        lsn: i64 = 0
        for clear in self._clears:
            if clear.start <= key < clear.stop:
                lsn = clear.lsn
        return lsn

    def has_clears(self) -> bool:
        return len(self._clears) > 0

    def live(self, database: i64) -> int:
        """How many keys of a database have a value, expired ones that nobody looked at included."""
        return self._live[database]

    def apply(self, writes: Writes, lsn: i64, safe: i64) -> None:
        """Put the cells of one commit in; safe: the LSN up to which nobody waits for a sync."""
        keys = writes.keys
        cells = writes.cells
        count: i64 = len(keys)
        at: i64 = 0
        while at < count:
            cell = cells[at]
            cell.lsn = lsn
            if cell.kind == CLEARED:
                self._clear(keys[at], cell.data, lsn, safe)
            else:
                self._put(keys[at], cell)
            at += 1

    def _put(self, key: bytes, cell: Cell) -> None:
        old = self._cells.get(key)
        self._cells[key] = cell
        if old is None:
            self._index.note(key)
            if cell.kind != DELETED:
                self._live[key[0]] += 1
        elif (old.kind == DELETED) != (cell.kind == DELETED):
            self._live[key[0]] += -1 if cell.kind == DELETED else 1

    def _clear(self, start: bytes, stop: bytes, lsn: i64, safe: i64) -> None:
        for key in self._index.remove(start, stop):
            if self._cells.pop(key).kind != DELETED:
                self._live[key[0]] -= 1
        covered = [c for c in self._clears if not (start <= c.start and c.stop <= stop)]
        if len(covered) >= MAX_CLEARS:
            covered = [clear for clear in covered if clear.lsn > safe]
        covered.append(Clear(start, stop, lsn))
        self._clears = covered

    def scan(self, start: bytes, stop: bytes, reverse: bool, limit: i64, now: i64) -> Rows:
        """The live entries from start (included) to stop (excluded); limit < 0 means all."""
        rows = Rows()
        for clear in self._clears:
            if clear.start < stop and start < clear.stop:
                rows.seen = max(rows.seen, clear.lsn)
        while start < stop and (limit < 0 or len(rows.keys) < limit):
            want: i64 = PAGE if limit < 0 else min(limit - len(rows.keys), PAGE)
            if reverse:
                page = self._index.page_back(start, stop, want)
            else:
                page = self._index.page(start, stop, want)
            if not page:
                break
            self._collect(page, rows, now)
            if reverse:
                stop = page[-1]
            else:
                start = page[-1] + b"\x00"
        return rows

    def _collect(self, page: list[bytes], rows: Rows, now: i64) -> None:
        cells = self._cells
        for key in page:
            cell = cells[key]
            if cell.lsn > rows.seen:
                rows.seen = cell.lsn
            if cell.kind != DELETED and (cell.expires == 0 or cell.expires > now):
                rows.keys.append(key)
                rows.cells.append(cell)
