"""A store whose upkeep is done by hand, with segments and tables so small that a test has many."""

from __future__ import annotations

from tests.engine.support.stores import Clock, Contents, Op, commit, contents, flush, reopen

from kveik.disk.api import Disk
from kveik.engine.lanes import Lane, ThreadLane
from kveik.engine.log import Spawn
from kveik.engine.shape import Shape
from kveik.engine.upkeep import COMPACTION, FLUSH, REMOVAL, Upkeep, Work
from kveik.limits import KIB

SEGMENT = 4 * KIB
KINDS = {FLUSH: "flush", COMPACTION: "compaction", REMOVAL: "removal"}


def small_shape() -> Shape:
    shape = Shape(SEGMENT, 64 * KIB)
    shape.table_size = 8 * KIB
    shape.level0_trigger = 4
    shape.level0_idle = 2
    shape.level1_size = 16 * KIB
    shape.block_size = KIB
    return shape


class Kept:
    """`keep_up` does what is due, at once; `told` names all that was done."""

    def __init__(
        self,
        disk: Disk,
        *,
        clock: Clock = lambda: 1_000_000.0,
        spawn: Spawn | None = None,
        shape: Shape | None = None,
        lanes: tuple[Lane, Lane] | None = None,
    ) -> None:
        self.disk = disk
        self.store = reopen(disk, clock=clock, spawn=spawn, shape=shape or small_shape())
        self.upkeep = Upkeep(self.store, *(lanes or (ThreadLane(disk), ThreadLane(disk))))
        self.told: list[str] = []

    def due(self) -> Work:
        """The next step, which there must be."""
        work = self.upkeep.due()
        assert work is not None
        return work

    def do(self, work: Work) -> None:
        work.perform()
        self.upkeep.finish(work)
        self.told.append(KINDS[work.kind])

    def keep_up(self) -> None:
        while (work := self.upkeep.due()) is not None:
            self.do(work)

    def save(self, *ops: Op) -> None:
        """One commit, acknowledged, and what is due then."""
        self.write(*ops)
        self.keep_up()

    def write(self, *ops: Op) -> None:
        commit(self.store, *ops)
        flush(self.store)

    def tables(self) -> None:
        """Make a table of what is in memory."""
        self.store.rotate()
        flush(self.store, sync=False)
        self.keep_up()

    def contents(self, database: int = 0) -> Contents:
        return contents(self.store, database)

    def levels(self) -> list[int]:
        """How many tables each level has."""
        return [len(level) for level in self.store.view.version.levels]

    def close(self) -> None:
        self.upkeep.close()
        self.store.close()
