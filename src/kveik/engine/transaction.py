"""What a command sees: the database at one instant, and its own writes on top.

Invariants: nothing changes before the host commits `writes`; `seen` is the newest commit that any
answer given here shows, so the gate knows what must be safe before a reply may leave. Reads are
synchronous: where a block is not in memory they raise Fault, and whoever runs the command loads it,
hands it over with `hold` and runs the command again from the start (`again`). A transaction is used
again (`begin`) and belongs to one thread.
"""

from __future__ import annotations

from typing import Final

from kveik.engine.cache import Cached
from kveik.engine.notices import Event, Notices
from kveik.engine.sample import sample
from kveik.engine.scan import OwnSource, Rows, Scan
from kveik.engine.snapshot import Snapshot
from kveik.engine.store import Store
from kveik.engine.view import Viewpoint
from kveik.errors import LimitError
from kveik.limits import (
    DATABASES,
    MAX_COMMIT,
    MAX_KEY,
    MAX_VALUE,
)
from kveik.model import CLEARED, DELETED, Cell, Writes
from kveik.native import i64

PREFIXES: Final = [bytes((number,)) for number in range(DATABASES + 1)]


def unpin(held: list[Cached]) -> None:
    """The command that needed these blocks is done, or will never be."""
    for item in held:
        item.pins -= 1


class Transaction:
    def __init__(self, point: Viewpoint, notices: Notices | None = None) -> None:
        self._point = point
        self.notices = notices or Notices()
        self._prefix = PREFIXES[0]
        self._now: i64 = 0
        self._overlay: dict[bytes, Cell] = {}
        self._clears: list[tuple[bytes, bytes]] = []
        self.database: i64 = 0
        self.seen: i64 = 0
        self.writes = Writes()
        self._indexed: i64 = 0  # writes that the overlay knows
        self._mark: i64 = 0  # where a savepoint is: writes, and events told
        self._mark_events: i64 = 0
        self._held: list[Cached] = []

    def begin(self, database: i64) -> None:
        """Forget everything and start on a numbered database."""
        if self._held:
            self.end()
        self.again(database)

    def end(self) -> None:
        """Nothing that was loaded for it need be kept."""
        unpin(self.held())

    def again(self, database: i64) -> None:
        """As begin, but what was loaded for this command stays in memory."""
        self.select(database)
        self._now = 0
        self.seen = 0
        if self.notices.on:
            self.notices.forget()
        if self.writes.count > 0:
            self.writes.reset()
            if self._indexed > 0:
                self._overlay = {}
                self._clears = []
                self._indexed = 0

    def select(self, database: i64) -> None:
        """Go on in another database; what was written stays written."""
        if database != self.database:
            self.database = database
            self._prefix = PREFIXES[database]

    def save(self) -> None:
        """A savepoint, in place of the last one."""
        self._mark = self.writes.count
        self._mark_events = len(self.notices.events)

    def roll_back(self) -> None:
        """Undo what was written, and told, since the savepoint."""
        if self.writes.count > self._mark:
            self.writes.count = self._mark
            if self._indexed > self._mark:
                self._overlay = {}
                self._clears = []
                self._indexed = 0
        del self.notices.events[self._mark_events :]

    def tell(self, event: bytes, key: bytes, database: i64 = -1) -> None:
        """Tell whoever listens what happens to a key, named as Redis names it.

        database: where that is not the selected one.
        """
        if self.notices.on:
            where = self.database if database < 0 else database
            self.notices.events.append(Event(where, event, key))

    def hold(self, pinned: list[Cached]) -> None:
        """Keep what a fault has pinned until the command has been run; it may need much."""
        self._held += pinned

    def held(self) -> list[Cached]:
        """Hand over what is held, for a command that is put aside."""
        held = self._held
        self._held = []
        return held

    def adopt(self, held: list[Cached]) -> None:
        """Take back what `held` gave."""
        self._held = held

    def dirty(self) -> bool:
        """Whether there is anything to commit."""
        return self.writes.count > 0

    def now(self) -> i64:
        """Unix milliseconds; the same all through the transaction."""
        if self._now == 0:
            self._now = self._point.now()
        return self._now

    def get(self, key: bytes) -> Cell | None:
        """The live cell of a key, None if there is none (or it has expired)."""
        stored = self._prefix + key
        if self.writes.count > 0:
            self._index_writes()
            mine = self._overlay.get(stored)
            if mine is not None:
                return None if mine.kind == DELETED or self._expired(mine) else mine
            if self._cleared(stored):
                return None
        cell = self._point.view.get(stored)
        if cell is None:
            return None
        if cell.lsn > self.seen:
            self.seen = cell.lsn
        if cell.kind == DELETED:
            return None
        if cell.expires != 0 and self._expired(cell):
            if self.notices.expired_on:
                self.notices.expired[stored] = None
            return None
        return cell

    def data(self, key: bytes) -> bytes | None:
        """The bytes of a key's value, None if there is none: `get` for who needs no more."""
        if self.writes.count == 0:
            plain = self._point.view.plain(self._prefix + key)
            if plain is not None:
                return plain
        cell = self.get(key)
        return None if cell is None else cell.data

    def _expired(self, cell: Cell) -> bool:
        return cell.expires != 0 and cell.expires <= self.now()

    def _cleared(self, stored: bytes) -> bool:
        return any(start <= stored < stop for start, stop in self._clears)

    def put(self, key: bytes, kind: i64, data: bytes, expires: i64 = 0) -> None:
        """Write a value; expires in Unix milliseconds, 0 for never. LimitError past the bounds."""
        size = len(key)
        if size == 0 or size > MAX_KEY:
            raise LimitError(f"a key has 1 to {MAX_KEY} bytes, not {size}")
        if len(data) > MAX_VALUE:
            raise LimitError(f"a value has at most {MAX_VALUE} bytes, not {len(data)}")
        self.writes.put(self._prefix + key, Cell(kind, data, expires))

    def delete(self, key: bytes) -> bool:
        """Delete a key; False, and nothing written, if it has no value."""
        if self.get(key) is None:
            return False
        self.writes.delete(self._prefix + key)
        return True

    def _index_writes(self) -> None:
        """Bring the overlay, which only a read after a write needs, up to date."""
        writes = self.writes
        while self._indexed < writes.count:
            key = writes.keys[self._indexed]
            cell = writes.cells[self._indexed]
            if cell.kind == CLEARED:
                self._clears.append((key, cell.data))
                self._overlay = {k: c for k, c in self._overlay.items() if not key <= k < cell.data}
            else:
                self._overlay[key] = cell
            self._indexed += 1

    def clear(self, all_databases: bool) -> None:
        """Delete everything in this database, or in all."""
        start = PREFIXES[0] if all_databases else self._prefix
        stop = PREFIXES[DATABASES] if all_databases else PREFIXES[self.database + 1]
        self.writes.clear(start, stop)

    def clear_range(self, start: bytes, stop: bytes | None) -> None:
        """Delete every key from start (included) to stop (excluded; None: the end)."""
        high = PREFIXES[self.database + 1] if stop is None else self._prefix + stop
        self.writes.clear(self._prefix + start, high)

    def sample(self, number: i64) -> bytes | None:
        """A key, live or not, that a large number leads to; None if the database is empty."""
        low = self._prefix
        high = PREFIXES[self.database + 1]
        key = sample(self._point.view, low, high, number)
        if key is None:
            return None
        return key[1:] if low <= key < high else b""

    def count(self) -> int:
        """How many keys this database holds; -1 where only a walk through them can tell."""
        view = self._point.view
        if self.dirty() or len(view.memtables) > 1 or not view.version.empty:
            return -1
        self.seen = self._point.lsn()
        return self._point.active.live(self.database)

    def noted(self) -> i64:
        """How many keys a range has to put in their places before it is read."""
        count: i64 = 0
        for memtable in self._point.view.memtables:
            count += memtable.noted()
        return count

    def snapshot(self) -> Snapshot:
        """This instant, kept until it is let go of. One's own writes are not in it."""
        point = self._point
        if isinstance(point, Snapshot):
            return point.again()
        assert isinstance(point, Store)
        return point.snapshot()

    def scan(
        self, start: bytes, stop: bytes | None, reverse: bool = False, limit: i64 = -1
    ) -> Rows:
        """The live entries from start (included) to stop (excluded; None: the end), in order.

        limit < 0 means all. LimitError if it is too much for one answer.
        """
        rows = Rows()
        more = self.scanner(start, stop, reverse).page(rows, limit)
        self.seen = max(self.seen, rows.seen)
        if more and rows.size >= MAX_COMMIT and (limit < 0 or len(rows.keys) < limit):
            raise LimitError(f"a range has more than {MAX_COMMIT} bytes of values: read less of it")
        return rows

    def scanner(self, start: bytes, stop: bytes | None, reverse: bool = False) -> Scan:
        """As scan, for who reads page by page."""
        low = self._prefix + start
        high = PREFIXES[self.database + 1] if stop is None else self._prefix + stop
        return Scan(self._point.view, low, high, reverse, self.now(), self._own(low, high, reverse))

    def _own(self, low: bytes, high: bytes, reverse: bool) -> OwnSource | None:
        if not self.dirty():
            return None
        self._index_writes()
        stored = sorted([key for key in self._overlay if low <= key < high], reverse=reverse)
        values: list[object] = [self._overlay[key] for key in stored]
        return OwnSource([key[1:] for key in stored], values, self._clears)
