"""A history with tables, in which each disk operation in turn fails, or finds the disk full.

What is read stays right, what is refused is refused with an error that says why, a full disk heals
by itself when there is room, and whatever comes next, nothing acknowledged is lost.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.engine.support.driver import Driver, Step, check_survival, put, tiny
from tests.engine.support.lsm_script import KEYS, draw_script, play
from tests.engine.support.stores import value

from kveik.disk.faulty import Fault, FaultyDisk, Plan, fail_nth, tear_nth
from kveik.disk.memory import MemoryDisk
from kveik.errors import DiskFullError, FailStopError, StorageError
from kveik.limits import MAX_FROZEN

pytestmark = pytest.mark.slow

ACTIONS = 75
NEEDS_ROOM = ("create", "allocate", "rename", "link", "write")
SEED = 4

Operation = tuple[str, str]  # kind, file name

every_durability = pytest.mark.parametrize("durability", ["always", "none"])


@contextmanager
def told(where: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise


def operations(durability: str) -> list[Operation]:
    """Those of the history that nothing disturbs."""
    found: list[Operation] = []
    played(durability, MemoryDisk(), lambda number, kind, name: found.append((kind, name)))
    return found


def played(durability: str, disk: MemoryDisk, plan: Plan) -> Driver:
    driver = Driver(FaultyDisk(disk, plan), durability=durability, shape=tiny(2048))
    play(driver, draw_script(SEED, ACTIONS), check_every=50)
    return driver


def heals(kind: str, name: str) -> bool:
    """Whether the store goes on where there was no room for this.

    It does not where a failure leaves it open what is on the disk: at a write to the log, whose
    room had been made, and at a sync of the log, of the manifest, or of the manifest's name.
    """
    if "tbl" in name or kind in ("open", "read", "remove"):
        return "log" not in name or kind != "open"
    if name.startswith("MANIFEST"):
        return kind in ("create", "write")
    return kind in ("create", "allocate", "rename")


@every_durability
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_after_a_failure_of_any_operation_what_was_acknowledged_is_there(
    code: int, durability: str
) -> None:
    for number, (kind, name) in enumerate(operations(durability)):
        with told(f"operation {number}, {kind} {name}, failed"):
            disk = MemoryDisk()
            driver = played(durability, disk, fail_nth(number, code))
            assert all(isinstance(error, (StorageError, OSError)) for error in driver.errors)
            if code == errno.ENOSPC and heals(kind, name):
                assert driver.store.failure == ""
            for left in (disk.kill(), disk.crash(number)):
                check_survival(driver, left, deep=number % 20 == 0)


@every_durability
def test_after_a_write_that_failed_half_way_what_was_acknowledged_is_there(durability: str) -> None:
    for number, (kind, name) in enumerate(operations(durability)):
        for code, done in ((errno.EIO, 40), (errno.ENOSPC, 700)) if kind == "write" else ():
            with told(f"operation {number}, {kind} {name}, failed after {done} bytes"):
                disk = MemoryDisk()
                driver = played(durability, disk, tear_nth(number, done, code))
                for left in (disk.kill(), disk.crash(number)):
                    check_survival(driver, left, deep=number % 20 == 0)


class FillingDisk(FaultyDisk):
    """A disk that has room, or none for anything new. The log's room has been made beforehand."""

    def __init__(self, disk: MemoryDisk) -> None:
        super().__init__(disk, self._plan)
        self.full = False

    def _plan(self, number: int, kind: str, name: str) -> Fault | None:
        into_log = kind == "write" and name.endswith(".log.new")
        if self.full and kind in NEEDS_ROOM and not into_log:
            return Fault(errno=errno.ENOSPC)
        return None


def some(number: int) -> Step:
    return put(KEYS[number % len(KEYS)], value(150, number))


@every_durability
@pytest.mark.parametrize("ahead", [True, False])
def test_a_full_disk_takes_reads_refuses_writes_and_heals_when_there_is_room(
    durability: str, ahead: bool
) -> None:
    disk = FillingDisk(MemoryDisk())
    driver = Driver(disk, durability=durability, ahead=ahead, shape=tiny(2048))
    driver.open()
    numbers = itertools.count()
    for when in range(3):
        for number in itertools.islice(numbers, 150):
            driver.save(some(number))
            driver.keep_up()
        assert driver.errors == []
        before = set(disk.names())
        disk.full = True
        for number in itertools.islice(numbers, 150):
            driver.save(some(number))
            driver.room_again()  # there is none: it is tried in vain
        driver.freeze()
        driver.check()
        assert isinstance(driver.errors[-1], DiskFullError)
        assert all(isinstance(error, DiskFullError) for error in driver.errors)
        assert driver.store.waiting() <= MAX_FROZEN
        assert not {name for name in set(disk.names()) - before if ".tbl" in name}
        disk.full = False
        driver.errors = []
        driver.room_again()
        driver.save(some(next(numbers)))
        assert driver.errors == []
        assert driver.store.full == driver.store.failure == ""
        driver.thaw()
        driver.compact()
        driver.check()
        assert driver.strangers() == set(), when
    check_survival(driver, disk.disk.crash())  # type: ignore[attr-defined]


@every_durability
def test_files_that_cannot_be_removed_for_want_of_room_are_removed_later(durability: str) -> None:
    plan: Plan = lambda number, kind, name: (  # noqa: E731
        Fault(errno=errno.ENOSPC) if kind == "remove" else None
    )
    disk = FaultyDisk(MemoryDisk(), plan)
    driver = Driver(disk, durability=durability, shape=tiny(2048))
    driver.open()
    for number in range(200):
        driver.save(some(number))
        driver.keep_up()
    driver.compact()
    assert driver.strangers()
    assert driver.errors == []
    disk.plan = lambda number, kind, name: None
    driver.room_again()
    assert driver.strangers() == set()


def test_a_store_whose_tables_cannot_be_made_says_so_and_still_shows_everything() -> None:
    disk = FaultyDisk(MemoryDisk())
    driver = Driver(disk)
    driver.open()
    for number in range(20):
        driver.save(some(number))
    disk.plan = lambda number, kind, name: (
        Fault(errno=errno.EIO) if kind == "sync" and ".tbl" in name else None
    )
    driver.make_tables()
    with pytest.raises(FailStopError, match=r"the tables could not be kept up .*Input/output"):
        driver.store.rotate()
    driver.save(put(b"more", b""))
    assert "no writes until reopened" in str(driver.errors[-1])
    driver.check()
    driver.close()
    disk.plan = lambda number, kind, name: None
    again = driver.like_me(disk)
    again.open()
    again.compact()
    again.check()
    assert again.errors == []


@pytest.mark.parametrize("durability", ["always", "interval", "none"])
def test_what_was_committed_before_the_tables_failed_still_comes_to_the_disk(
    durability: str,
) -> None:
    disk = FaultyDisk(MemoryDisk())
    driver = Driver(disk, durability=durability)
    driver.open()
    driver.save(some(1))
    driver.store.rotate()
    driver.flush()
    driver.commit(some(2))
    disk.plan = lambda number, kind, name: (
        Fault(errno=errno.EIO) if kind == "write" and ".tbl" in name else None
    )
    driver.keep_up()
    assert driver.store.failure
    driver.flush()
    driver.close()
    disk.plan = lambda number, kind, name: None
    assert driver.store.synced() == 2
    again = driver.like_me(disk)
    again.open()
    assert again.acknowledged == 2
