"""Optimistic transactions: reads from a snapshot, writes at the end, if what was read still holds.

Invariants: nothing is locked and nothing written until the end; then, at one instant, everything
that was read is compared with what is there, keys that came up in a range or went from it included.
Made by the database.
"""

from __future__ import annotations

from collections.abc import Iterator

from kveik.engine.frozen import FrozenDatabase
from kveik.engine.reading import MAX_ROWS
from kveik.engine.scan import Rows
from kveik.engine.table import Fault
from kveik.engine.transaction import Transaction
from kveik.errors import ClosedError, Conflict, LimitError
from kveik.format.keys import decode_key, encode_bound, encode_key
from kveik.format.values import decode_value, encode_value
from kveik.model import Cell
from kveik.native import mypyc_attr


class ReadRange:
    """A range that was read: its bounds, its direction, and how many rows at most (< 0: all)."""

    def __init__(self, low: bytes, high: bytes | None, reverse: bool, limit: int) -> None:
        self.low = low
        self.high = high
        self.reverse = reverse
        self.limit = limit

    def rows(self, txn: Transaction) -> Rows:
        return txn.scan(self.low, self.high, self.reverse, self.limit)


@mypyc_attr(allow_interpreted_subclasses=True)
class OptimisticTransaction:
    """Reads see the snapshot and the transaction's own writes. Belongs to one thread."""

    def __init__(self, frozen: FrozenDatabase) -> None:
        self._shared = frozen.shared()
        self._snapshot = frozen.held()
        self.txn = Transaction(self._snapshot)  # has the writes
        self.txn.begin(0)
        self._keys: set[bytes] = set()
        self._ranges: list[ReadRange] = []

    def get(self, key: object, default: object = None) -> object:
        """The value of a key, or default."""
        stored = encode_key(key)
        self._keys.add(stored)
        cell = self._cell(stored)
        return default if cell is None else decode_value(cell.kind, cell.data)

    def put(self, key: object, value: object) -> None:
        """Write a value when the transaction ends."""
        kind, data = encode_value(value)
        self.txn.put(encode_key(key), kind, data)

    def delete(self, key: object) -> bool:
        """Delete a key when the transaction ends; whether it has a value now."""
        stored = encode_key(key)
        self._keys.add(stored)
        if self._cell(stored) is None:
            return False
        self.txn.delete(stored)
        return True

    def range(
        self,
        start: object = None,
        end: object = None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[object, object]]:
        """As Database.range, but read at once: a transaction is meant to be short."""
        if limit is not None and limit < 0:
            raise LimitError("a limit is 0 or more")
        low = b"" if start is None else encode_bound(start)
        high = None if end is None else encode_bound(end)
        wanted = ReadRange(low, high, reverse, -1 if limit is None else min(limit, MAX_ROWS))
        self._ranges.append(wanted)
        rows = self._rows(wanted)
        for key, cell in zip(rows.keys, rows.cells, strict=True):
            yield decode_key(key), decode_value(cell.kind, cell.data)

    def _cell(self, stored: bytes) -> Cell | None:
        shared = self._shared
        shared.enter()
        try:
            self._check_open()
            while True:
                try:
                    return self.txn.get(stored)
                except Fault as fault:
                    shared.fetch(fault)
                    self.txn.hold(fault.pinned)
        finally:
            self.txn.end()
            shared.leave()

    def _rows(self, wanted: ReadRange) -> Rows:
        shared = self._shared
        shared.enter()
        try:
            self._check_open()
            while True:
                try:
                    return wanted.rows(self.txn)
                except Fault as fault:
                    shared.fetch(fault)
                    self.txn.hold(fault.pinned)
        finally:
            self.txn.end()
            shared.leave()

    def _check_open(self) -> None:
        self._shared.check_open()
        if not self._snapshot.held:
            raise ClosedError("the transaction has ended")

    def commit(self) -> None:
        """Write, if what was read still holds; Conflict if not."""
        shared = self._shared
        shared.enter()
        try:
            now = shared.begin()
            while True:
                try:
                    self._check(now)
                    break
                except Fault as fault:
                    shared.load(fault, now)
            if self.txn.dirty():
                shared.commit(self.txn.writes)
            else:
                shared.wait_for(self.txn.seen)
        finally:
            shared.leave()

    def _check(self, now: Transaction) -> None:
        """Compare what was read with what is there now."""
        then = Transaction(self._snapshot)
        then.begin(0)
        for key in self._keys:
            if not _same(then.get(key), now.get(key)):
                raise Conflict(
                    f"key {decode_key(key)!r} was changed meanwhile; nothing was written"
                )
        for wanted in self._ranges:
            before = wanted.rows(then)
            behind = wanted.rows(now)
            same = before.keys == behind.keys and all(
                [_same(a, b) for a, b in zip(before.cells, behind.cells, strict=True)]
            )
            if not same:
                raise Conflict("a range that was read was changed meanwhile; nothing was written")


def _same(one: Cell | None, other: Cell | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.kind == other.kind and one.data == other.data and one.expires == other.expires
