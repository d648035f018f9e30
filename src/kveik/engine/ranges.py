"""A set of keys made of ranges: range tombstones, coalesced. Called by flush and merge.

Invariant: ranges are not empty, ascending, and neither overlap nor touch. start is in a range, stop
is not.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from kveik.native import i64


class Ranges:
    def __init__(self) -> None:
        self._starts: list[bytes] = []
        self._stops: list[bytes] = []

    def add(self, start: bytes, stop: bytes) -> None:
        if start >= stop:
            return
        first: i64 = bisect_left(self._stops, start)
        behind: i64 = bisect_right(self._starts, stop)
        if first < behind:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[behind - 1])
        self._starts[first:behind] = [start]
        self._stops[first:behind] = [stop]

    def add_all(self, other: Ranges) -> None:
        for start, stop in other.all():
            self.add(start, stop)

    def any(self) -> bool:
        return len(self._starts) > 0

    def covers(self, key: bytes) -> bool:
        at: i64 = bisect_right(self._starts, key)
        return at > 0 and key < self._stops[at - 1]

    def all(self) -> list[tuple[bytes, bytes]]:
        return list(zip(self._starts, self._stops, strict=True))

    def within(self, low: bytes, high: bytes | None) -> list[tuple[bytes, bytes]]:
        """What of the ranges is from low (included) to high (excluded; None: no end), in order."""
        at: i64 = bisect_right(self._stops, low)
        found: list[tuple[bytes, bytes]] = []
        while at < len(self._starts):
            start = max(low, self._starts[at])
            stop = self._stops[at]
            if high is not None and high < stop:
                stop = high
            if start >= stop:
                break
            found.append((start, stop))
            at += 1
        return found
