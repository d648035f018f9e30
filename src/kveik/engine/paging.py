"""Long ranges, read a page at a time from a snapshot, so that a million rows cost no more memory.

Invariants: all pages show the instant of the first; the lock is held for one page at a time; what
keeps files alive is let go of at the end, and also where an iterator is forgotten half way. Called
by the readers.
"""

from __future__ import annotations

from collections.abc import Iterator

from kveik.engine.cache import Cached
from kveik.engine.scan import Rows, Scan
from kveik.engine.shared import Shared
from kveik.engine.snapshot import Snapshot
from kveik.engine.table import Fault
from kveik.engine.transaction import unpin
from kveik.errors import ClosedError
from kveik.format.keys import decode_key
from kveik.format.values import decode_value
from kveik.limits import PAGE_BYTES, PAGE_ROWS
from kveik.native import i64


class Pages:
    """What is left of a range: the rows of this page, and the scan that has the next ones."""

    def __init__(self, shared: Shared, rows: Rows, left: i64, source: Snapshot | None) -> None:
        """left: how many rows may still be given, those of this page included; < 0 for all.

        source: the snapshot that is read, where it is somebody else's.
        """
        self._shared = shared
        self._source = source
        self.rows = rows
        self._left = left
        self._scan: Scan | None = None
        self._snapshot: Snapshot | None = None

    def goes_on(self, scan: Scan, snapshot: Snapshot | None) -> None:
        """There are more pages. snapshot: what keeps them alive, unless the source does."""
        self._scan = scan
        self._snapshot = snapshot

    def next(self) -> bool:
        """Turn the page; False if it was the last."""
        if self._left >= 0:
            self._left -= len(self.rows.keys)
        scan = self._scan
        if scan is None or self._left == 0:
            return False
        shared = self._shared
        shared.enter()
        try:
            self._read(scan)
        finally:
            shared.leave()
        return True

    def _read(self, scan: Scan) -> None:
        shared = self._shared
        rows = Rows()
        held: list[Cached] = []
        count: i64 = PAGE_ROWS if self._left < 0 else min(self._left, PAGE_ROWS)
        try:
            while True:
                self.check_open()
                try:
                    more = scan.page(rows, count, PAGE_BYTES)
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
        if self._shared.closing:
            raise ClosedError("the database was closed while a range was being read")
        source = self._source
        if source is not None and not source.held:
            raise ClosedError("the snapshot was closed while a range was being read")

    def let_go(self) -> None:
        """Nobody reads on."""
        self._scan = None
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            snapshot.let_go()


def items(pages: Pages) -> Iterator[tuple[object, object]]:
    """Keys with their values, decoded one by one."""
    try:
        more = True
        while more:
            rows = pages.rows
            for key, cell in zip(rows.keys, rows.cells, strict=True):
                pages.check_open()
                yield decode_key(key[1:]), decode_value(cell.kind, cell.data)
            more = pages.next()
    finally:
        pages.let_go()


def keys(pages: Pages) -> Iterator[object]:
    """Keys, decoded one by one."""
    try:
        more = True
        while more:
            for key in pages.rows.keys:
                pages.check_open()
                yield decode_key(key[1:])
            more = pages.next()
    finally:
        pages.let_go()


def count(pages: Pages) -> int:
    """How many rows there are."""
    try:
        found = len(pages.rows.keys)
        while pages.next():
            found += len(pages.rows.keys)
        return found
    finally:
        pages.let_go()
