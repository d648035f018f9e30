"""A history with tables, in which the power fails, or the process dies, at each disk operation.

The history is played once; before each operation that changes the disk, what would be left of it
is opened and looked at: nothing acknowledged is lost, no batch is there by half, nothing deleted is
back, and no file is there that nobody knows of.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from tests.engine.support.driver import Driver, check_survival, tiny
from tests.engine.support.lsm_script import draw_script, play
from tests.engine.support.stores import stored

from kveik.disk.faulty import Fault, FaultyDisk, Plan, Stopped
from kveik.disk.memory import MemoryDisk

pytestmark = pytest.mark.slow

ACTIONS = 160
DEEP = 20  # of so many disks that are left, one is written and compacted on
RARE = 60  # of so many operations, at one the disk that is left crashes again while it is opened
UNCHANGED = ("open", "read")  # the disk that these leave has been looked at

Look = Callable[[int], None]  # is given the number of the operation

every_history = pytest.mark.parametrize(
    ("seed", "durability"), [(1, "always"), (11, "interval"), (3, "none")]
)


class LivingDisk(MemoryDisk):
    """A disk that shows what would be left of it, and goes on."""

    def after_crash(self, seed: int | None = None) -> MemoryDisk:
        left = self.crash(seed)
        self._lost = False
        return left

    def after_kill(self) -> LivingDisk:
        left = self.kill()
        self._lost = False
        living = LivingDisk()
        living._names, living._durable = left._names, left._durable
        living._unsynced = left._unsynced
        return living


class Survivors:
    """Looks at what is left, unless just the same was left before."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._seen: dict[str, tuple[dict[str, bytes], int, int]] = {}
        self.count = 0

    def check(self, kind: str, disk: MemoryDisk) -> None:
        seen = (stored(disk), self._driver.acknowledged, self._driver.now)
        if self._seen.get(kind) != seen:
            self._seen[kind] = seen
            check_survival(self._driver, disk, deep=self.count % DEEP == 0)
            self.count += 1


def played(driver: Driver, seed: int, look: Look) -> None:
    """Play a script; `look` is called before each operation that changes the disk."""

    def plan(number: int, kind: str, name: str) -> None:
        if kind in UNCHANGED:
            return
        try:
            look(number)
        except BaseException as error:
            error.add_note(f"before operation {number}, {kind} {name}")
            raise

    driver.disk = FaultyDisk(driver.disk, plan)
    play(driver, draw_script(seed, ACTIONS), check_every=1000)
    assert driver.errors == []
    assert driver.upkeep.flushes > 10
    assert driver.upkeep.compactions > 1


@every_history
def test_after_a_crash_at_any_operation_what_was_acknowledged_is_there(
    seed: int, durability: str
) -> None:
    disk = LivingDisk()
    driver = Driver(disk, durability=durability, shape=tiny(2048))
    survivors = Survivors(driver)

    def look(number: int) -> None:
        survivors.check("synced", disk.after_crash())
        survivors.check("drawn", disk.after_crash(number))

    played(driver, seed, look)
    assert survivors.count > 200


@every_history
def test_after_a_kill_at_any_operation_what_was_acknowledged_is_there_and_stays(
    seed: int, durability: str
) -> None:
    disk = LivingDisk()
    driver = Driver(disk, durability=durability, shape=tiny(2048))
    survivors = Survivors(driver)
    played(driver, seed, lambda number: survivors.check("killed", disk.after_kill()))
    assert survivors.count > 200


@every_history
def test_a_crash_while_opening_after_a_crash_takes_nothing_acknowledged(
    seed: int, durability: str
) -> None:
    disk = LivingDisk()
    driver = Driver(disk, durability=durability, shape=tiny(2048))
    survivors = Survivors(driver)

    def look(number: int) -> None:
        if number % RARE < 2:
            crash_while_opening(driver, survivors, disk.after_kill(), number)

    played(driver, seed, look)
    assert survivors.count > 50


def crash_while_opening(driver: Driver, survivors: Survivors, disk: LivingDisk, seed: int) -> None:
    for nth in itertools.count():
        left = disk.after_kill()
        try:
            driver.like_me(FaultyDisk(left, stop_before_change(nth))).open()
        except Stopped:
            survivors.check("synced", left.after_crash())
            survivors.check("drawn", left.after_crash(seed))
            survivors.check("killed", left.after_kill())
        else:
            assert nth > 5
            return


def stop_before_change(nth: int) -> Plan:
    changes = itertools.count()

    def plan(number: int, kind: str, name: str) -> Fault | None:
        if kind not in UNCHANGED and next(changes) == nth:
            return Fault(stop=Stopped(f"before {kind} {name}"))
        return None

    return plan
