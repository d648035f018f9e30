"""The sorted keys of a memtable, kept lazily.

A new key is only noted; the first range after it puts what is new in its place. So writers that
never range pay nothing, and a writer that ranges after each put pays one insertion.
Invariants: buckets are sorted, not empty and in order; lows[i] is buckets[i][0]; a noted key is in
no bucket. Called by the memtable alone; one thread.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from itertools import chain
from typing import Final

from kveik.native import i64

LOAD: Final = 512  # keys of a fresh bucket; split at twice as many
REBUILD_SHARE: Final = 16  # sort everything anew where more than 1/16 of the keys is new


class KeyIndex:
    def __init__(self) -> None:
        self._buckets: list[list[bytes]] = []
        self._lows: list[bytes] = []
        self._fresh: list[bytes] = []
        self._count: i64 = 0  # keys in buckets

    def note(self, key: bytes) -> None:
        """A key that is not in the index yet."""
        self._fresh.append(key)

    def noted(self) -> i64:
        """How many keys have been noted only: the next range puts them all in their places."""
        return len(self._fresh)

    def prepare(self, count: i64) -> bool:
        """Put up to so many noted keys in their places; False if there were none."""
        fresh = self._fresh
        if not fresh:
            return False
        rest: i64 = max(len(fresh) - count, 0)
        some = sorted(fresh[rest:])
        del fresh[rest:]
        if not self._buckets:
            self._rebuild(some)
            return True
        for key in some:
            self._insert(key)
        self._count += len(some)
        return True

    def page(self, start: bytes, stop: bytes, count: i64) -> list[bytes]:
        """Up to `count` keys from start (included) to stop (excluded), in order.

        Never none while there are any.
        """
        self._absorb()
        found: list[bytes] = []
        at: i64 = max(bisect_right(self._lows, start) - 1, 0)
        while at < len(self._buckets) and len(found) < count and self._lows[at] < stop:
            bucket = self._buckets[at]
            low: i64 = bisect_left(bucket, start) if not found else 0
            high: i64 = min(low + count - len(found), len(bucket))
            if high > low and bucket[high - 1] >= stop:
                high = bisect_left(bucket, stop)
            found.extend(bucket[low:high])
            at += 1
        return found

    def page_back(self, start: bytes, stop: bytes, count: i64) -> list[bytes]:
        """As page, but the last keys before stop, last first."""
        self._absorb()
        found: list[bytes] = []
        at: i64 = bisect_left(self._lows, stop) - 1
        while at >= 0 and len(found) < count:
            bucket = self._buckets[at]
            high: i64 = bisect_left(bucket, stop) if not found else len(bucket)
            low: i64 = max(high - (count - len(found)), 0)
            if bucket[low] < start:
                low = bisect_left(bucket, start)
            part = bucket[low:high]
            part.reverse()
            found.extend(part)
            if bucket[0] < start:
                break
            at -= 1
        return found

    def sample(self, start: bytes, stop: bytes, number: i64) -> bytes | None:
        """The key that a large number leads to; it may stand a little outside of start and stop."""
        self._absorb()
        low: i64 = max(bisect_right(self._lows, start) - 1, 0)
        count: i64 = bisect_left(self._lows, stop) - low
        if count <= 0:
            return None
        bucket = self._buckets[low + number % count]
        return bucket[number // count % len(bucket)]

    def remove(self, start: bytes, stop: bytes) -> list[bytes]:
        """Take the keys from start to stop out and return them."""
        self._absorb()
        removed: list[bytes] = []
        kept: list[list[bytes]] = []
        for bucket in self._buckets:
            low = bisect_left(bucket, start)
            high = bisect_left(bucket, stop)
            removed.extend(bucket[low:high])
            if high > low:
                del bucket[low:high]
            if bucket:
                kept.append(bucket)
        self._buckets = kept
        self._lows = [bucket[0] for bucket in kept]
        self._count -= len(removed)
        return removed

    def _absorb(self) -> None:
        fresh = self._fresh
        if not fresh:
            return
        self._fresh = []
        if len(fresh) * REBUILD_SHARE > self._count:
            self._rebuild(fresh)
        else:
            for key in fresh:
                self._insert(key)
            self._count += len(fresh)

    def _rebuild(self, fresh: list[bytes]) -> None:
        keys = list(chain.from_iterable(self._buckets))
        fresh.sort()
        keys.extend(fresh)
        keys.sort()  # two sorted runs: one merge
        self._count = len(keys)
        self._buckets = [keys[at : at + LOAD] for at in range(0, len(keys), LOAD)]
        self._lows = [bucket[0] for bucket in self._buckets]

    def _insert(self, key: bytes) -> None:
        at: i64 = max(bisect_right(self._lows, key) - 1, 0)
        bucket = self._buckets[at]
        insort(bucket, key)
        self._lows[at] = bucket[0]
        if len(bucket) > 2 * LOAD:
            half = bucket[LOAD:]
            del bucket[LOAD:]
            self._buckets.insert(at + 1, half)
            self._lows.insert(at + 1, half[0])
