"""Reading, the same of a database and of a snapshot of it: a mapping of typed values, in key order.

Invariants: each call shows one instant; what it shows is as durable as the database promises. Safe
for several threads. Called by the public face.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Final

from kveik import mapping
from kveik.engine.paging import Cells, Items, Keys, Pages, Shown
from kveik.engine.scan import Rows
from kveik.engine.shared import Shared
from kveik.engine.snapshot import Snapshot
from kveik.engine.table import Fault
from kveik.engine.transaction import PREFIXES, Transaction
from kveik.engine.view import View
from kveik.errors import LimitError
from kveik.format.keys import encode_bound, encode_key, prefix_bounds
from kveik.format.values import decode_value
from kveik.limits import MAX_KEY, PAGE_BYTES, PAGE_ROWS, PAGE_STEPS
from kveik.model import BYTES, Cell
from kveik.native import i64, mypyc_attr

MISSING: Final = object()
NO_BOUND: Final = (1 << 62) - 1  # rows; nobody has that many


@mypyc_attr(allow_interpreted_subclasses=True)
class Reader(Shown):
    """Keys are bytes, str, int, float, bool, None or tuples of them; values are bytes, str or what
    JSON can say, and come back with the type they went in with.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._seen: i64 = 0  # the newest commit that was looked at, with the lock held

    def _begin(self) -> Transaction:
        """A transaction on what this reader shows; called with the lock held. ClosedError."""
        raise NotImplementedError

    def _stay(self) -> Snapshot:
        """What this reader shows now, for as long as the caller needs it; with the lock held."""
        raise NotImplementedError

    # --- single keys ----------------------------------------------------------------------------

    def get(self, key: object, default: Any = None) -> Any:
        """The value of a key, or default."""
        stored = key if isinstance(key, bytes) and 0 < len(key) <= MAX_KEY else encode_key(key)
        shared = self._shared
        if shared.alone():
            view = self._view()
            plain = view.plain(PREFIXES[0] + stored)
            if plain is not None:
                return plain
            if view.absent:
                return default
        shared.enter()
        try:
            cell = self._look(stored)
            self._await_seen()
        finally:
            shared.leave()
        if cell is None:
            return default
        return cell.data if cell.kind == BYTES else decode_value(cell.kind, cell.data)

    def _view(self) -> View:
        """What this reader shows; called with the lock held. ClosedError."""
        raise NotImplementedError

    def _look(self, stored: bytes) -> Cell | None:
        """The cell of a key, which may not be safe yet: `_await_seen`, or commit, comes next."""
        txn = self._begin()
        while True:
            try:
                cell = txn.get(stored)
                break
            except Fault as fault:
                self._shared.load(fault, txn)
                self.check_open()
        self._seen = txn.seen
        return cell

    def _await_seen(self) -> None:
        """Return once what was last looked at is as durable as it should be."""
        seen = self._seen
        if seen > 0:
            self._shared.wait_for(seen)

    def get_many(self, keys: Iterable[object], default: Any = None) -> list[Any]:
        """The values of keys at one instant, in their order; default where one has none."""
        stored = [encode_key(key) for key in keys]
        shared = self._shared
        shared.enter()
        try:
            cells = self._cells(stored)
        finally:
            shared.leave()
        return [default if c is None else decode_value(c.kind, c.data) for c in cells]

    def _cells(self, stored: list[bytes]) -> list[Cell | None]:
        txn = self._begin()
        try:
            cells = [txn.get(key) for key in stored]
            self._shared.wait_for(txn.seen)
            return cells
        except Fault:
            snapshot = self._stay()  # where nothing has to be asked for twice
        try:
            return self._cells_in(snapshot, stored)
        finally:
            snapshot.let_go()

    def _cells_in(self, snapshot: Snapshot, stored: list[bytes]) -> list[Cell | None]:
        shared = self._shared
        txn = Transaction(snapshot)
        cells: list[Cell | None] = []
        try:
            while len(cells) < len(stored):
                try:
                    cells.append(txn.get(stored[len(cells)]))
                    txn.end()
                except Fault as fault:
                    shared.fetch(fault)
                    txn.hold(fault.pinned)
                    self.check_open()
        finally:
            txn.end()
        shared.wait_for(txn.seen)
        return cells

    def __getitem__(self, key: object) -> Any:
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
    ) -> Iterator[tuple[Any, Any]]:
        """The entries from start (included) to end (excluded) in key order, at one instant.

        Text keys come back as their UTF-8 bytes; None is no bound. A long range is read on as it
        is used. LimitError for a limit below 0; ClosedError if the database is closed meanwhile.
        """
        low = b"" if start is None else encode_bound(start)
        high = None if end is None else encode_bound(end)
        return Items(self._pages(low, high, reverse, limit))

    def scan(
        self, prefix: object = b"", *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """The entries whose keys begin with a prefix: bytes, text, or a tuple's first items."""
        low, high = prefix_bounds(prefix)
        return Items(self._pages(low, high, reverse, limit))

    def cells(
        self, low: bytes, high: bytes | None, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, Cell]]:
        """As range, but keys are bytes and values cells, with type and expiry: to copy them."""
        return Cells(self._pages(low, high, reverse, limit))

    def _pages(self, low: bytes, high: bytes | None, reverse: bool, limit: int | None) -> Pages:
        """The range's first page, and the rest of it."""
        if limit is not None and limit < 0:
            raise LimitError("a limit is 0 or more")
        most: i64 = -1 if limit is None else min(limit, NO_BOUND)
        shared = self._shared
        pages = Pages(self, shared, Rows(), most)
        shared.enter()
        try:
            self._read_first(pages, most, low, high, reverse)
        except BaseException:
            pages.let_go()
            raise
        finally:
            shared.leave()
        return pages

    def _read_first(
        self, pages: Pages, most: i64, low: bytes, high: bytes | None, reverse: bool
    ) -> None:
        """With a snapshot only where there is more than a page, or something has to be loaded."""
        first: i64 = PAGE_ROWS if most < 0 else min(most, PAGE_ROWS)
        txn = self._begin()
        rows = Rows()
        try:
            more = txn.scanner(low, high, reverse).page(rows, first, PAGE_BYTES, PAGE_STEPS)
        except Fault:
            pages.goes_on(self._stay(), low, high, reverse)
            pages.read()
            return
        if more and (most < 0 or most > len(rows.keys)):
            last = rows.keys[-1] if rows.keys else b""
            if not last:  # it was all tombstones so far
                pages.goes_on(self._stay(), low, high, reverse)
            elif reverse:
                pages.goes_on(self._stay(), low, last, True)
            else:
                pages.goes_on(self._stay(), last + b"\x00", high, False)
        self._shared.wait_for(rows.seen)
        pages.rows = rows

    # --- a mapping ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        return Keys(self._pages(b"", None, False, None))

    def __reversed__(self) -> Iterator[Any]:
        return Keys(self._pages(b"", None, True, None))

    def __len__(self) -> int:
        """How many keys there are, counted one by one: this takes its time where there are many."""
        return self._pages(b"", None, False, None).count()

    def __bool__(self) -> bool:
        return self._pages(b"", None, False, 1).count() > 0

    def keys(self) -> KeysView[Any]:
        """A live view of the keys, in order."""
        self.check_open()
        return mapping.Keys(self)

    def values(self) -> ValuesView[Any]:
        """A live view of the values, in the order of their keys."""
        self.check_open()
        return mapping.Values(self)

    def items(self) -> ItemsView[Any, Any]:
        """A live view of the pairs of key and value, in key order."""
        self.check_open()
        return mapping.Items(self)

    def __eq__(self, other: object) -> Any:
        """Whether another mapping has the same keys, text and its UTF-8 being one, and values."""
        if self is other:
            return True
        return mapping.same(self, other) if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        raise TypeError(f"unhashable type: '{type(self).__name__}'")

    def __reduce__(self) -> Any:
        name = type(self).__name__
        raise TypeError(f"a {name} can be neither copied nor pickled: open it where it is needed")
