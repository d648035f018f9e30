"""Tables that can go unread, since a range that was cleared hides them. Pure; the picker calls.

A clear hides what is older than its table: all deeper levels, and in level 0 the tables behind it.
"""

from __future__ import annotations

from kveik.engine.levels import Levels, is_bottom
from kveik.format.table import TableInfo
from kveik.native import i64

Clears = dict[int, list[tuple[bytes, bytes]]]  # by table number


def hidden_tables(levels: Levels, clears: Clears) -> list[TableInfo]:
    """Tables that newer clears hide wholly, and tables of clears that hide nothing any more."""
    found: list[TableInfo] = []
    ranges: list[tuple[bytes, bytes]] = []  # of all newer tables
    for number, level in enumerate(levels):
        below: list[tuple[bytes, bytes]] = []
        for at, info in enumerate(level):
            if _is_covered(info, ranges) or (info.entries == 0 and _is_oldest(levels, number, at)):
                found.append(info)
            elif info.clears > 0:
                below += _clears_of(info, clears)
                if number == 0:
                    ranges, below = ranges + below, []
        ranges += below
    return found


def _is_covered(info: TableInfo, ranges: list[tuple[bytes, bytes]]) -> bool:
    return any(start <= info.low and info.high <= stop for start, stop in ranges)


def _is_oldest(levels: Levels, number: i64, at: i64) -> bool:
    """Whether no older table shares keys with this one."""
    info = levels[number][at]
    if number == 0:
        for older in levels[0][at + 1 :]:
            if older.low < info.high and info.low < older.high:
                return False
    return is_bottom(levels, number, info.low, info.high)


def _clears_of(info: TableInfo, clears: Clears) -> list[tuple[bytes, bytes]]:
    known = clears.get(info.number)
    if known is not None:
        return known
    # A single clear and nothing else: the bounds are its bounds.
    return [(info.low, info.high)] if info.clears == 1 and info.entries == 0 else []
