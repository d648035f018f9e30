"""What to compact next where somebody asks for a range of keys to be compacted. Pure.

Called by upkeep, again and again until nothing is left to do.
"""

from __future__ import annotations

from kveik.engine.levels import Levels, overlapping
from kveik.engine.picker import Compaction, down, from_level0
from kveik.engine.shape import Shape
from kveik.native import i64


def pick_between(levels: Levels, shape: Shape, low: bytes, high: bytes) -> Compaction | None:
    """The next step to have the entries from low to high (excluded) in one level, if any."""
    if any([info.low < high and low < info.high for info in levels[0]]):
        return from_level0(levels, shape)
    deepest: i64 = 0
    for number in range(1, len(levels)):
        if overlapping(levels[number], low, high):
            deepest = number
    level: i64 = 1
    while level < deepest:
        upper = overlapping(levels[level], low, high)
        if upper:
            first = upper[:1]
            below = overlapping(levels[level + 1], first[0].low, first[0].high)
            return down(levels, level, first, below, shape)
        level += 1
    return None
