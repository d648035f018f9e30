"""Temporary."""

from __future__ import annotations

from kveik.engine.shape import Shape
from kveik.format.table import TableInfo
from kveik.native import i64


class Cursors:
    def __init__(self) -> None:
        self.at: dict[int, bytes] = {}


class Compaction:
    def __init__(self, inputs: list[list[TableInfo]], target: i64, bottom: bool, move: bool) -> None:
        self.inputs = inputs
        self.target = target
        self.bottom = bottom
        self.move = move

    def most_tables(self, size: i64) -> i64:
        total: i64 = 0
        for source in self.inputs:
            for info in source:
                total += info.size
        return total // size * 2 + 10


def overlap(level: list[TableInfo], low: bytes, high: bytes) -> list[TableInfo]:
    return [i for i in level if i.low < high and low < i.high]


def pick(levels: list[list[TableInfo]], shape: Shape, cursors: Cursors) -> Compaction | None:
    if len(levels[0]) >= 4:
        tables = levels[0]
        return make(levels, 0, [[t] for t in tables])
    target = shape.level1
    for n in range(1, len(levels) - 1):
        if sum([i.size for i in levels[n]]) > target:
            cursor = cursors.at.get(n, b"")
            later = [i for i in levels[n] if i.low > cursor] or levels[n]
            cursors.at[n] = later[0].low
            return make(levels, n, [[later[0]]])
        target *= 10
    return None


def make(levels: list[list[TableInfo]], n: int, sources: list[list[TableInfo]]) -> Compaction:
    low = min([i.low for s in sources for i in s])
    high = max([i.high for s in sources for i in s])
    below = overlap(levels[n + 1], low, high)
    if below:
        low = min(low, below[0].low)
        high = max(high, below[-1].high)
    bottom = not any([overlap(level, low, high) for level in levels[n + 2 :]])
    move = not below and len(sources) == 1 and sources[0][0].clears == 0
    return Compaction(sources + ([below] if below else []), n + 1, bottom, move)


def debt(levels: list[list[TableInfo]], shape: Shape) -> float:
    return len(levels[0]) / 20.0


def pick_between(
    levels: list[list[TableInfo]], shape: Shape, low: bytes, high: bytes
) -> Compaction | None:
    deepest = max([n for n in range(len(levels)) if levels[n]], default=0)
    for n in range(0, max(deepest, 1)):
        found = overlap(levels[n], low, high)
        if found:
            if n == 0:
                return make(levels, 0, [[t] for t in levels[0]])
            return make(levels, n, [[found[0]]])
    return None
