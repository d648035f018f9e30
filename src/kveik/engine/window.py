"""Where a step from one level to the next costs least: neighbours, and what they overlap below.

Pure; the picker calls.
"""

from __future__ import annotations

from kveik.format.table import TableInfo
from kveik.native import i64


class Window:
    """Neighbours in a level, from `first` to before `stop`, and what they overlap one level down.

    cost: bytes overlapped for a byte of the neighbours.
    """

    def __init__(self, level: list[TableInfo], below: list[TableInfo]) -> None:
        self._level = level
        self._below = below
        self._sizes = _sums(level)
        self._sizes_below = _sums(below)
        self._starts: list[int] = []  # for each table, the first one below that it overlaps
        self._stops: list[int] = []  # and the one behind the last
        self.first: i64 = 0
        self.stop: i64 = 1
        self.cost = 0.0
        start: i64 = 0
        stop: i64 = 0
        for info in level:
            while start < len(below) and below[start].high <= info.low:
                start += 1
            while stop < len(below) and below[stop].low < info.high:
                stop += 1
            self._starts.append(start)
            self._stops.append(stop)

    def place(self) -> None:
        """Take the one table that costs least."""
        self.cost = self._cost(0, 1)
        at: i64 = 1
        while at < len(self._level):
            cost = self._cost(at, at + 1)
            if cost < self.cost:
                self.cost = cost
                self.first = at
                self.stop = at + 1
            at += 1

    def grow(self, bound: i64, spare: i64) -> None:
        """Take neighbours while they make a byte no dearer.

        bound: bytes in all; spare: bytes that may leave the level.
        """
        grown = True
        while grown:
            grown = self._take(self.first - 1, self.stop, bound, spare)
            grown = self._take(self.first, self.stop + 1, bound, spare) or grown

    def _take(self, first: i64, stop: i64, bound: i64, spare: i64) -> bool:
        if first < 0 or stop > len(self._level):
            return False
        size = self._size(first, stop)
        if size > spare or size + self._overlap(first, stop) > bound:
            return False
        cost = self._cost(first, stop)
        if cost > self.cost:
            return False
        self.first = first
        self.stop = stop
        self.cost = cost
        return True

    def _size(self, first: i64, stop: i64) -> i64:
        return self._sizes[stop] - self._sizes[first]

    def _overlap(self, first: i64, stop: i64) -> i64:
        return self._sizes_below[self._stops[stop - 1]] - self._sizes_below[self._starts[first]]

    def _cost(self, first: i64, stop: i64) -> float:
        return int(self._overlap(first, stop)) / int(self._size(first, stop))

    def upper(self) -> list[TableInfo]:
        return self._level[self.first : self.stop]

    def lower(self) -> list[TableInfo]:
        return self._below[self._starts[self.first] : self._stops[self.stop - 1]]


def _sums(tables: list[TableInfo]) -> list[int]:
    """At i, the bytes of the tables before i."""
    sums = [0]
    size: i64 = 0
    for info in tables:
        size += info.size
        sums.append(size)
    return sums
