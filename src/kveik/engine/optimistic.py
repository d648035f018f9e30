"""Optimistic transactions: reads from a snapshot, writes at the end, if what was read still holds.

Invariants: nothing is locked and nothing written until the end; then, at one instant, everything
that was read must not have been written since, keys that came up in a range or went from it
included. While all of those writes are still in memtables, these tell; later, values are compared.
Made by the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from kveik.engine.batch import expiry
from kveik.engine.cache import Cached
from kveik.engine.memtable import Memtable
from kveik.engine.reading import MISSING, NO_BOUND
from kveik.engine.scan import Rows
from kveik.engine.shared import Shared
from kveik.engine.snapshot import Snapshot
from kveik.engine.table import Fault
from kveik.engine.transaction import PREFIXES, Transaction, unpin
from kveik.errors import ClosedError, Conflict, LimitError
from kveik.format.keys import decode_key, encode_bound, encode_key, prefix_bounds
from kveik.format.values import decode_value, encode_value
from kveik.limits import PAGE_BYTES, PAGE_ROWS
from kveik.model import Cell
from kveik.native import i64, mypyc_attr


class ReadRange:
    """A range that was read, as far as it was: from low (included) to high (excluded)."""

    def __init__(self, low: bytes, high: bytes | None) -> None:
        self.low = low
        self.high = high

    def written_in(self, memtable: Memtable) -> bool:
        """Whether a memtable has a write in it."""
        low = PREFIXES[0] + self.low
        high = PREFIXES[1] if self.high is None else PREFIXES[0] + self.high
        if memtable.clears.newest(low, high) > 0:
            return True
        return len(memtable.page(low, high, False, 1)) > 0

    def same(self, then: Transaction, now: Transaction) -> bool:
        """Whether two transactions see the same in it. Fault."""
        before = then.scan(self.low, self.high, False, -1)
        behind = now.scan(self.low, self.high, False, -1)
        if before.keys != behind.keys:
            return False
        places = range(len(before.keys))
        return False not in [_same(before.cell(at), behind.cell(at)) for at in places]


@mypyc_attr(allow_interpreted_subclasses=True)
class OptimisticTransaction:
    """Reads see one instant and the transaction's own writes. Belongs to one thread.

    Use it in a with block, or call commit, or close to give it up.
    """

    def __init__(self, shared: Shared, snapshot: Snapshot) -> None:
        self._shared = shared
        self._snapshot = snapshot
        self._base = Transaction(snapshot)  # what is read
        self._base.begin(0)
        self._txn = Transaction(snapshot)  # has the writes on top
        self._txn.begin(0)
        self._own: set[bytes] = set()  # keys written here
        self._reads: dict[bytes, Cell | None] = {}
        self._ranges: list[ReadRange] = []
        self._expires: i64 = 0  # the earliest expiry of what was read; 0 for none

    # --- reads ----------------------------------------------------------------------------------

    def get(self, key: object, default: Any = None) -> Any:
        """The value of a key, or default."""
        cell = self._cell(encode_key(key))
        return default if cell is None else decode_value(cell.kind, cell.data)

    def __getitem__(self, key: object) -> Any:
        value = self.get(key, MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return self._cell(encode_key(key)) is not None

    def range(
        self,
        start: object = None,
        end: object = None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """As Database.range, but read at once: a transaction is meant to be short."""
        low = b"" if start is None else encode_bound(start)
        high = None if end is None else encode_bound(end)
        return self._entries(low, high, reverse, limit)

    def scan(
        self, prefix: object = b"", *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """As Database.scan, but read at once."""
        low, high = prefix_bounds(prefix)
        return self._entries(low, high, reverse, limit)

    def _cell(self, stored: bytes) -> Cell | None:
        shared = self._shared
        shared.enter()
        try:
            self._check_open()
            if stored in self._own:
                return self._txn.get(stored)
            base = self._base
            while True:
                try:
                    cell = base.get(stored)
                    break
                except Fault as fault:
                    shared.fetch(fault)
                    base.hold(fault.pinned)
            self._reads[stored] = cell
            self._note(cell)
            shared.wait_for(base.seen)
            return cell
        finally:
            self._base.end()
            shared.leave()

    def _note(self, cell: Cell | None) -> None:
        if cell is not None and cell.expires > 0:
            sooner = self._expires == 0 or cell.expires < self._expires
            self._expires = cell.expires if sooner else self._expires

    def _entries(
        self, low: bytes, high: bytes | None, reverse: bool, limit: int | None
    ) -> Iterator[tuple[Any, Any]]:
        if limit is not None and limit < 0:
            raise LimitError("a limit is 0 or more")
        most: i64 = NO_BOUND if limit is None else min(limit, NO_BOUND)
        shared = self._shared
        shared.enter()
        try:
            self._check_open()
            keys: list[bytes] = []
            cells: list[Cell] = []
            more = self._read(keys, cells, low, high, reverse, most)
        finally:
            shared.leave()
        if more and keys and reverse:
            low = keys[-1]
        elif more and keys:
            high = keys[-1] + b"\x00"
        if most > 0:
            self._ranges.append(ReadRange(low, high))
        return iter(
            [
                (decode_key(key), decode_value(cell.kind, cell.data))
                for key, cell in zip(keys, cells, strict=True)
            ]
        )

    def _read(
        self,
        keys: list[bytes],
        cells: list[Cell],
        low: bytes,
        high: bytes | None,
        reverse: bool,
        most: i64,
    ) -> bool:
        """Append up to `most` rows; whether there may be more. With the lock held."""
        scan = self._txn.scanner(low, high, reverse)
        more = True
        while more and len(keys) < most:
            rows = Rows()
            held: list[Cached] = []
            try:
                while True:
                    try:
                        more = scan.page(rows, min(most - len(keys), PAGE_ROWS), PAGE_BYTES)
                        break
                    except Fault as fault:
                        self._shared.fetch(fault)
                        held += fault.pinned
            finally:
                unpin(held)
            found = [rows.cell(at) for at in range(len(rows.keys))]
            for cell in found:
                self._note(cell)
            keys.extend(rows.keys)
            cells.extend(found)
            self._shared.wait_for(min(rows.seen, self._snapshot.lsn()))
        return more

    # --- writes ---------------------------------------------------------------------------------

    def put(self, key: object, value: object, *, ttl: float | None = None) -> None:
        """Write a value when the transaction ends."""
        self._check_open()
        now = float(self._shared.store.now()) / 1000.0
        kind, data = encode_value(value)
        stored = encode_key(key)
        self._txn.put(stored, kind, data, expiry(ttl, now))
        self._own.add(stored)

    def __setitem__(self, key: object, value: object) -> None:
        self.put(key, value)

    def delete(self, key: object) -> bool:
        """Delete a key when the transaction ends; whether it has a value now."""
        stored = encode_key(key)
        if self._cell(stored) is None:
            return False
        self._txn.writes.delete(PREFIXES[0] + stored)
        self._own.add(stored)
        return True

    def __delitem__(self, key: object) -> None:
        if not self.delete(key):
            raise KeyError(key)

    # --- the end --------------------------------------------------------------------------------

    def commit(self) -> None:
        """Write everything, if what was read still holds; Conflict if not, and nothing is written.

        However it ends, the transaction is over.
        """
        shared = self._shared
        try:
            shared.enter()
            try:
                self._check_open()
                if self._txn.dirty():
                    shared.check_writable()
                    self._verify()
                    shared.commit(self._txn.writes)
            finally:
                shared.leave()
        finally:
            self.close()

    def _verify(self) -> None:
        """Conflict if anything that was read has changed; if not, the lock has been held since."""
        store = self._shared.store
        lsn = self._snapshot.lsn()
        if 0 < self._expires <= store.now():
            raise Conflict("a value that was read has expired meanwhile; nothing was written")
        if store.flushed > lsn:
            self._compare()
            return
        for memtable in store.view.memtables:
            if memtable.lsn > lsn:
                self._verify_in(memtable)

    def _verify_in(self, memtable: Memtable) -> None:
        for stored in self._reads:
            key = PREFIXES[0] + stored
            if memtable.get(key) is not None or memtable.clears.at(key) > 0:
                raise _changed(stored)
        for wanted in self._ranges:
            if wanted.written_in(memtable):
                raise _range_changed()

    def _compare(self) -> None:
        """As _verify, by what is there now."""
        shared = self._shared
        now = shared.begin()
        while True:
            then = Transaction(self._snapshot)
            then.begin(0)
            try:
                for stored, cell in self._reads.items():
                    if not _same(cell, now.get(stored)):
                        raise _changed(stored)
                for wanted in self._ranges:
                    if not wanted.same(then, now):
                        raise _range_changed()
                return
            except Fault as fault:
                shared.load(fault, now)

    def close(self) -> None:
        """Give it up, if it was not committed. Idempotent."""
        if self._snapshot.held:
            self._shared.let_go(self._snapshot)

    def _check_open(self) -> None:
        self._shared.check_open()
        if not self._snapshot.held:
            raise ClosedError("the transaction has ended")

    def __enter__(self) -> OptimisticTransaction:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._snapshot.held:
            self.commit()
        else:
            self.close()

    def __del__(self) -> None:
        self._snapshot.let_go()  # takes no lock: this may happen anywhere


def _changed(stored: bytes) -> Conflict:
    return Conflict(f"key {decode_key(stored)!r} was changed meanwhile; nothing was written")


def _range_changed() -> Conflict:
    return Conflict("a range that was read was changed meanwhile; nothing was written")


def _same(one: Cell | None, other: Cell | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.kind == other.kind and one.data == other.data and one.expires == other.expires
