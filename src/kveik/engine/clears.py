"""Range tombstones: which keys were deleted by a range, and by which commit.

Invariants: the pieces are disjoint and in order; where two overlapped, the newer one has taken the
place of the older. Called by the memtable and the readers.
"""

from __future__ import annotations

from bisect import bisect_right

from kveik.native import i64


class Clear:
    """Keys from start (included) to stop (excluded) were deleted at lsn."""

    __slots__ = ("lsn", "start", "stop")

    def __init__(self, start: bytes, stop: bytes, lsn: i64) -> None:
        self.start = start
        self.stop = stop
        self.lsn = lsn


class Clears:
    def __init__(self) -> None:
        self.items: list[Clear] = []
        self._starts: list[bytes] = []

    def empty(self) -> bool:
        return not self.items

    def add(self, start: bytes, stop: bytes, lsn: i64) -> None:
        """A range tombstone that is newer than all the others."""
        if start >= stop:
            return
        items = self.items
        low: i64 = self._first(start)
        high = low
        kept: list[Clear] = []
        while high < len(items) and items[high].start < stop:
            old = items[high]
            if old.start < start:
                kept.append(Clear(old.start, start, old.lsn))
            if old.stop > stop:
                kept.append(Clear(stop, old.stop, old.lsn))
            high += 1
        at: i64 = 1 if kept and kept[0].start < start else 0
        kept.insert(at, Clear(start, stop, lsn))
        items[low:high] = kept
        self._starts[low:high] = [clear.start for clear in kept]

    def _first(self, key: bytes) -> i64:
        """The first piece that ends behind a key."""
        at: i64 = bisect_right(self._starts, key)
        if at > 0 and self.items[at - 1].stop > key:
            at -= 1
        return at

    def at(self, key: bytes) -> i64:
        """The commit that deleted the range around a key; 0 for none."""
        at: i64 = bisect_right(self._starts, key) - 1
        if at >= 0 and key < self.items[at].stop:
            return self.items[at].lsn
        return 0

    def newest(self, start: bytes, stop: bytes) -> i64:
        """The newest commit that deleted anything from start to stop; 0 for none."""
        lsn: i64 = 0
        at = self._first(start)
        while at < len(self.items) and self.items[at].start < stop:
            lsn = max(lsn, self.items[at].lsn)
            at += 1
        return lsn
