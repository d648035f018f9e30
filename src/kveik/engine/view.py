"""What a reader reads at one instant: memtables, newest first, over a version of the tables.

Invariants: sources are asked newest first, and the first that knows a key, or hides it by a range
tombstone, has the answer; a view keeps its version's files alive until it is released. Called by
the store and the transaction, on the thread of truth.
"""

from __future__ import annotations

from kveik.engine.memtable import Memtable
from kveik.engine.table import Hit, Table
from kveik.engine.version import Version
from kveik.format.entry import TOMBSTONE
from kveik.format.filter import hash_key
from kveik.model import DELETED, Cell
from kveik.native import i64


class View:
    def __init__(self, memtables: list[Memtable], version: Version) -> None:
        self.memtables = memtables
        self.version = version
        self._hit = Hit()
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
        return None if self.version.empty else self._from_tables(key)

    def _from_tables(self, key: bytes) -> Cell | None:
        version = self.version
        hashed = hash_key(key)
        for table in version.levels[0]:
            info = table.info
            if info.low <= key < info.high and self._knows(table, key, hashed):
                return self._hit.cell()
        for level in version.sorted_levels:
            candidate = level.table_at(key)
            if candidate is not None and self._knows(candidate, key, hashed):
                return self._hit.cell()
        return None

    def _knows(self, table: Table, key: bytes, hashed: i64) -> bool:
        """Whether a table has the answer, which then is in `_hit`."""
        hit = self._hit
        if table.find(key, hashed, hit):
            return True
        if table.info.clears > 0 and table.hidden(key):
            hit.data = TOMBSTONE
            hit.start = 0
            hit.end = 1
            return True
        return False


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
