"""Making a database, opening one, and copying one, where each disk operation in turn fails."""

from __future__ import annotations

import errno
import itertools
import os

import pytest
from tests.engine.support.driver import Driver, check_survival, outcome, put, tiny
from tests.engine.support.lsm_script import draw_script, play
from tests.engine.support.stores import stored, value

from kveik.disk.api import Disk
from kveik.disk.faulty import Fault, FaultyDisk, Stopped, crash_at, fail_nth
from kveik.disk.memory import MemoryDisk
from kveik.engine.checkpoint import write_checkpoint
from kveik.errors import KveikError, NotKveikError, OpenError, StorageError

pytestmark = pytest.mark.slow

CODES = (errno.EIO, errno.ENOSPC)

every_code = pytest.mark.parametrize("code", CODES, ids=["EIO", "ENOSPC"])


def filled(disk: Disk) -> Driver:
    """Played, and left as a process that was killed leaves it."""
    driver = Driver(disk, shape=tiny(2048))
    play(driver, draw_script(6, 150), check_every=1000)
    again = driver.like_me(disk)
    again.open()
    for number in range(30):
        again.save(put(b"k%03d" % number, value(300, number)))
    again.keep_up()
    again.save(put(b"last", b"one"))
    return again


@every_code
def test_a_database_that_could_not_be_made_can_be_made_the_next_time(code: int) -> None:
    for number in itertools.count():
        disk = MemoryDisk()
        error = outcome(Driver(FaultyDisk(disk, fail_nth(number, code))))
        if error is None:
            break
        assert isinstance(error, (OSError, StorageError))
        for left in (disk.kill(), disk.crash(number)):
            check_survival(Driver(left), left)
    assert number > 5


@every_code
def test_an_opening_that_fails_says_why_and_takes_nothing(code: int) -> None:
    driver = filled(MemoryDisk())
    disk = driver.disk
    assert isinstance(disk, MemoryDisk)
    for number in itertools.count():
        left = disk.kill()
        error = outcome(driver.like_me(FaultyDisk(left, fail_nth(number, code))))
        if error is not None:
            assert isinstance(error, (OSError, KveikError))
            assert str(error)
        check_survival(driver, left.kill(), deep=False)
        check_survival(driver, left.crash(number), deep=False)
        if error is None and number > 150:
            break


def copied(driver: Driver, target: FaultyDisk) -> None:
    snapshot = driver.store.snapshot()
    try:
        write_checkpoint(snapshot, driver.disk, target)
    finally:
        snapshot.let_go()


def check_copy(driver: Driver, disk: MemoryDisk) -> None:
    """It opens, holds what the database held, and goes its own way."""
    copy = driver.like_me(disk)
    copy.open()
    assert copy.acknowledged == driver.store.flushed
    copy.save(put(b"only", b"here"))
    copy.compact()
    copy.check()
    copy.close()
    driver.check()


def check_no_half_copy(driver: Driver, disk: MemoryDisk) -> None:
    """There is none, or, if only the end of its making is missing, it is whole."""
    if set(disk.names()) - {"MANIFEST", "MANIFEST.new", "KVEIK.new"}:
        error = outcome(driver.like_me(disk))
        assert error is None or isinstance(error, NotKveikError)


def for_a_copy() -> Driver:
    driver = filled(FaultyDisk(MemoryDisk()))
    driver.make_tables()
    return driver


def test_a_copy_that_a_crash_cuts_short_is_none_and_a_finished_one_is_whole() -> None:
    driver = for_a_copy()
    for number in itertools.count():
        disk = MemoryDisk()
        try:
            copied(driver, FaultyDisk(disk, crash_at(number)))
            break
        except Stopped:
            for left in (disk.kill(), disk.crash(), disk.crash(number)):
                check_no_half_copy(driver, left)
    check_copy(driver, disk.crash())
    assert number > 10


@every_code
def test_a_copy_that_fails_is_none_and_harms_nobody(code: int) -> None:
    driver = for_a_copy()
    before = stored(driver.disk)
    for number in itertools.count():
        disk = MemoryDisk()
        try:
            copied(driver, FaultyDisk(disk, fail_nth(number, code)))
            break
        except StorageError:
            check_no_half_copy(driver, disk)
        assert stored(driver.disk) == before
    check_copy(driver, disk)


@every_code
def test_a_copy_of_what_cannot_be_linked_is_none(code: int) -> None:
    driver = for_a_copy()
    source = driver.disk
    assert isinstance(source, FaultyDisk)
    source.plan = lambda number, kind, name: Fault(errno=code) if kind == "link" else None
    with pytest.raises(StorageError, match=os.strerror(code)):
        copied(driver, FaultyDisk(MemoryDisk()))
    driver.check()


def test_a_copy_is_not_written_over_anything() -> None:
    driver = for_a_copy()
    target = MemoryDisk()
    target.create("mine").close()
    with pytest.raises(OpenError, match="is not empty: it holds 'mine'"):
        copied(driver, FaultyDisk(target))


def test_a_copy_of_a_snapshot_is_that_of_its_instant_whatever_came_since() -> None:
    driver = for_a_copy()
    snapshot = driver.store.tables_only()
    expected = driver.like_me(MemoryDisk())
    for number in range(60):
        driver.save(put(b"k%03d" % number, value(200, number)))
        driver.keep_up()
    driver.compact()
    disk = MemoryDisk()
    write_checkpoint(snapshot, driver.disk, disk)
    snapshot.let_go()
    driver.commit(put(b"let", b"go"))
    driver.keep_up()
    assert driver.strangers() == set()
    copy = expected.like_me(disk.crash())
    copy.open()
    assert copy.acknowledged == snapshot.lsn()
