"""A load of random keys, played through the picker: no bytes, no files, no clock.

    python -m tests.engine.support.load [memory in MB] [gigabytes ...]

Keys are uniform, so a table is a range with a size, and merging cuts ranges in proportion. Writers
come as fast as they can and are slowed by the debt; one lane compacts so many bytes a second;
flushes cost nothing. It answers how often each byte is rewritten, and how long level 0 gets.
"""

from __future__ import annotations

import sys
from itertools import pairwise

from tests.format.infos import info

from kveik.engine.levels import Levels
from kveik.engine.picker import Compaction, debt, pick
from kveik.engine.shape import Shape, shape_of
from kveik.engine.state import State, empty_levels
from kveik.format.edit import Edit
from kveik.format.table import TableInfo
from kveik.limits import LEVELS, MIB

WRITERS = 90 * MIB  # bytes a second that writers bring where nothing slows them
SLOWEST = 2 * MIB  # bytes a second that they bring at a debt of 1
LANE = 150 * MIB  # bytes a second that compaction reads, merges and writes
WIDTH = 6  # bytes of a key


def key(place: int) -> bytes:
    return place.to_bytes(WIDTH, "big")


def place(bound: bytes) -> int:
    return int.from_bytes(bound, "big")


ALL = (key(1), key(256**WIDTH - 1))


class Load:
    """rewritten: bytes that compaction wrote, by the level they went to. seconds: so far.

    longest: tables that level 0 had at most. steepest: by how much one flush raised the debt.
    largest: bytes of the largest job's inputs. times: when each flush was.
    """

    def __init__(self, shape: Shape, writers: int = WRITERS) -> None:
        self.shape = shape
        self.state = State(empty_levels(), next_table=1)
        self.seconds = 0.0
        self.loaded = 0
        self.rewritten = [0] * LEVELS
        self.longest = 0
        self.steepest = 0.0
        self.largest = 0
        self.times: list[float] = []
        self._writers = writers
        self._debt = 0.0
        self._filled = 0.0  # bytes of the memtable
        self._job: Compaction | None = None
        self._ends = 0.0  # when the job is done

    def write(self, size: int) -> None:
        """Until so many bytes have been written and flushed."""
        goal = self.loaded + size
        while self.loaded < goal:
            rate = SLOWEST + (1 - self._debt) * self._writers
            wait = (self.shape.segment_size - self._filled) / rate
            if self._job is not None and self._ends < self.seconds + wait:
                self._filled += rate * (self._ends - self.seconds)
                self._settle()
            else:
                self.seconds += wait
                self._flush()

    def rest(self) -> None:
        """Until there is nothing left to do."""
        self._start(idle=True)
        while self._job is not None:
            self._settle(idle=True)

    def slowest(self, flushes: int) -> float:
        """Bytes a second that writers got through in the worst stretch of so many flushes."""
        waits = [b - a for a, b in zip(self.times, self.times[flushes:], strict=False)]
        return flushes * self.shape.segment_size / max(waits)

    def amplification(self) -> float:
        """How often compaction has written each byte that was loaded."""
        return sum(self.rewritten) / self.loaded

    def _flush(self) -> None:
        self._filled = 0.0
        self.times.append(self.seconds)
        self.loaded += self.shape.segment_size
        self._apply([(0, self._table(*ALL, self.shape.segment_size))], [])
        before, self._debt = self._debt, debt(self.state.levels, self.shape)
        self.steepest = max(self.steepest, self._debt - before)
        self.longest = max(self.longest, len(self.state.levels[0]))
        self._start()

    def _start(self, *, idle: bool = False) -> None:
        if self._job is None:
            job = self._job = pick(self.state.levels, self.shape, idle=idle)
            if job is not None:
                self._ends = self.seconds + (0 if job.move else job.size() / LANE)

    def _settle(self, *, idle: bool = False) -> None:
        """The job is done."""
        job, self._job = self._job, None
        assert job is not None
        self.seconds = self._ends
        made = job.tables()
        if not job.move:
            made = self._merged(job)
            self.rewritten[job.target] += job.size()
            self.largest = max(self.largest, job.size())
        self._apply([(job.target, one) for one in made], [one.number for one in job.tables()])
        self._debt = debt(self.state.levels, self.shape)
        self._start(idle=idle)

    def _merged(self, job: Compaction) -> list[TableInfo]:
        """The inputs' bytes, in tables of the size the job asks for."""
        made: list[TableInfo] = []
        low = min(one.low for one in job.tables())
        size = 0.0
        for start, stop, weight in pieces(job.inputs):
            at, left = start, weight
            while size + left >= job.table_size:
                at += round((stop - at) * (job.table_size - size) / left)
                left -= job.table_size - size
                made.append(self._table(low, key(at), job.table_size))
                low, size = key(at), 0.0
            size += left
        high = max(one.high for one in job.tables())
        if low < high and size >= 1:
            made.append(self._table(low, high, int(size)))
        return made

    def _table(self, low: bytes, high: bytes, size: int) -> TableInfo:
        number = self.state.next_table
        self.state.next_table += 1
        return info(number, low, high, size=size)

    def _apply(self, added: list[tuple[int, TableInfo]], removed: list[int]) -> None:
        self.state = self.state.after(Edit(added, removed))


def pieces(inputs: Levels) -> list[tuple[int, int, float]]:
    """(start, stop, bytes) between all bounds of the inputs, in order."""
    changes: dict[int, float] = {}  # place -> by how many bytes a place the inputs get denser
    for source in inputs:
        for one in source:
            low, high = place(one.low), place(one.high)
            density = one.size / (high - low)
            changes[low] = changes.get(low, 0.0) + density
            changes[high] = changes.get(high, 0.0) - density
    found = []
    density = 0.0
    for start, stop in pairwise(sorted(changes)):
        density += changes[start]
        found.append((start, stop, max(density, 0.0) * (stop - start)))
    return found


def main() -> None:
    memory, *sizes = [float(word) for word in sys.argv[1:]] or [128.0, 2.3, 10.0, 30.0, 100.0]
    print("   GB  MB/s slowest  rewritten  in all  level 0  debt/flush  largest job, MiB")
    for size in sizes:
        load = Load(shape_of(int(memory * MIB)))
        load.write(int(size * 1000 * MIB))
        pace, times = load.loaded / load.seconds / MIB, load.amplification()
        load.rest()
        print(
            f"{size:5g} {pace:5.1f} {load.slowest(4) / MIB:7.1f} {times:10.2f} "
            f"{load.amplification():7.2f} {load.longest:8} {load.steepest:11.3f} "
            f"{load.largest / MIB:17.0f}"
        )


if __name__ == "__main__":
    main()
