"""The newest version of every key that was written in a part of the log: a dict, keys in order.

Invariants: a cell is never changed once it is in; a tombstone stays, as it hides what older sources
hold; what a range tombstone hides is not in the dict; an LSN is known for as long as somebody may
wait for it to be safe. One that is not the newest is frozen: nothing but `settle` changes it.
Plain values that are put are late: they are put in together, before anybody looks.
Called by the store and its readers, on the thread of truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from kveik.engine.clears import Clears
from kveik.engine.index import KeyIndex
from kveik.engine.unsynced import Unsynced
from kveik.limits import DATABASES, MAX_SPAN
from kveik.model import BYTES, CLEARED, DELETED, Cell, Writes
from kveik.native import i64

TOGETHER: Final = 64  # plain values; what stands for so many keys has room in the nearest cache
MAX_LATE: Final = 16384  # bytes of a value that may be late
NOTHING: Final[dict[bytes, object]] = {}  # a key that was looked up here knows its hash


class Memtable:
    def __init__(self, segment: i64) -> None:
        """segment: the number of the first log segment that it stands for."""
        self.segment: i64 = segment
        self.last_segment: i64 = segment
        self.lsn: i64 = 0  # the last commit in it
        self.logged: i64 = 0  # bytes of the log that it stands for; whoever logs them counts them
        self._written: i64 = 0  # entries of the log that it stands for
        self.holders: i64 = 0  # snapshots that read it
        # Cells; but a plain value (bytes that never expire) stands as its bytes alone: one object
        # less to be fetched from memory for each read and each write of it.
        self._values: dict[bytes, object] = {}
        self._unsynced = Unsynced()
        self._index = KeyIndex()
        self.clears = Clears()
        self._live: list[int] = [0] * DATABASES
        self._tombstones: i64 = 0
        self._late_keys: list[bytes] = []  # of commits of a plain value each, one after the other
        self._late_values: list[bytes] = []
        self._late_lsn: i64 = 0  # the first of these commits
        self._late_safe = False  # nobody waits for them
        self._fetched: i64 = 0  # nobody needs it

    def get(self, key: bytes) -> Cell | None:
        """The newest cell of a key, also a tombstone or an expired one; LSN 0 if long safe."""
        self._catch_up()
        value = self._values.get(key)
        if isinstance(value, bytes):
            return Cell(BYTES, value, 0, self._unsynced.lsn_of(key))
        assert value is None or isinstance(value, Cell)
        return value

    def probe(self, key: bytes) -> object:
        """What stands for a key: its bytes if it is plain and safe, a Cell, or None."""
        if self._late_keys:  # spares most reads a call
            self._catch_up()
        value = self._values.get(key)
        if isinstance(value, bytes):
            # Readers come without a lock; but nothing since `get` lets another thread run.
            lsn = self._unsynced.lsn_of(key)
            return value if lsn == 0 else Cell(BYTES, value, 0, lsn)
        return value

    def keep(self, key: bytes, cell: Cell) -> None:
        """Take a value that was read from a table; for RowCache alone."""
        self._values[key] = cell.data if is_plain(cell) else cell

    def settle(self, safe: i64) -> None:
        """Nobody waits any more for commits up to `safe`."""
        self._catch_up()
        self._unsynced.settle(safe)

    def empty(self) -> bool:
        """Whether no commit is in it, not even one that left nothing behind."""
        return self.lsn == 0

    def has_room(self, segment: i64) -> bool:
        """Whether it may stand for another segment of the log, of so many bytes.

        So it is where the last one ended early, or where keys are overwritten so often that little
        of what was logged is left.
        """
        self._catch_up()
        halves: i64 = 2 * self.logged // segment
        left: i64 = self.logged * len(self._values) // max(self._written, 1)
        return halves == 0 or (2 * left <= segment and halves < 2 * MAX_SPAN - 1)

    def live(self, database: i64) -> int:
        """How many keys of a database have a value, expired ones that nobody looked at included."""
        self._catch_up()
        return self._live[database]

    def apply(self, writes: Writes, lsn: i64, safe: i64) -> None:
        """Put the cells of one commit in; safe: the LSN up to which nobody waits for a sync."""
        self._catch_up()
        self.lsn = lsn
        self._written += writes.count
        keys = writes.keys
        cells = writes.cells
        plain: list[bytes] = []
        at: i64 = 0
        while at < writes.count:
            cell = cells[at]
            if cell.kind == CLEARED:
                self._clear(keys[at], cell.data, lsn)
            elif is_plain(cell):
                self._put(keys[at], cell.data, False)
                plain.append(keys[at])
            else:
                cell.lsn = lsn
                self._put(keys[at], cell, cell.kind == DELETED)
            at += 1
        if lsn > safe:
            self._unsynced.note(plain, lsn)

    def put_plain(self, key: bytes, data: bytes, lsn: i64, safe: i64) -> None:
        """As apply, for a commit of one plain value."""
        if not self._late_keys:
            self._late_lsn = lsn
        self._late_keys.append(key)
        self._late_values.append(data)
        self._be_late(lsn, safe, len(data))

    def put_run(self, keys: list[bytes], values: list[bytes], lsn: i64, safe: i64) -> None:
        """As put_plain for each key with its value; lsn: of the first commit."""
        if not self._late_keys:
            self._late_lsn = lsn
        self._late_keys.extend(keys)
        self._late_values.extend(values)
        self._be_late(lsn + len(keys) - 1, safe, 0)

    def _be_late(self, lsn: i64, safe: i64, size: i64) -> None:
        """size: bytes of a value; what a large one overwrites is not held any longer."""
        self.lsn = lsn
        self._late_safe = lsn <= safe
        if len(self._late_keys) >= TOGETHER or size > MAX_LATE:
            self._catch_up()

    def _catch_up(self) -> None:
        """Put in what is late.

        Readers come here without a lock: no object is made that Python's collector of cycles knows
        of, so it does not run, and no other thread does.
        """
        keys = self._late_keys
        values = self._late_values
        if not keys:
            return
        self._fetch(keys)
        at: i64 = 0
        while at < len(keys):
            self._put(keys[at], values[at], False)
            at += 1
        self._written += at
        if not self._late_safe:
            self._unsynced.note_run(keys, self._late_lsn)
        keys.clear()
        values.clear()

    def _fetch(self, keys: list[bytes]) -> None:
        """Have what stands for keys fetched into the processor's caches, where it soon is needed.

        As no look waits for the one before, and little is done in between (the keys know their
        hashes by then), memory is waited for once for several of them.
        """
        values = self._values
        fetched: i64 = 0
        for key in keys:
            fetched += key in NOTHING
        for key in keys:
            value = values.get(key)
            if isinstance(value, bytes):
                fetched += len(value)
        self._fetched = fetched

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

    def _clear(self, start: bytes, stop: bytes, lsn: i64) -> None:
        for key in self._index.remove(start, stop):
            if _is_tombstone(self._values.pop(key)):
                self._tombstones -= 1
            else:
                self._live[key[0]] -= 1
        self.clears.add(start, stop, lsn)

    def noted(self) -> i64:
        """How many keys the next page has to put in their places before it is read."""
        self._catch_up()
        return self._index.noted()

    def prepare(self, count: i64) -> bool:
        """Put up to so many of them there beforehand; False if there were none."""
        self._catch_up()
        return self._index.prepare(count)

    def page(self, start: bytes, stop: bytes, reverse: bool, count: i64) -> list[bytes]:
        """Up to `count` keys from start (included) to stop (excluded), tombstones' too, in order.

        Never none while there are any.
        """
        self._catch_up()
        if reverse:
            return self._index.page_back(start, stop, count)
        return self._index.page(start, stop, count)

    def sample(self, start: bytes, stop: bytes, number: i64) -> bytes | None:
        """The key, of a tombstone perhaps, that a large number leads to; roughly in the range."""
        self._catch_up()
        return self._index.sample(start, stop, number)

    def overwritten(self) -> bool:
        """Whether most of what was written to it is no longer there; no range was deleted."""
        return self.clears.empty() and 2 * len(self) <= self._written

    def parts(self, count: i64) -> Iterator[tuple[list[bytes], list[object]]]:
        """What a frozen one holds, so many entries at a time: keys; plain values' bytes, or cells.

        In no order; beside the thread of truth too, if `overwritten` was asked on that before. The
        lists are made in loops so short that memory is waited for once for a dozen entries.
        """
        keys = iter(self._values)
        values = iter(self._values.values())
        while part := list(islice(keys, count)):
            yield part, list(islice(values, count))

    def absorb(self, newer: Memtable) -> None:
        """Take over what a newer memtable holds, which is then dropped."""
        self._catch_up()
        newer._catch_up()
        for clear in newer.clears.items:
            self._clear(clear.start, clear.stop, clear.lsn)
        for key, value in newer._values.items():
            self._put(key, value, _is_tombstone(value))
        self._unsynced.follow(newer._unsynced)
        self.lsn = max(self.lsn, newer.lsn)
        self.logged += newer.logged
        self._written += newer._written
        self.last_segment = newer.last_segment

    def __len__(self) -> int:
        """Keys, those of tombstones included."""
        self._catch_up()
        return len(self._values)


def is_plain(cell: Cell) -> bool:
    """Whether its data is all there is to it: bytes that never expire."""
    return cell.kind == BYTES and cell.expires == 0


def _is_tombstone(value: object) -> bool:
    return isinstance(value, Cell) and value.kind == DELETED
