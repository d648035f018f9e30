"""The log: one order of commits, in groups, in segments, of which each is safe before the next."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.engine.support.segments import logs, lsns, places, read, records
from tests.engine.support.stores import (
    SEGMENT,
    Trace,
    at_once,
    commit,
    contents,
    delete,
    flush,
    put,
    reopen,
    save,
    stored,
    traced,
    value,
    writes_of,
)

from kveik.disk.faulty import Fault, FaultyDisk, Plan, fail_each, no_faults
from kveik.disk.memory import MemoryDisk
from kveik.engine.log import Segment, Spawn
from kveik.engine.store import Store
from kveik.errors import (
    ClosedError,
    DiskFullError,
    FailStopError,
    LimitError,
    ReadOnlyError,
    StorageError,
)
from kveik.format.segment import HEAD_SIZE, decode_head, segment_name
from kveik.limits import MAX_VALUE
from kveik.model import BYTES, Cell, Writes

BIG = SEGMENT * 2 // 3  # bytes: two do not fit one segment

# --- order and groups ---------------------------------------------------------------------------


def test_lsns_rise_by_one_with_each_commit_over_groups_segments_and_openings() -> None:
    disk = MemoryDisk()
    given = []
    for _ in range(3):
        store = reopen(disk)
        for number in range(3):
            given.append(commit(store, put(b"small", b"%d" % number)))
            given.append(commit(store, put(b"big", value(BIG, number)), delete(b"small")))
            flush(store, sync=number != 1)
        store.close()
    assert given == list(range(1, 19))
    assert lsns(disk) == given
    assert len(logs(disk)) > 3


def test_a_group_takes_all_that_gathered_and_writes_and_syncs_it_once() -> None:
    disk, trace = traced(MemoryDisk())
    store = reopen(disk)
    for number in range(100):
        commit(store, put(b"%d" % number, b"v"))
    trace.clear()
    group = store.take(True)
    assert group is not None
    assert group.lsn == 100
    assert store.pending() == 0
    group.perform()
    assert [kind for kind, _ in trace] == ["write", "sync"]
    store.settle(group)
    assert store.synced() == 100
    assert store.take(True) is None


def test_what_comes_while_a_group_is_written_waits_for_the_next() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    commit(store, put(b"a", b"1"))
    first = store.take(True)
    commit(store, put(b"b", b"2"))
    assert first is not None
    first.perform()
    assert store.synced() == 0  # until it is settled
    store.settle(first)
    assert store.synced() == 1
    assert contents(reopen(disk.crash())) == {b"a": b"1"}


def test_pending_bytes_are_those_that_nobody_has_taken() -> None:
    store = reopen(MemoryDisk())
    assert store.pending() == 0
    commit(store, put(b"a", value(1000)))
    assert 1000 < store.pending() < 1100
    flush(store, sync=False)
    assert store.pending() == 0


def test_written_and_not_synced_is_synced_by_a_later_group_that_has_nothing_to_write() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    commit(store, put(b"a", b"1"))
    flush(store, sync=False)
    assert store.synced() == 0
    assert store.take(False) is None
    flush(store)
    assert store.synced() == 1
    assert contents(reopen(disk.crash())) == {b"a": b"1"}


def test_a_group_of_many_bytes_is_several_records_and_no_commit_is_cut() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"large", value(3 * SEGMENT)))  # leaves no room: what follows rotates
    for number in range(12):
        commit(store, put(b"%d" % number, value(BIG // 2, number)), put(b"last", b"%d" % number))
    flush(store)
    found = contents(reopen(disk.crash()))
    assert {key: found[key] for key in (b"0", b"11")} == {
        b"0": value(BIG // 2, 0),
        b"11": value(BIG // 2, 11),
    }
    assert lsns(disk.crash()) == list(range(1, 14))


@pytest.mark.parametrize("performed", [False, True])
def test_a_group_that_was_put_back_comes_before_what_gathered_meanwhile(performed: bool) -> None:
    """Somebody was interrupted, perhaps after the write; meanwhile the next segment was begun."""
    memory = MemoryDisk()
    disk, trace = traced(memory)
    store = reopen(disk)
    commit(store, put(b"a", value(BIG)))
    group = store.take(True)
    assert group is not None
    commit(store, put(b"b", value(BIG, 1)))  # in the next segment
    if performed:
        group.perform()
    store.put_back(group)
    trace.clear()
    flush(store)
    assert contents(reopen(memory.crash())) == {b"a": value(BIG), b"b": value(BIG, 1)}
    logs_touched = [name for kind, name in trace if kind in ("write", "sync")]
    assert logs_touched == sorted(logs_touched)


def test_a_group_that_was_put_back_after_it_had_ended_a_segment_can_be_performed_again() -> None:
    memory = MemoryDisk()
    store = reopen(memory)
    for number in range(3):
        commit(store, put(b"%d" % number, value(BIG, number)))
    group = store.take(True)
    assert group is not None
    group.perform()
    store.put_back(group)
    save(store, put(b"last", b"one"))
    assert set(contents(reopen(memory.crash()))) == {b"0", b"1", b"2", b"last"}


# --- marks --------------------------------------------------------------------------------------


def test_a_group_begins_with_a_mark_that_vouches_for_what_was_synced_before() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    for number in range(3):
        save(store, put(b"a", b"%d" % number))
    assert records(disk, segment_name(1)) == [
        ("commits", 1),
        *[("mark", 1), ("commits", 2)],
        *[("mark", 2), ("commits", 3)],
    ]


def test_a_mark_never_vouches_for_what_is_not_yet_synced() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    for sync in (False, False, True, False, False):
        commit(store, put(b"a", b"1"))
        flush(store, sync=sync)
    commits = [("commits", 1), ("commits", 2), ("commits", 3)]
    assert records(disk, segment_name(1)) == [*commits, ("mark", 3), ("commits", 4), ("commits", 5)]


def test_a_mark_leaves_out_what_was_written_after_the_sync_that_it_vouches_for() -> None:
    """The second commit came while the first was synced, and was then only written."""
    disk = MemoryDisk()
    store = reopen(disk)
    commit(store, put(b"a", b"1"))
    synced = store.take(True)
    assert synced is not None
    commit(store, put(b"a", b"2"))
    synced.perform()
    store.settle(synced)
    flush(store, sync=False)
    commit(store, put(b"a", b"3"))
    flush(store, sync=False)
    commits = [("commits", 1), ("commits", 2)]
    assert records(disk, segment_name(1)) == [*commits, ("mark", 1), ("commits", 3)]


def test_closing_writes_what_is_left_and_a_last_mark() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    commit(store, put(b"b", b"2"))
    store.close()
    left = disk.crash()
    assert records(left, segment_name(1))[-2:] == [("commits", 2), ("mark", 2)]
    assert contents(reopen(left)) == {b"a": b"1", b"b": b"2"}


def test_every_cleanly_closed_log_ends_with_a_mark_for_its_last_commit() -> None:
    """Also one whose last record was too large for a usual segment."""
    for size in (1, SEGMENT - 300, SEGMENT, 2 * SEGMENT):
        disk = MemoryDisk()
        store = reopen(disk)
        save(store, put(b"a", b"1"))
        save(store, put(b"b", value(size)))
        store.close()
        assert records(disk, logs(disk)[-1])[-1] == ("mark", 2), size


def test_openings_without_a_write_do_not_make_the_log_longer() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    store.close()
    before = {name: read(disk, name) for name in logs(disk)}
    for _ in range(3):
        reopen(disk).close()
    assert {name: read(disk, name) for name in logs(disk)} == before


# --- segments -----------------------------------------------------------------------------------


def records_of(trace: Trace) -> Iterator[tuple[int, str, int]]:
    """(place in the trace, kind, segment number) of what happens to finished segments."""
    finished: set[str] = set()
    for place, (kind, name) in enumerate(trace):
        if kind == "rename":
            finished.add(name)
        elif name in finished:
            yield place, kind, int(name.split(".")[0])


def check_each_segment_is_synced_before_the_next_is_written(trace: Trace) -> None:
    unsynced: set[int] = set()
    segments = set()
    for place, kind, number in records_of(trace):
        if kind == "write":
            assert all(other >= number for other in unsynced), trace[: place + 1]
            unsynced.add(number)
            segments.add(number)
        elif kind == "sync":
            unsynced.discard(number)
    assert len(segments) > 3


def in_a_thread() -> tuple[Spawn, ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(1)
    return pool.submit, pool


@pytest.mark.parametrize("sync_every", [1, 3, 100])
@pytest.mark.parametrize("ahead", ["no", "at once", "in a thread"])
def test_a_segment_is_synced_before_the_next_is_written(sync_every: int, ahead: str) -> None:
    """However seldom anybody asks for a sync."""
    spawn, pool = in_a_thread()
    disk, trace = traced(MemoryDisk())
    store = reopen(disk, spawn={"no": None, "at once": at_once, "in a thread": spawn}[ahead])
    for number in range(10):
        commit(store, put(b"big", value(BIG, number)))
        commit(store, put(b"small", b"%d" % number))
        if number % 2:
            flush(store, sync=number % sync_every == 0)
    store.close()
    pool.shutdown()
    check_each_segment_is_synced_before_the_next_is_written(trace)


def test_a_segment_gets_its_name_once_its_room_and_its_head_are_on_the_disk() -> None:
    disk, trace = traced(MemoryDisk())
    reopen(disk)
    new = segment_name(1) + ".new"
    made = [kind for kind, _ in trace[trace.index(("create", new)) :]]
    steps = [kind for kind, _ in itertools.groupby(made)]
    assert steps[:6] == ["create", "allocate", "write", "sync", "rename", "sync_names"]


def test_a_commit_that_does_not_fit_goes_to_the_next_segment_whole() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    commit(store, put(b"a", value(BIG)))
    commit(store, put(b"b", value(BIG)))
    flush(store)
    assert records(disk, segment_name(1)) == [("commits", 1)]
    assert records(disk, segment_name(2))[-1] == ("commits", 2)
    assert contents(reopen(disk.crash())) == {b"a": value(BIG), b"b": value(BIG)}


def test_segments_differ_in_salt_and_agree_in_the_database() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    for number in range(4):
        save(store, put(b"a", value(BIG, number)))
    heads = [decode_head(data) for name, data in stored(disk).items() if name.endswith(".log")]
    assert [head.number for head in heads] == [1, 2, 3, 4]
    assert len({head.salt for head in heads}) == 4
    assert len({head.database_id for head in heads}) == 1


def test_no_record_reaches_past_its_segment_however_the_sizes_fall() -> None:
    """One that did would grow the file, and be damage to whoever reads it."""
    for size in range(SEGMENT - 260, SEGMENT - 40, 7):
        disk = MemoryDisk()
        store = reopen(disk)
        save(store, put(b"a", b"1"))
        save(store, put(b"b", value(size)))
        save(store, put(b"c", value(30)))
        store.close()
        for name in logs(disk):
            data = stored(disk)[name]
            assert decode_head(data).size == len(data), size
            assert len(data) < SEGMENT + 200
        assert contents(reopen(disk)) == {b"a": b"1", b"b": value(size), b"c": value(30)}


@pytest.mark.parametrize("spawn", [None, at_once])
def test_a_record_larger_than_a_segment_gets_a_segment_of_its_own(spawn: Spawn | None) -> None:
    disk = MemoryDisk()
    store = reopen(disk, spawn=spawn)
    save(store, put(b"before", value(BIG)))  # more than half: a segment is made ahead
    save(store, put(b"large", value(5 * SEGMENT)))
    save(store, put(b"after", b"1"))
    expected = {b"before": value(BIG), b"large": value(5 * SEGMENT), b"after": b"1"}
    assert contents(store) == expected
    sizes = [len(stored(disk)[name]) for name in logs(disk)]
    assert sum(size > 5 * SEGMENT for size in sizes) == 1
    assert all(size == SEGMENT for size in sizes if size <= 5 * SEGMENT)
    again = reopen(disk.crash(), spawn=spawn)
    assert contents(again) == expected
    save(again, put(b"more", b"2"))
    assert contents(again) == {**expected, b"more": b"2"}


def test_a_batch_past_its_bound_is_refused_and_nothing_happens() -> None:
    store = reopen(MemoryDisk())
    writes = Writes()
    for number in range(3):
        writes.put(b"\x00%d" % number, Cell(BYTES, bytes(MAX_VALUE)))
    with pytest.raises(LimitError, match="batch"):
        store.commit(writes)
    assert (store.lsn(), store.pending(), contents(store)) == (0, 0, {})
    save(store, put(b"a", b"1"))
    assert contents(store) == {b"a": b"1"}


# --- segments allocated ahead -------------------------------------------------------------------


class Spawned:
    """A spawn function that keeps the jobs until they are asked for."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], Segment], Future[Segment]]] = []

    def __call__(self, job: Callable[[], Segment]) -> Future[Segment]:
        future: Future[Segment] = Future()
        self.jobs.append((job, future))
        return future

    def work(self) -> None:
        for job, future in self.jobs:
            if not future.done():
                future.set_result(job())


def test_a_segment_is_allocated_ahead_once_a_quarter_of_the_one_before_is_used() -> None:
    spawned = Spawned()
    memory = MemoryDisk()
    disk, trace = traced(memory)
    store = reopen(disk, spawn=spawned)
    save(store, put(b"a", value(SEGMENT // 4 - 200)))
    assert spawned.jobs == []
    save(store, put(b"b", value(200)))
    save(store, put(b"c", b"1"))
    assert len(spawned.jobs) == 1
    spawned.work()
    trace.clear()
    save(store, put(b"d", value(SEGMENT * 3 // 4)))
    assert [kind for kind, _ in trace] == ["sync", "write", "sync"]  # nothing had to be made
    assert logs(disk) == [segment_name(1), segment_name(2)]
    assert len(contents(reopen(memory.crash()))) == 4


def test_a_segment_that_was_allocated_ahead_and_not_needed_is_no_trouble() -> None:
    disk = MemoryDisk()
    for number in range(4):
        store = reopen(disk, spawn=at_once)
        save(store, put(b"%d" % number, value(BIG if number == 0 else 10)))
        store.close()
    assert len(contents(reopen(disk))) == 4
    assert lsns(disk) == [1, 2, 3, 4]


def test_closing_waits_for_a_segment_that_is_being_made() -> None:
    """The lock must not be released while something still writes to the directory."""
    pool = ThreadPoolExecutor(1)
    slow = FaultyDisk(MemoryDisk(), lambda number, kind, name: slow_ahead(name))
    store = reopen(slow, spawn=pool.submit)
    save(store, put(b"a", value(BIG)))
    store.close()
    done = slow.count
    pool.shutdown()
    assert slow.count == done
    assert logs(slow)[-1] == segment_name(2)


def slow_ahead(name: str) -> Fault | None:
    return Fault(delay=0.02) if name.startswith(segment_name(2)) else None


def test_a_spawn_function_that_refuses_loses_no_write() -> None:
    """An executor refuses once its interpreter is on the way out; other threads may still write."""

    def refuse(job: Callable[[], Segment]) -> Future[Segment]:
        raise RuntimeError("cannot schedule new futures after shutdown")

    disk = MemoryDisk()
    store = reopen(disk, spawn=refuse)
    acknowledged = {}
    for number in range(6):
        key = b"%d" % number
        try:
            save(store, put(key, value(BIG // 2, number)))
        except RuntimeError:
            continue
        acknowledged[key] = value(BIG // 2, number)
    found = contents(reopen(disk.crash()))
    assert {key: found.get(key) for key in acknowledged} == acknowledged


# --- a full disk --------------------------------------------------------------------------------


@contextmanager
def full(disk: FaultyDisk, code: int = errno.ENOSPC) -> Iterator[None]:
    """No room for new files while this lasts; what is allocated can be written."""
    disk.plan = fail_each("allocate", code)
    yield
    disk.plan = no_faults


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("spawn", [None, at_once])
def test_no_room_for_the_next_segment_refuses_a_commit_before_it_is_applied(
    code: int, spawn: Spawn | None
) -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    store = reopen(disk, spawn=spawn)
    with full(disk, code):
        save(store, put(b"a", value(BIG)))
        before = (store.lsn(), store.pending(), contents(store))
        for _ in range(3):
            with pytest.raises(DiskFullError):
                commit(store, put(b"a", value(BIG, 1)), put(b"b", b"2"))
            assert (store.lsn(), store.pending(), contents(store)) == before
    save(store, put(b"b", value(BIG, 2)))
    expected = {b"a": value(BIG), b"b": value(BIG, 2)}
    assert contents(store) == contents(reopen(memory.crash())) == expected


def test_on_a_full_disk_what_fits_the_segment_is_still_taken() -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    store = reopen(disk)
    with full(disk):
        save(store, put(b"a", value(BIG)))
        with pytest.raises(DiskFullError):
            commit(store, put(b"b", value(BIG)))
        save(store, put(b"c", b"small"))
    assert contents(reopen(memory.crash())) == {b"a": value(BIG), b"c": b"small"}


def test_a_commit_refused_in_the_middle_of_a_group_leaves_the_group_whole() -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    store = reopen(disk)
    with full(disk):
        commit(store, put(b"a", value(BIG)))
        with pytest.raises(DiskFullError):
            commit(store, put(b"b", value(BIG)))
        commit(store, put(b"c", b"3"))
        flush(store)
    assert contents(reopen(memory.crash())) == {b"a": value(BIG), b"c": b"3"}


def test_room_that_was_made_in_time_is_used_though_allocating_ahead_had_failed() -> None:
    disk = FaultyDisk(MemoryDisk())
    store = reopen(disk, spawn=at_once)
    with full(disk):
        save(store, put(b"a", value(BIG)))
    save(store, put(b"b", value(BIG)))
    assert set(contents(store)) == {b"a", b"b"}


def test_a_segment_that_could_not_be_made_leaves_nothing_behind() -> None:
    disk = FaultyDisk(MemoryDisk())
    store = reopen(disk)
    save(store, put(b"a", value(BIG)))
    before = disk.names()
    for operation in ("create", "allocate", "write", "sync", "rename", "sync_names"):
        disk.plan = fail_each(operation, errno.EIO)
        with pytest.raises(StorageError, match="segment"):
            commit(store, put(b"b", value(BIG)))
        assert disk.names() == before


# --- a failed write or sync ---------------------------------------------------------------------


def then_listed(kind: str, after: Trace) -> Plan:
    """The next operation of this kind fails, none after it; changes that follow are listed."""
    failed = []

    def plan(number: int, operation: str, name: str) -> Fault | None:
        if failed:
            after.append((operation, name))
        elif operation == kind:
            failed.append(number)
            return Fault(errno=errno.EIO)
        return None

    return plan


@pytest.mark.parametrize("kind", ["write", "sync"])
def test_a_failed_write_or_sync_stops_all_writes_and_nothing_is_tried_again(kind: str) -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    later: Trace = []
    disk.plan = then_listed(kind, later)
    commit(store, put(b"b", b"2"))
    with pytest.raises(OSError, match=segment_name(1)):
        flush(store)
    assert store.synced() == 1
    with pytest.raises(FailStopError, match="Input/output error"):
        commit(store, put(b"c", b"3"))
    assert store.take(True) is None
    assert contents(store) == {b"a": b"1", b"b": b"2"}
    store.close()
    assert later == []
    assert contents(reopen(memory.crash())) == {b"a": b"1"}


def test_a_sync_that_fails_while_a_segment_is_ended_stops_all_writes() -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    store = reopen(disk)
    save(store, put(b"a", value(BIG)))
    commit(store, put(b"b", value(BIG)))
    later: Trace = []
    disk.plan = then_listed("sync", later)
    with pytest.raises(OSError, match=segment_name(1)):
        flush(store)
    with pytest.raises(FailStopError):
        commit(store, put(b"c", b"3"))
    store.close()
    assert later == []
    assert records(memory.crash(), segment_name(2)) == []


def test_writes_go_on_once_a_stopped_store_is_reopened() -> None:
    disk = FaultyDisk(MemoryDisk())
    store = reopen(disk)
    disk.plan = fail_each("sync", errno.EIO)
    commit(store, put(b"a", b"1"))
    with pytest.raises(OSError, match="Input/output"):
        flush(store)
    store.close()
    disk.plan = no_faults
    store = reopen(disk)
    save(store, put(b"b", b"2"))
    assert contents(store)[b"b"] == b"2"


def test_a_failure_while_closing_is_raised_and_the_directory_let_go() -> None:
    disk = FaultyDisk(MemoryDisk())
    store = reopen(disk)
    commit(store, put(b"a", b"1"))
    disk.plan = fail_each("sync", errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        store.close()
    disk.plan = no_faults
    assert store.closed
    reopen(disk).close()


# --- use ----------------------------------------------------------------------------------------


def test_a_closed_store_takes_no_commit_and_closes_again() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    store.close()
    after_one = stored(disk)
    store.close()
    assert stored(disk) == after_one
    with pytest.raises(ClosedError):
        commit(store, put(b"a", b"1"))


def test_a_store_that_is_only_read_takes_no_commit() -> None:
    disk = MemoryDisk()
    reopen(disk).close()
    store = reopen(disk, read_only=True)
    with pytest.raises(ReadOnlyError):
        commit(store, put(b"a", b"1"))
    assert store.take(True) is None
    assert (store.lsn(), store.synced(), store.pending()) == (0, 0, 0)
    store.close()


def test_a_refused_commit_leaves_no_trace_in_the_record_that_is_being_made() -> None:
    """Whatever is wrong with it: those before and behind it are what is on the disk."""
    disk = MemoryDisk()
    store = reopen(disk)
    commit(store, put(b"a", b"1"))
    for expires in (1 << 63, 1 << 70, -(1 << 64)):
        with pytest.raises((ValueError, OverflowError, TypeError)):
            commit_expiring(store, expires)
    save(store, put(b"b", b"2"))
    assert contents(reopen(disk.crash())) == {b"a": b"1", b"b": b"2"}


def commit_expiring(store: Store, expires: int) -> None:
    writes = writes_of((put(b"x", b"x"),))
    writes.put(b"\x00y", Cell(BYTES, b"y", expires))
    store.commit(writes)


def test_the_records_of_a_segment_stand_without_gaps() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    for number in range(20):
        save(store, put(b"k%d" % number, value(number * 37)))
    found = places(disk, segment_name(1))
    assert found[0][0] == HEAD_SIZE
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(found))
    assert len(found) == 39
