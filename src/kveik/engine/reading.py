"""Reading, the same of a database and of a snapshot of it: a mapping of typed values, in key order.

Invariants: each call shows one instant; what it shows is as durable as the database promises. Safe
for several threads. Called by the public face.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import Final

from kveik.engine import mapping, paging
from kveik.engine.paging import Pages
from kveik.engine.scan import Rows
from kveik.engine.shared import Shared
from kveik.engine.snapshot import Snapshot
from kveik.engine.table import Fault
from kveik.engine.transaction import Transaction
from kveik.errors import LimitError
from kveik.format.keys import encode_bound, encode_key, prefix_bounds
from kveik.format.values import decode_value
from kveik.limits import PAGE_BYTES, PAGE_ROWS
from kveik.model import BYTES, Cell
from kveik.native import i64, mypyc_attr

MISSING: Final = object()
MAX_ROWS: Final = 1 << 62  # more than there can be


@mypyc_attr(allow_interpreted_subclasses=True)
class Reader:
    """Keys are bytes, str, int, float, bool, None or tuples of them; values are bytes, str or what
    JSON can say, and come back with the type they went in with.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._seen: i64 = 0  # the newest commit that was looked at, with the lock held

    def _begin(self) -> Transaction:
        """A transaction on what this reader shows; called with the lock held."""
        raise NotImplementedError

    def _keep(self) -> Snapshot | None:
        """What keeps alive what a transaction has just read; called with the lock held."""
        raise NotImplementedError

    def _source(self) -> Snapshot | None:
        """The snapshot that this reader shows, if it is one."""
        return None

    # --- single keys ----------------------------------------------------------------------------

    def get(self, key: object, default: object = None) -> object:
        """The value of a key, or default."""
        stored = key if isinstance(key, bytes) and 0 < len(key) < 60000 else encode_key(key)
        shared = self._shared
        shared.enter()
        try:
            cell = self._look(stored)
            self._await_seen()
        finally:
            shared.leave()
        if cell is None:
            return default
        return cell.data if cell.kind == BYTES else decode_value(cell.kind, cell.data)

    def _look(self, stored: bytes) -> Cell | None:
        """The cell of a key, which may not be safe yet: `_await_seen`, or commit, comes next."""
        txn = self._begin()
        while True:
            try:
                cell = txn.get(stored)
                break
            except Fault as fault:
                self._shared.load(fault, txn)
        self._seen = txn.seen
        return cell

    def _await_seen(self) -> None:
        """Return once what was last looked at is as durable as it should be."""
        seen = self._seen
        if seen > 0:
            self._shared.wait_for(seen)

    def get_many(self, keys: Iterable[object], default: object = None) -> list[object]:
        """The values of several keys at one instant; default where there is none."""
        stored = [encode_key(key) for key in keys]
        shared = self._shared
        shared.enter()
        try:
            cells = self._cells(stored)
        finally:
            shared.leave()
        return [default if c is None else decode_value(c.kind, c.data) for c in cells]

    def _cells(self, stored: list[bytes]) -> list[Cell | None]:
        shared = self._shared
        txn = self._begin()
        while True:
            try:
                cells = [txn.get(key) for key in stored]
                break
            except Fault as fault:
                shared.load(fault, txn)
        shared.wait_for(txn.seen)
        return cells

    def __getitem__(self, key: object) -> object:
        value = self.get(key, MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return self.get(key, MISSING) is not MISSING

    # --- ranges ---------------------------------------------------------------------------------

    def range(
        self,
        start: object = None,
        end: object = None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[object, object]]:
        """The entries from start (included) to end (excluded) in key order, at one instant.

        Text keys come back as their UTF-8 bytes; None is no bound. A long range is read on as it
        is used. LimitError for a limit below 0; ClosedError if the database is closed meanwhile.
        """
        return paging.items(self._pages(_low(start), _high(end), reverse, limit))

    def scan(
        self, prefix: object = b"", *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[object, object]]:
        """The entries whose key begins with bytes, with text, or with the items of a tuple."""
        low, high = prefix_bounds(prefix)
        return paging.items(self._pages(low, high, reverse, limit))

    def _pages(self, low: bytes, high: bytes | None, reverse: bool, limit: int | None) -> Pages:
        """The range's first page, and the rest of it."""
        if limit is not None and limit < 0:
            raise LimitError("a limit is 0 or more")
        most: i64 = -1 if limit is None else min(limit, MAX_ROWS)
        first: i64 = PAGE_ROWS if most < 0 else min(most, PAGE_ROWS)
        shared = self._shared
        shared.enter()
        try:
            txn = self._begin()
            while True:
                rows = Rows()
                try:
                    scan = txn.scanner(low, high, reverse)
                    more = scan.page(rows, first, PAGE_BYTES)
                    break
                except Fault as fault:
                    shared.load(fault, txn)
            pages = Pages(shared, rows, most, self._source())
            if more and (most < 0 or most > len(rows.keys)):
                pages.goes_on(scan, self._keep())
            try:
                shared.wait_for(rows.seen)
            except BaseException:
                pages.let_go()
                raise
        finally:
            shared.leave()
        return pages

    # --- a mapping ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[object]:
        return paging.keys(self._pages(b"", None, False, None))

    def __reversed__(self) -> Iterator[object]:
        return paging.keys(self._pages(b"", None, True, None))

    def __len__(self) -> int:
        """How many keys there are, counted one by one: this takes its time where there are many."""
        return paging.count(self._pages(b"", None, False, None))

    def __bool__(self) -> bool:
        return paging.count(self._pages(b"", None, False, 1)) > 0

    def keys(self) -> KeysView[object]:
        return mapping.Keys(self)

    def values(self) -> ValuesView[object]:
        return mapping.Values(self)

    def items(self) -> ItemsView[object, object]:
        return mapping.Items(self)


def _low(start: object) -> bytes:
    return b"" if start is None else encode_bound(start)


def _high(end: object) -> bytes | None:
    return None if end is None else encode_bound(end)
