"""What to compact next, and how far behind compaction is. Pure: levels in, a job or nothing out.

Order: what can be removed unread (`drop`); the level from 1 on that is furthest over its size;
level 0 once the levels below have theirs. Waiting is what makes level 0 cheap: a job takes
all that gathered there and rewrites level 1 once for it. Taken first, level 0 would be compacted
in small jobs into a level 1 that grows and grows, and the debt never ends; writers who are slowed
as level 0 fills keep both in bounds.
Called by the store, with the levels of its newest version, whenever a lane is free.
"""

from __future__ import annotations

from typing import Final

from kveik.engine.hidden import Clears, hidden_tables
from kveik.engine.levels import Levels, high_of, is_bottom, low_of, overlapping, total
from kveik.engine.shape import Shape
from kveik.engine.window import Window
from kveik.format.table import TableInfo
from kveik.limits import LEVELS
from kveik.native import i64

TINY: Final = 16  # times: level 0 is merged with itself before it rewrites so much more
DRAINED: Final = 90  # percent of its target, to which one job may bring a level
OVERLAP: Final = 0.4  # of what lies below on average, which the cheapest step overlaps
LEVEL0_COST: Final = 1.5  # times that a byte is written for the way to level 1, under load
MOST_EXCESS: Final = 0.8  # of the debt, that levels below 0 can make by themselves


class Compaction:
    """Tables to merge into level `target`, to move there as they are, or to drop unread.

    inputs: sources, the newest first, each of disjoint tables by key. move: nothing overlaps, so
    that the tables only change their level. drop: tables that a newer clear hides wholly (there
    are no inputs then). bottom: nothing older overlaps the range below the target.
    table_size: of the tables to be made, 0 for one table of any size.
    """

    __slots__ = ("bottom", "drop", "inputs", "level", "move", "table_size", "target")

    def __init__(
        self,
        level: i64,
        target: i64,
        inputs: list[list[TableInfo]],
        *,
        bottom: bool = False,
        move: bool = False,
        drop: list[TableInfo] | None = None,
        table_size: i64 = 0,
    ) -> None:
        self.level = level
        self.target = target
        self.inputs = inputs
        self.bottom = bottom
        self.move = move
        self.drop = drop or []
        self.table_size = table_size

    def tables(self) -> list[TableInfo]:
        """All inputs."""
        return [info for source in self.inputs for info in source]

    def size(self) -> i64:
        """Bytes of all inputs."""
        return total(self.tables())

    def most_tables(self) -> i64:
        """More tables than it can make, so many numbers to reserve."""
        if self.table_size == 0:
            return 1
        # Compressed blocks may grow when they are written as they are; and tables end early.
        return 8 + 16 * (self.size() // self.table_size)


def pick(
    levels: Levels, shape: Shape, *, idle: bool = False, clears: Clears | None = None
) -> Compaction | None:
    """The next compaction, None if all is well.

    idle: nobody has written for a while, so that there is time to tidy up. clears: the ranges of
    tables that have some, as far as they are known.
    """
    hidden = hidden_tables(levels, clears or {})
    if hidden:
        return Compaction(0, 0, [], drop=hidden)
    worst: i64 = 0
    worst_score = 1.0
    level: i64 = 1
    while level < LEVELS - 1:
        score = int(total(levels[level])) / int(shape.target(level))
        if score > worst_score:
            worst_score = score
            worst = level
        level += 1
    if worst > 0:
        return _step(levels, worst, shape)
    if len(levels[0]) >= (shape.level0_idle if idle else shape.level0_trigger):
        return from_level0(levels, shape)
    return _buried(levels, shape)


def debt(levels: Levels, shape: Shape) -> float:
    """How far compaction is behind: 0.0 not at all, to 1.0, where writers should be slowed hard.

    It counts tables of level 0, and what is too much further down as so many tables as cost the
    same to settle. So it stays where it is when a job takes level 0 down, which then still has to
    go further, and falls evenly while the deeper jobs run: writers keep one pace through a cycle.
    One flush adds 1 / (level0_full - level0_slow).
    """
    wide: int = int(shape.level0_full - shape.level0_slow)
    tables = len(levels[0]) + min(_excess(levels, shape), MOST_EXCESS * wide)
    return min(1.0, max(0.0, (tables - int(shape.level0_slow)) / wide))


def _excess(levels: Levels, shape: Shape) -> float:
    """What levels have over their targets, in tables of level 0 that cost as much to settle."""
    work = 0.0
    rest = 0.0  # how often a byte that comes to the level below is still rewritten
    full = 0.0  # to which part the level below is full, and hands on what it gets
    below = 0.0  # bytes of the level below
    level: i64 = LEVELS - 2
    while level > 0:
        size: int = int(total(levels[level]))
        target: int = int(shape.target(level))
        rest = full * rest + (1 + OVERLAP * below / target if below > 0 else 0.0)
        work += max(0, size - target) * rest
        full = min(1.0, size / target)
        below = float(size)
        level -= 1
    return work / (full * rest + LEVEL0_COST) / int(shape.segment_size)


# --- level 0 ------------------------------------------------------------------------------------


def from_level0(levels: Levels, shape: Shape) -> Compaction:
    movable = _movable(levels, shape)
    if movable:
        return Compaction(0, 1, [movable], move=True)
    chosen = _oldest_group(levels[0])
    if total(chosen) < shape.table_size:  # too little by itself to be a table further down
        chosen = levels[0]
    chosen = _last_within(chosen, shape.job_size)
    low = min(map(low_of, chosen))
    high = max(map(high_of, chosen))
    below = overlapping(levels[1], low, high)
    size = total(chosen)
    if len(chosen) > 1 and size < shape.table_size and TINY * size < total(below):
        return Compaction(0, 0, [[info] for info in chosen])
    low = min(map(low_of, chosen + below))  # what lies below may reach further
    high = max(map(high_of, chosen + below))
    return Compaction(
        0,
        1,
        _sources([[info] for info in chosen], below),
        bottom=is_bottom(levels, 1, low, high),
        table_size=_even_size(size + total(below), shape.table_size),
    )


def _movable(levels: Levels, shape: Shape) -> list[TableInfo]:
    """By key, tables of level 0 that share keys with no other there and with none of level 1."""
    level = sorted(levels[0], key=low_of)
    found: list[TableInfo] = []
    reach = b""  # to which the tables before go
    for at, info in enumerate(level):
        alone = reach <= info.low and (at + 1 == len(level) or info.high <= level[at + 1].low)
        # Small ones are merged, or keys written in order would end in a myriad of small files.
        large = 8 * info.size >= shape.table_size
        if alone and large and not overlapping(levels[1], info.low, info.high):
            found.append(info)
        reach = max(reach, info.high)
    return found


def _oldest_group(level: list[TableInfo]) -> list[TableInfo]:
    """The oldest table, and all that share keys with it or with each other; the newest first."""
    chosen = [level[-1]]
    low, high = level[-1].low, level[-1].high
    grown = True
    while grown:
        found = [info for info in level if info.low < high and low < info.high]
        grown = len(found) > len(chosen)
        chosen = found
        low = min(map(low_of, chosen))
        high = max(map(high_of, chosen))
    return chosen


def _last_within(tables: list[TableInfo], bound: i64) -> list[TableInfo]:
    """The last tables, at least one, that have so many bytes together."""
    size: i64 = 0
    first: i64 = len(tables)
    while first > 0 and (size == 0 or size + tables[first - 1].size <= bound):
        first -= 1
        size += tables[first].size
    return tables[first:]


# --- the levels below ---------------------------------------------------------------------------


def _step(levels: Levels, level: i64, shape: Shape) -> Compaction:
    """From a level that is too large to the next: where it costs least a byte."""
    spare = total(levels[level]) - shape.target(level) * DRAINED // 100
    window = Window(levels[level], levels[level + 1])
    window.place()
    window.grow(shape.job_size, spare)
    return down(levels, level, window.upper(), window.lower(), shape)


def down(
    levels: Levels, level: i64, upper: list[TableInfo], lower: list[TableInfo], shape: Shape
) -> Compaction:
    """The compaction of neighbours, and of what overlaps them in the level below."""
    if not lower and not _has_buried(upper):
        return Compaction(level, level + 1, [upper], move=True)
    low = min(upper[0].low, lower[0].low) if lower else upper[0].low
    high = max(upper[-1].high, lower[-1].high) if lower else upper[-1].high
    size = total(upper) + total(lower)
    return Compaction(
        level,
        level + 1,
        _sources([upper], lower),
        bottom=is_bottom(levels, level + 1, low, high),
        table_size=_even_size(size, shape.table_size),
    )


def _buried(levels: Levels, shape: Shape) -> Compaction | None:
    """Where nothing presses: down with a table that mostly says what is deleted."""
    level: i64 = 1
    while level < LEVELS - 1:
        for info in levels[level]:
            if _has_buried([info]):
                below = overlapping(levels[level + 1], info.low, info.high)
                return down(levels, level, [info], below, shape)
        level += 1
    return None


def _has_buried(tables: list[TableInfo]) -> bool:
    """Whether one is worth rewriting for its tombstones alone."""
    return any(2 * info.tombstones > info.entries for info in tables)


def _sources(newer: list[list[TableInfo]], below: list[TableInfo]) -> list[list[TableInfo]]:
    return [*newer, below] if below else newer


def _even_size(size: i64, table_size: i64) -> i64:
    """At most table_size, such that the last of the tables made is about as large as the others."""
    count = (size + table_size - 1) // table_size
    return min(table_size, size // count + size // count // 64 + 1)
