"""Long ranges, read a page at a time from a snapshot, so that a million rows cost no more memory.

Invariants: all pages show the instant of the first; the lock is held for one page at a time; what
keeps files alive is let go of at the end, after an error, and where an iterator is forgotten, begun
or not. Called by the readers.
"""

from __future__ import annotations

from typing import Any

from kveik.engine.cache import Cached
from kveik.engine.scan import Rows, Scan
from kveik.engine.shared import Shared
from kveik.engine.snapshot import Snapshot
from kveik.engine.table import Fault
from kveik.engine.transaction import Transaction, unpin
from kveik.errors import UseError
from kveik.format.keys import decode_key, is_plain
from kveik.format.values import decode_value
from kveik.limits import PAGE_BYTES, PAGE_ROWS, PAGE_STEPS
from kveik.model import Cell
from kveik.native import i64, mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Shown:
    """Whose rows they are."""

    def check_open(self) -> None:
        """ClosedError if there is nothing to read any more."""
        raise NotImplementedError


class Pages:
    """A range as far as it has been read: the rows of a page, and where the next ones come from."""

    def __init__(self, shown: Shown, shared: Shared, rows: Rows, left: i64) -> None:
        """left: how many rows may still be given, those of this page included; < 0 for all."""
        self.rows = rows
        self._shown = shown
        self._shared = shared
        self._left = left
        self._scan: Scan | None = None
        self._snapshot: Snapshot | None = None
        self._turning = False

    def goes_on(self, snapshot: Snapshot, low: bytes, high: bytes | None, reverse: bool) -> None:
        """There may be more pages, from low to high of a snapshot, which is the pages' own."""
        self._snapshot = snapshot
        txn = Transaction(snapshot)
        txn.begin(0)
        self._scan = txn.scanner(low, high, reverse)

    def next(self) -> bool:
        """Turn the page; False if it was the last, or everything was let go of."""
        if self._turning:
            raise UseError("this iterator is used by two threads at once: give each its own")
        self._turning = True
        going = False
        try:
            if self._left >= 0:
                self._left -= len(self.rows.keys)
            self.rows = Rows()
            if self._scan is not None and self._left != 0:
                self._shared.enter()
                try:
                    self.read()
                finally:
                    self._shared.leave()
                going = True
        finally:
            self._turning = False
            if not going:
                self.let_go()
        return going

    def read(self) -> None:
        """The next page; with the lock held."""
        shared = self._shared
        snapshot = self._snapshot
        scan = self._scan
        assert scan is not None
        assert snapshot is not None
        rows = Rows()
        held: list[Cached] = []
        count: i64 = PAGE_ROWS if self._left < 0 else min(self._left, PAGE_ROWS)
        try:
            while True:
                self.check_open()
                try:
                    more = scan.page(rows, count, PAGE_BYTES, PAGE_STEPS)
                    break
                except Fault as fault:
                    shared.fetch(fault)
                    held += fault.pinned
        finally:
            unpin(held)
        shared.wait_for(rows.seen)
        self.rows = rows
        if not more:
            self._scan = None

    def check_open(self) -> None:
        """ClosedError, and nothing more is read, if what is read has been closed."""
        try:
            self._shown.check_open()
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Nobody reads on."""
        self._scan = None
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            snapshot.let_go()

    def count(self) -> int:
        """How many rows are left."""
        found = len(self.rows.keys)
        while self.next():
            found += len(self.rows.keys)
        return found

    def __del__(self) -> None:
        self.let_go()  # takes no lock: this may happen anywhere


class Iteration:
    """What range, iter and so on give: an iterator that can be closed before its end."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._at: i64 = 0

    def __iter__(self) -> Any:
        return self

    def _step(self) -> i64:
        """The place of the next row in the page."""
        pages = self._pages
        while self._at >= len(pages.rows.keys):
            self._at = 0
            if not pages.next():
                raise StopIteration
        pages.check_open()
        at = self._at
        self._at = at + 1
        return at

    def close(self) -> None:
        """Let go of what it keeps; there are no more rows."""
        self._pages.let_go()
        self._pages.rows = Rows()


class Items(Iteration):
    """Keys with their values, decoded one by one."""

    def __next__(self) -> Any:  # a pair; mypyc wants it in one piece
        at = self._step()
        rows = self._pages.rows
        key = rows.keys[at]
        value = rows.values[at]
        if not isinstance(value, bytes):
            assert isinstance(value, Cell)
            value = decode_value(value.kind, value.data)
        return key if is_plain(key) else decode_key(key), value


class Keys(Iteration):
    """Keys, decoded one by one."""

    def __next__(self) -> Any:
        at = self._step()
        return decode_key(self._pages.rows.keys[at])


class Cells(Iteration):
    """Keys with their values, both as they are stored."""

    def __next__(self) -> Any:
        at = self._step()
        rows = self._pages.rows
        return rows.keys[at], rows.cell(at)
