"""One history, in which each disk operation in turn is the last one, or fails.

Whatever is lost then was never acknowledged, no batch is there by half, and the store goes on.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.engine.support.history import History, check_prefix, check_survival
from tests.engine.support.stores import (
    Spawn,
    at_once,
    clear,
    commit,
    contents,
    delete,
    flush,
    put,
    reopen,
    save,
    value,
)

from kveik.disk.faulty import Fault, FaultyDisk, Plan, Stopped, crash_at, fail_nth, on_nth, tear_nth
from kveik.disk.memory import MemoryDisk
from kveik.errors import DiskFullError, FailStopError, KveikError, StorageError

pytestmark = pytest.mark.slow

BIG = 600_000  # bytes: two do not fit one segment
SEEDS = range(3)
TEARS = (1, 70, 5000)  # bytes of a write that are written all the same

Script = Callable[[History], None]


def synced_writes(history: History) -> None:
    """Every write acknowledged by a sync: overwrites, batches, deletes, rotation, reopening."""
    history.open()
    history.save(put(b"a", b"1"))
    history.commit(put(b"b", b"2"))
    history.save(delete(b"a"))
    history.save(put(b"c", b"3"), put(b"d", value(1500)), delete(b"b"), put(b"c", b"4"))
    history.save(put(b"a", value(BIG, 1)))
    history.save(put(b"e", b"5"), put(b"big", value(BIG, 2)))  # the second segment
    history.commit(put(b"f", b"6"))
    history.save(clear(), put(b"g", b"7"))
    history.close()
    history.open()
    history.save(put(b"a", b"8"), delete(b"g"))
    history.save(put(b"big", value(BIG, 3)))  # the third
    history.save(put(b"huge", value(2 * BIG, 4)))  # a segment of its own
    history.save(delete(b"big"))
    history.close()


def seldom_synced_writes(history: History) -> None:
    """As at durability "interval": written often, synced now and then."""
    history.open()
    history.commit(put(b"a", b"1"))
    history.flush(sync=False)
    history.commit(put(b"a", b"2"), put(b"b", value(1500)))
    history.flush(sync=False)
    history.save(delete(b"a"))
    history.commit(put(b"c", value(1500, 1)))
    history.flush(sync=False)
    history.commit(put(b"big", value(BIG, 1)))
    history.flush(sync=False)
    history.commit(put(b"big", value(BIG, 2)))  # the second segment
    history.flush(sync=False)
    history.commit(clear(), put(b"d", b"4"))
    history.flush(sync=False)
    history.commit(put(b"e", b"5"))
    history.close()


def never_synced_writes(history: History) -> None:
    """As at durability "none", with a process that dies before it closes."""
    history.open()
    for number in range(6):
        history.commit(put(b"a", value(900, number)), put(b"%d" % number, value(BIG // 2, number)))
        history.flush(sync=False)
        history.commit(delete(b"%d" % (number - 1)))


SCRIPTS = (synced_writes, seldom_synced_writes, never_synced_writes)
SPAWNS = (None, at_once)
every_script = pytest.mark.parametrize("script", SCRIPTS)
every_spawn = pytest.mark.parametrize(
    "spawn", SPAWNS, ids=["allocated-when-needed", "allocated-ahead"]
)


@contextmanager
def told(where: str) -> Iterator[None]:
    """Name the fault under which an assertion failed or an error came."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise


def operations(script: Script, spawn: Spawn | None) -> list[str]:
    """The kinds of the disk operations of a script that nothing disturbs."""
    kinds: list[str] = []
    disk = FaultyDisk(MemoryDisk(), lambda number, kind, name: kinds.append(kind))
    script(History(disk, spawn))
    return kinds


def until(plan: Plan, script: Script, spawn: Spawn | None) -> tuple[MemoryDisk, History]:
    """Play the script up to the stop that the plan has in it."""
    disk = MemoryDisk()
    history = History(FaultyDisk(disk, plan), spawn)
    with pytest.raises(Stopped):
        script(history)
    return disk, history


@every_script
@every_spawn
def test_after_a_crash_at_any_operation_what_was_acknowledged_is_there(
    script: Script, spawn: Spawn | None
) -> None:
    for number in range(len(operations(script, spawn))):
        disk, history = until(crash_at(number), script, spawn)
        with told(f"crash before operation {number}, nothing unsynced is left"):
            check_survival(history, disk.crash())
        for seed in SEEDS:
            with told(f"crash before operation {number}, seed {seed}"):
                check_survival(history, disk.crash(seed))


@every_script
@every_spawn
def test_after_a_kill_at_any_operation_what_was_acknowledged_is_there_and_stays(
    script: Script, spawn: Spawn | None
) -> None:
    for number in range(len(operations(script, spawn))):
        disk, history = until(crash_at(number), script, spawn)
        with told(f"kill before operation {number}"):
            check_survival(history, disk.kill())


@every_script
def test_a_write_that_a_kill_or_crash_cuts_short_takes_nothing_acknowledged(script: Script) -> None:
    kinds = operations(script, None)
    writes = [number for number, kind in enumerate(kinds) if kind == "write"]
    for number, bytes_done in itertools.product(writes, TEARS):
        disk, history = until(crash_at(number, after=bytes_done), script, None)
        with told(f"operation {number} stopped after {bytes_done} bytes"):
            check_survival(history, disk.crash(number))
            check_survival(history, disk.kill())


def test_a_crash_while_opening_after_a_crash_takes_nothing_acknowledged() -> None:
    crashed = [op for op, kind in enumerate(operations(seldom_synced_writes, None)) if op % 4 == 0]
    for first in crashed:
        disk, history = until(crash_at(first), seldom_synced_writes, None)
        for second in itertools.count():
            left = disk.crash(first)
            try:
                reopen(FaultyDisk(left, crash_at(second)))
                break
            except Stopped:
                with told(f"crash before operation {first}, then before {second} of opening"):
                    check_survival(history, left.crash(second))


def never_stopped(plan: Plan, script: Script, spawn: Spawn | None) -> tuple[MemoryDisk, History]:
    disk = MemoryDisk()
    history = History(FaultyDisk(disk, plan), spawn)
    script(history)
    return disk, history


def check_after_failure(history: History, disk: MemoryDisk) -> None:
    """However the process ends after the failure, nothing acknowledged is lost."""
    check_survival(history, disk.crash())
    check_survival(history, disk.crash(1))
    check_survival(history, disk.kill())


@every_script
@pytest.mark.parametrize(
    ("code", "spawn"), [(errno.EIO, None), (errno.ENOSPC, at_once)], ids=["EIO", "ENOSPC-ahead"]
)
def test_after_a_failure_of_any_operation_what_was_acknowledged_is_there(
    script: Script, code: int, spawn: Spawn | None
) -> None:
    for number, kind in enumerate(operations(script, spawn)):
        with told(f"operation {number}, {kind}, failed"):
            disk, history = never_stopped(fail_nth(number, code), script, spawn)
            assert all(isinstance(error, (StorageError, OSError)) for error in history.errors)
            check_after_failure(history, disk)


@every_script
def test_after_a_write_that_failed_half_way_what_was_acknowledged_is_there(script: Script) -> None:
    kinds = operations(script, None)
    writes = [number for number, kind in enumerate(kinds) if kind == "write"]
    for number, bytes_done in itertools.product(writes, TEARS):
        with told(f"operation {number} failed after {bytes_done} bytes"):
            disk, history = never_stopped(tear_nth(number, bytes_done), script, None)
            assert history.errors
            check_after_failure(history, disk)


def test_a_failed_group_stops_all_writes_until_the_store_is_reopened() -> None:
    """Each write and sync of the log in turn; nothing is written or synced after it."""
    kinds = operations(lambda history: grow(history, 4), None)
    opened = len(operations(lambda history: history.open(), None))
    for number in range(opened, len(kinds)):
        if kinds[number] not in ("write", "sync"):
            continue
        with told(f"operation {number}, {kinds[number]}, failed"):
            after_failure: list[str] = []
            disk = FaultyDisk(MemoryDisk(), failing(number, after_failure))
            history = History(disk)
            grow(history, 4)
            assert history.store is not None
            assert isinstance(history.errors[0], OSError)
            with pytest.raises(FailStopError):
                commit(history.store, put(b"more", b""))
            assert contents(history.store) == history.states[-1]
            history.store.close()
            assert after_failure == []
            with told("reopened"):
                check_prefix(history, reopen(disk))


def grow(history: History, commits: int) -> None:
    history.open()
    for number in range(commits):
        history.save(put(b"%d" % number, b"value"))


def failing(number: int, after_failure: list[str]) -> Plan:
    """Operation `number` fails; the changes tried after it are listed."""
    strike = on_nth(number, Fault(errno=errno.EIO))

    def plan(count: int, kind: str, name: str) -> Fault | None:
        if count > number and kind not in ("open", "read"):
            after_failure.append(kind)
        return strike(count, kind, name)

    return plan


def test_a_segment_that_cannot_be_made_refuses_one_commit_and_the_next_tries_again() -> None:
    """Each operation that makes the second segment in turn; what comes then is not fail-stop."""
    kinds = operations(filled, None)
    first = len(kinds) - 1 - kinds[::-1].index("create")
    assert len(kinds) - first >= 6
    for number in range(first, len(kinds)):
        for code, expected in ((errno.EIO, StorageError), (errno.ENOSPC, DiskFullError)):
            with told(f"operation {number}, {kinds[number]}, failed"):
                disk = MemoryDisk()
                history = History(FaultyDisk(disk, fail_nth(number, code)))
                filled(history)
                assert [type(error) for error in history.errors] == [expected]
                history.save(put(b"big", value(BIG, 3)))
                history.save(put(b"c", b"small"))
                assert history.store is not None
                assert history.store.failure == ""
                assert history.acknowledged == len(history.states) - 1 == 3
                check_after_failure(history, disk)


def filled(history: History) -> None:
    """The last operations make the second segment."""
    history.open()
    history.save(put(b"a", value(BIG, 1)))
    history.commit(put(b"b", value(BIG, 2)))


def test_an_opening_that_fails_says_so_and_leaves_the_directory_to_the_next() -> None:
    for code in (errno.EIO, errno.ENOSPC):
        for number in itertools.count():
            disk = MemoryDisk()
            store = reopen(disk)
            save(store, put(b"a", b"1"))
            commit(store, put(b"b", value(2000)))
            flush(store, sync=False)
            left = disk.crash(5)
            try:
                reopen(FaultyDisk(left, fail_nth(number, code)))
                break
            except (OSError, KveikError):
                with told(f"operation {number} of opening failed"):
                    assert contents(reopen(left))[b"a"] == b"1"
        assert number > 3
