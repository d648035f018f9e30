"""Looking into levels of tables: pure helpers of who plans compactions.

Level 0 stands newest first and may overlap; in the others tables stand by key and are disjoint.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from kveik.format.table import TableInfo
from kveik.limits import LEVELS
from kveik.native import i64

Levels = list[list[TableInfo]]


def total(tables: list[TableInfo]) -> i64:
    """Bytes of all tables."""
    size: i64 = 0
    for info in tables:
        size += info.size
    return size


def overlapping(level: list[TableInfo], low: bytes, high: bytes) -> list[TableInfo]:
    """The tables of a level from 1 on that share keys with low (included) to high (excluded)."""
    first = bisect_right(level, low, key=high_of)
    return level[first : bisect_left(level, high, lo=first, key=low_of)]


def low_of(info: TableInfo) -> bytes:
    return info.low


def high_of(info: TableInfo) -> bytes:
    return info.high


def is_bottom(levels: Levels, target: i64, low: bytes, high: bytes) -> bool:
    """Whether nothing below the target shares keys with the range."""
    level = target + 1
    while level < LEVELS:
        if overlapping(levels[level], low, high):
            return False
        level += 1
    return True
