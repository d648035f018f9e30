"""What a reader reads at one instant: memtables, newest first, over a version of the tables.

Invariants: sources are asked newest first, and the first that knows a key, or hides it by a range
tombstone, has the answer; a view keeps its version's files alive until it is released. Called by
the store and the transaction, on the thread of truth.
"""

from __future__ import annotations

from kveik.engine.memtable import Memtable
from kveik.engine.rows import RowCache
from kveik.engine.table import UNKNOWN, Fault, Hit, Table
from kveik.engine.version import Version
from kveik.format.entry import TOMBSTONE
from kveik.format.filter import hash_key
from kveik.model import BYTES, DELETED, Cell
from kveik.native import i64


class View:
    def __init__(
        self, memtables: list[Memtable], version: Version, hit: Hit, rows: RowCache | None = None
    ) -> None:
        """hit: where searches leave what they found; it counts them. rows: of the live view."""
        self.memtables = memtables
        self.version = version
        self.hit = hit
        self._rows = rows
        self.absent = False
        version.acquire()

    def release(self) -> None:
        """Nobody reads it any more."""
        self.version.release()

    def get(self, key: bytes) -> Cell | None:
        """The newest cell of a stored key, a tombstone's too; None if nobody knows it. Fault."""
        for memtable in self.memtables:
            cell = memtable.get(key)
            if cell is not None:
                return cell
            if not memtable.clears.empty():
                lsn: i64 = memtable.clears.at(key)
                if lsn > 0:
                    return Cell(DELETED, b"", 0, lsn)
        if self.version.empty:
            return None
        rows = self._rows
        return self._from_tables(key) if rows is None else self._from_rows(key, rows)

    def _from_rows(self, key: bytes, rows: RowCache) -> Cell | None:
        for layer in rows.layers:
            cell = layer.get(key)
            if cell is not None:
                return cell
            if not layer.clears.empty() and layer.clears.at(key) > 0:
                return None
        cell = self._from_tables(key)
        if cell is not None:
            rows.add(key, cell)
        return cell

    def plain(self, key: bytes) -> bytes | None:
        """The value of a stored key if it is plain, safe and in memory.

        None says nothing, but where `absent` is set: then the key has no value, and that is safe.
        """
        self.absent = False
        for memtable in self.memtables:
            if memtable.lsn == 0:
                continue  # nothing is in it: its lookup is saved
            value = memtable.probe(key)
            if value is not None:
                return value if isinstance(value, bytes) else None
            if not memtable.clears.empty():
                return None
        rows = self._rows
        if rows is not None:
            for layer in rows.layers:
                value = layer.probe(key)
                if value is not None:
                    return value if isinstance(value, bytes) else None
                if not layer.clears.empty():
                    return None
        return self._plain_in_tables(key, rows)

    def plain_run(self, keys: list[bytes], most: i64) -> list[bytes | None]:
        """The values of stored keys, None for those that have none, up to the first that is not
        plain, safe and in memory, or until they have so many bytes.

        In one loop, so that the processor fetches the next while it waits for one.
        """
        found: list[bytes | None] = []
        for key in keys:
            value = self.plain(key)
            if value is not None:
                most -= len(value)
            elif not self.absent:
                break
            found.append(value)
            if most < 0:
                break
        return found

    def _plain_in_tables(self, key: bytes, rows: RowCache | None) -> bytes | None:
        hit = self.hit
        missed = hit.missed
        try:
            known = not self.version.empty and self._in_tables(key)
        except Fault:
            hit.missed = missed  # `get` will ask for what is missing, and count it
            return None
        kind: i64 = hit.data[hit.start] if known else DELETED
        self.absent = kind == DELETED
        if kind != BYTES:
            return None
        data = hit.data[hit.start + 1 : hit.end]
        if rows is not None:
            rows.add(key, Cell(BYTES, data))
        return data

    def _from_tables(self, key: bytes) -> Cell | None:
        return self.hit.cell() if self._in_tables(key) else None

    def _in_tables(self, key: bytes) -> bool:
        """Whether a table knows a key; `hit` says where. Fault."""
        found = self._search(key)
        self.hit.searches += 1  # one that a Fault broke off is done again, and is no other one
        return found

    def _search(self, key: bytes) -> bool:
        version = self.version
        hashed: i64 = UNKNOWN
        if not version.single:
            hashed = hash_key(key)
        for table in version.levels[0]:
            info = table.info
            if info.low <= key < info.high and self._knows(table, key, hashed):
                return True
        for level in version.sorted_levels:
            candidate = level.table_at(key)
            if candidate is not None and self._knows(candidate, key, hashed):
                return True
        return False

    def most_keys(self, database: int) -> int:
        """No database has more keys than this."""
        count = sum([memtable.live(database) for memtable in self.memtables])
        for level in self.version.levels:
            count += sum([entries(table, database) for table in level])
        return count

    def likely_keys(self, database: int) -> int:
        """About how many keys a database has: all of the deeper levels', if the rest overwrites."""
        likely = [memtable.live(database) for memtable in self.memtables]
        likely += [entries(table, database) for table in self.version.levels[0]]
        deeper = 0
        for level in self.version.levels[1:]:
            deeper += sum([entries(table, database) for table in level])
        return max(deeper, *likely)

    def _knows(self, table: Table, key: bytes, hashed: i64) -> bool:
        """Whether a table has the answer, which then is in `hit`."""
        hit = self.hit
        if table.find(key, hashed, hit):
            return True
        if table.info.clears > 0 and table.hidden(key):
            hit.data = TOMBSTONE
            hit.start = 0
            hit.end = 1
            return True
        return False


def entries(table: Table, database: int) -> int:
    """How many entries of a database a table may have; the same for each that it reaches."""
    info = table.info
    first = info.low[0]
    last = info.high[0] if len(info.high) > 1 else info.high[0] - 1
    return info.entries // (last - first + 1) if first <= database <= last else 0


class Viewpoint:
    """Where a transaction stands: a view, its newest memtable, and a clock."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.active = view.memtables[0]

    def now(self) -> i64:
        """Unix milliseconds."""
        raise NotImplementedError

    def lsn(self) -> i64:
        """The last commit."""
        raise NotImplementedError
