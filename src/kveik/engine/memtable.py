"""The newest version of every key written since the last table: a dict, and its keys in order.

Invariants: a cell is never changed once it is in; a tombstone stays, so that its LSN is known;
`_clears` holds the range tombstones, oldest first; an LSN is known for as long as somebody may wait
for it to be safe. Called by the store and the transaction, on the thread of truth.
"""

from __future__ import annotations

from kveik.engine.index import KeyIndex
from kveik.limits import DATABASES
from kveik.model import BYTES, CLEARED, DELETED, Cell, Writes
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
        # Cells; but a plain value (bytes that never expire) that is safe stands as its bytes
        # alone: one object less to fetch from memory for each read of it.
        self._values: dict[bytes, object] = {}
        self._shed_keys: list[bytes] = []  # plain values that are not safe yet, in commit order
        self._shed_cells: list[Cell] = []
        self._index = KeyIndex()
        self._clears: list[Clear] = []
        self._live: list[int] = [0] * DATABASES
        self._tombstones: i64 = 0

    def get(self, key: bytes) -> Cell | None:
        """The newest cell of a key, also a tombstone or an expired one; LSN 0 if long safe."""
        value = self._values.get(key)
        if isinstance(value, bytes):
            return Cell(BYTES, value)
        assert value is None or isinstance(value, Cell)
        return value

    def plain(self, key: bytes) -> bytes | None:
        """The value of a key if it is plain and long safe; None says nothing, ask `get`."""
        value = self._values.get(key)
        return value if isinstance(value, bytes) else None

    def settle(self, safe: i64) -> None:
        """Nobody waits any more for commits up to `safe`: plain values shed their cells."""
        keys = self._shed_keys
        cells = self._shed_cells
        values = self._values
        at: i64 = 0
        while at < len(cells) and cells[at].lsn <= safe:
            cell = cells[at]
            if values.get(keys[at]) is cell:
                values[keys[at]] = cell.data
            at += 1
        del keys[:at]
        del cells[:at]

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
        at: i64 = 0
        while at < writes.count:
            cell = cells[at]
            if cell.kind == CLEARED:
                self._clear(keys[at], cell.data, lsn, safe)
            elif cell.kind != BYTES or cell.expires != 0:
                cell.lsn = lsn
                self._put(keys[at], cell, cell.kind == DELETED)
            elif lsn <= safe:
                self._put(keys[at], cell.data, False)
            else:
                cell.lsn = lsn
                self._put(keys[at], cell, False)
                self._shed_keys.append(keys[at])
                self._shed_cells.append(cell)
            at += 1

    def _put(self, key: bytes, value: object, deleted: bool) -> None:
        values = self._values
        if not deleted and self._tombstones == 0:  # no need to know what was there
            count: i64 = len(values)
            values[key] = value
            if len(values) > count:
                self._index.note(key)
                self._live[key[0]] += 1
            return
        old = values.get(key)
        values[key] = value
        was_deleted = _is_tombstone(old)
        self._tombstones += deleted - was_deleted
        if old is None:
            self._index.note(key)
            self._live[key[0]] += not deleted
        else:
            self._live[key[0]] += was_deleted - deleted

    def _clear(self, start: bytes, stop: bytes, lsn: i64, safe: i64) -> None:
        for key in self._index.remove(start, stop):
            if _is_tombstone(self._values.pop(key)):
                self._tombstones -= 1
            else:
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
        for key in page:
            cell = self.get(key)
            assert cell is not None
            if cell.lsn > rows.seen:
                rows.seen = cell.lsn
            if cell.kind != DELETED and (cell.expires == 0 or cell.expires > now):
                rows.keys.append(key)
                rows.cells.append(cell)


def _is_tombstone(value: object) -> bool:
    return isinstance(value, Cell) and value.kind == DELETED
