"""Upkeep, step by step: memtables become tables, tables go down the levels, files go away."""

from __future__ import annotations

import errno
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.kept import SEGMENT, Kept, small_shape
from tests.engine.support.segments import logs
from tests.engine.support.stores import (
    Contents,
    Op,
    after,
    at_once,
    clear,
    commit,
    contents,
    delete,
    disk_with,
    flip,
    flush,
    put,
    reopen,
    stored,
    traced,
    value,
)

from kveik.disk.faulty import Fault, FaultyDisk, Stopped, crash_at, fail_each, fail_nth, no_faults
from kveik.disk.memory import MemoryDisk
from kveik.engine.lanes import Lane, ThreadLane
from kveik.engine.log import MAX_SPARES
from kveik.engine.manifest import read_manifest
from kveik.engine.snapshot import Snapshot
from kveik.engine.state import State
from kveik.engine.upkeep import COMPACTION, FLUSH, REMOVAL, TableWork, Wanted
from kveik.errors import (
    ClosedError,
    CorruptionError,
    DiskFullError,
    FailStopError,
    KveikError,
)
from kveik.format.identity import decode_identity
from kveik.format.jobs import Job, Outcome
from kveik.format.segment import segment_name
from kveik.format.table import table_name, table_number
from kveik.limits import MAX_FROZEN, RETRY_FULL, UNPACED

HALF = SEGMENT // 2


def tables(disk: MemoryDisk | FaultyDisk) -> list[str]:
    return [name for name in disk.names() if table_number(name)]


def fill(kept: Kept, first: int, count: int, *, size: int = 300) -> None:
    """So many keys, with upkeep when it is due."""
    for number in range(first, first + count):
        kept.save(put(b"%06d" % number, value(size, number)))


def expected(first: int, count: int, *, size: int = 300) -> Contents:
    return {b"%06d" % number: value(size, number) for number in range(first, first + count)}


def state_on(disk: MemoryDisk | FaultyDisk) -> State:
    """What the manifest on the disk says."""
    _, database_id = decode_identity(stored(disk)["KVEIK"])
    return read_manifest(disk, database_id)


# --- flush --------------------------------------------------------------------------------------


def test_nothing_is_due_before_a_segment_has_ended() -> None:
    kept = Kept(MemoryDisk())
    kept.save(put(b"a", b"1"))
    assert kept.told == []
    assert kept.upkeep.idle()


def test_a_segment_that_has_ended_becomes_a_table_and_is_kept_to_be_used_again() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.save(put(b"a", value(HALF)))
    kept.save(put(b"b", value(HALF)))
    assert kept.told == ["flush"]
    assert kept.levels()[0] == 1
    assert tables(disk) == [table_name(1)]
    assert state_on(disk).lsn == kept.store.flushed == 1
    assert state_on(disk).log == 2
    assert [len(memtable) for memtable in kept.store.view.memtables] == [1]
    kept.save(put(b"c", value(HALF)))
    assert logs(disk) == [segment_name(2), segment_name(3)]  # 3 has been 1
    assert kept.contents() == {b"a": value(HALF), b"b": value(HALF), b"c": value(HALF)}


def test_a_flush_waits_until_its_segment_has_been_written() -> None:
    kept = Kept(MemoryDisk())
    commit(kept.store, put(b"a", value(HALF)))
    commit(kept.store, put(b"b", value(HALF)))
    assert len(kept.store.view.memtables) == 2
    assert kept.upkeep.due() is None
    flush(kept.store)
    assert kept.due().kind == FLUSH


def test_one_flush_is_under_way_at_a_time_and_the_oldest_memtable_comes_first() -> None:
    kept = Kept(MemoryDisk())
    for number in range(4):
        kept.write(put(b"%d" % number, value(HALF, number)))
    first = kept.due()
    assert isinstance(first, TableWork)
    assert [memtable.lsn for memtable in first.memtables] == [1]
    assert kept.upkeep.due() is None
    assert not kept.upkeep.idle()
    kept.do(first)
    second = kept.due()
    assert isinstance(second, TableWork)
    assert [memtable.lsn for memtable in second.memtables] == [2]


def test_what_is_written_while_a_flush_is_under_way_stays_and_is_found() -> None:
    kept = Kept(MemoryDisk())
    kept.write(put(b"a", value(HALF)), put(b"k", b"old"))
    kept.write(put(b"b", value(HALF)))
    work = kept.due()
    work.perform()
    kept.write(put(b"k", b"new"))
    assert kept.contents()[b"k"] == b"new"
    kept.upkeep.finish(work)
    assert kept.contents()[b"k"] == b"new"
    kept.tables()
    assert kept.contents()[b"k"] == b"new"


def test_the_parts_of_a_segment_that_snapshots_divided_become_one_table() -> None:
    kept = Kept(MemoryDisk())
    kept.write(put(b"a", b"1"))
    snapshots = [kept.store.snapshot()]
    kept.write(delete(b"a"), put(b"b", b"2"))
    snapshots.append(kept.store.snapshot())
    kept.write(put(b"c", b"3"))
    kept.tables()
    assert kept.told == ["flush"]
    assert kept.levels()[0] == 1
    assert kept.contents() == {b"b": b"2", b"c": b"3"}
    for snapshot in snapshots:
        snapshot.let_go()


def test_a_memtable_in_which_nothing_is_left_becomes_no_table() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(put(b"a", b"1"))
    kept.write(delete(b"a"))
    kept.tables()
    assert kept.told == ["flush"]
    assert (kept.levels()[0], kept.store.flushed) == (0, 2)
    assert contents(reopen(disk.crash())) == {}


def test_a_table_of_tombstones_hides_what_older_tables_hold() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(put(b"a", b"1"), put(b"b", b"2"), put(b"c", b"3"))
    kept.tables()
    kept.write(delete(b"a"))
    kept.tables()
    assert kept.contents() == {b"b": b"2", b"c": b"3"}
    kept.write(clear())
    kept.write(put(b"d", b"4"))
    kept.tables()
    assert kept.contents() == {b"d": b"4"}
    assert contents(reopen(disk.crash(), shape=small_shape())) == {b"d": b"4"}


def test_segments_that_nothing_was_written_to_go_with_the_flush_before_them() -> None:
    """A segment made ahead is too small for a large value, and stays behind empty."""
    disk = MemoryDisk()
    kept = Kept(disk, spawn=at_once)
    for number in range(6):
        kept.save(put(b"%d" % number, value(3 * SEGMENT, number)))
        kept.save(put(b"small", value(HALF, number)))
    kept.tables()
    assert len(logs(disk)) <= 2 + MAX_SPARES
    assert len(kept.contents()) == 7
    assert len(contents(reopen(disk.crash(), shape=small_shape()))) == 7


def test_segments_of_a_lazy_log_are_synced_before_a_table_takes_their_place() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    log = kept.store.log
    assert log is not None
    log.lazy = True
    for number in range(5):
        commit(kept.store, put(b"%d" % number, value(HALF, number)))
        flush(kept.store, sync=False)
        kept.keep_up()
    assert kept.store.flushed == 4
    assert contents(reopen(disk.crash(), shape=small_shape())) == {
        b"%d" % number: value(HALF, number) for number in range(4)
    }


# --- compaction, moves, drops, removal ----------------------------------------------------------


def test_tables_go_down_the_levels_and_their_files_go_away() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    fill(kept, 0, 200)
    fill(kept, 0, 200)
    assert "compaction" in kept.told
    assert "removal" in kept.told
    assert kept.contents() == expected(0, 200)
    assert sum(kept.levels()[1:]) > 0
    named = {info.number for level in kept.store.view.version.infos() for info in level}
    assert tables(disk) == [table_name(number) for number in sorted(named)]
    assert contents(reopen(disk.crash(), shape=small_shape())) == expected(0, 200)


def test_a_range_that_is_wanted_compacted_ends_in_one_level() -> None:
    kept = Kept(MemoryDisk())
    fill(kept, 0, 100)
    kept.tables()
    kept.upkeep.wanted = Wanted(b"\0", b"\1")
    kept.keep_up()
    assert not kept.upkeep.wanting()
    assert sum(count > 0 for count in kept.levels()) == 1
    assert kept.levels()[0] == 0
    assert kept.contents() == expected(0, 100)


def test_a_table_moves_down_without_being_written_where_nothing_overlaps_it() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    moved = 0
    for number in range(400):
        kept.write(put(b"%06d" % number, value(300, number)))
        while (work := kept.upkeep.due()) is not None:
            before = {name: stored(disk)[name] for name in tables(disk)}
            kept.do(work)
            if isinstance(work, TableWork) and work.job is None:
                assert {name: stored(disk)[name] for name in tables(disk)} == before
                assert [info.number for _, info in work.edit.added] == work.edit.removed
                moved += 1
    assert moved > 0
    assert kept.levels()[2] > 0
    assert kept.contents() == expected(0, 400)


def test_tables_that_a_clear_hides_wholly_are_dropped_unread() -> None:
    disk, trace = traced(MemoryDisk())
    kept = Kept(disk)
    kept.write(put(b"a", b"1"))
    kept.tables()
    kept.write(clear())
    kept.write(put(b"a", b"2"))
    kept.tables()
    assert kept.contents() == {b"a": b"2"}  # reads the roots: the clears are known now
    trace.clear()
    kept.keep_up()
    assert [kind for kind, _ in trace] == ["write", "sync", "remove"]
    assert tables(disk) == [table_name(2)]
    assert kept.contents() == {b"a": b"2"}


def test_tables_that_a_snapshot_reads_stay_until_it_is_let_go_of() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(put(b"a", b"old"))
    kept.tables()
    snapshot = kept.store.snapshot()
    kept.write(put(b"a", b"new"))
    kept.tables()
    kept.upkeep.wanted = Wanted(b"\0", b"\1")
    kept.keep_up()
    assert table_name(1) in tables(disk)
    assert snapshot.view.version.levels[0][0].info.number == 1
    snapshot.let_go()
    kept.keep_up()
    assert table_name(1) not in tables(disk)
    assert kept.contents() == {b"a": b"new"}


def test_a_table_that_somebody_loads_from_stays_until_that_is_done() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(put(b"a", b"old"))
    kept.tables()
    table = kept.store.view.version.levels[0][0]
    kept.store.keep(table)
    kept.write(put(b"a", b"new"))
    kept.tables()
    kept.upkeep.wanted = Wanted(b"\0", b"\1")
    kept.keep_up()
    assert table_name(1) in tables(disk)
    kept.store.let_go(table)
    kept.keep_up()
    assert table_name(1) not in tables(disk)


def test_a_file_that_is_gone_already_is_no_failure() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(put(b"a", b"old"))
    kept.tables()
    kept.write(put(b"a", b"new"))
    kept.tables()
    kept.upkeep.wanted = Wanted(b"\0", b"\1")
    work = kept.due()
    while work.kind != REMOVAL:
        kept.do(work)
        work = kept.due()
    for name in (table_name(1), table_name(2)):
        disk.remove(name)
    kept.do(work)
    assert kept.store.failure == ""


# --- how far it is behind -----------------------------------------------------------------------


def test_writers_are_slowed_once_memtables_wait_and_not_before() -> None:
    kept = Kept(MemoryDisk())
    paces = []
    for number in range(6):
        kept.write(put(b"%d" % number, value(HALF, number)))
        kept.upkeep.set_pace()
        paces.append(kept.store.pace)
    assert paces[0] == paces[1] == 0.0
    assert paces == sorted(paces)
    assert paces[-1] > 0.0
    kept.keep_up()
    assert kept.store.pace == 0.0


def test_snapshots_that_divide_a_memtable_slow_nobody_down() -> None:
    kept = Kept(MemoryDisk())
    snapshots = []
    for number in range(6):
        kept.write(put(b"%d" % number, b"v"))
        snapshots.append(kept.store.snapshot())
    kept.upkeep.set_pace()
    assert kept.upkeep.debt() < UNPACED
    assert kept.store.pace == 0.0


# --- a full disk --------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def test_no_room_for_a_table_is_tried_again_later_and_loses_nothing() -> None:
    clock = Clock()
    disk = FaultyDisk(MemoryDisk())
    kept = Kept(disk, clock=clock)
    kept.write(put(b"a", value(HALF)))
    kept.write(put(b"b", value(HALF)))
    disk.plan = lambda number, kind, name: (
        Fault(errno=errno.ENOSPC) if kind == "write" and ".tbl" in name else None
    )
    kept.keep_up()
    assert kept.store.failure == ""
    assert "No space left" in kept.store.full
    assert kept.upkeep.due() is None
    assert tables(disk) == []
    assert [name for name in disk.names() if name.endswith(".new")] == []
    kept.write(put(b"c", b"small"))
    disk.plan = no_faults
    clock.seconds += RETRY_FULL / 1000
    kept.keep_up()
    assert (kept.store.full, kept.levels()[0]) == ("", 1)
    assert kept.contents() == {b"a": value(HALF), b"b": value(HALF), b"c": b"small"}


def test_writes_are_refused_once_too_much_waits_for_room_and_reads_are_not() -> None:
    clock = Clock()
    disk = FaultyDisk(MemoryDisk())
    kept = Kept(disk, clock=clock)
    disk.plan = lambda number, kind, name: (
        Fault(errno=errno.ENOSPC) if kind == "write" and ".tbl" in name else None
    )
    written = 0
    while kept.store.waiting() < MAX_FROZEN:
        kept.save(put(b"%06d" % written, value(300, written)))
        written += 1
    with pytest.raises(DiskFullError, match="No space left"):
        commit(kept.store, put(b"%06d" % written, b"v"))
    assert kept.contents() == expected(0, written)
    disk.plan = no_faults
    clock.seconds += RETRY_FULL / 1000
    kept.keep_up()
    kept.save(put(b"%06d" % written, value(300, written)))
    assert kept.contents() == expected(0, written + 1)


def test_no_room_for_the_edit_takes_its_tables_away_again() -> None:
    clock = Clock()
    disk = FaultyDisk(MemoryDisk())
    kept = Kept(disk, clock=clock)
    kept.write(put(b"a", value(HALF)))
    kept.write(put(b"b", value(HALF)))
    disk.plan = fail_each("write", errno.ENOSPC, prefix="MANIFEST")
    kept.keep_up()
    assert kept.store.full != ""
    assert tables(disk) == []
    disk.plan = no_faults
    clock.seconds += RETRY_FULL / 1000
    kept.keep_up()
    assert kept.levels()[0] == 1
    assert state_on(disk).lsn == 1


# --- failures -----------------------------------------------------------------------------------


def test_a_damaged_segment_stops_all_writes_and_removes_nothing() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(put(b"a", value(HALF)))
    kept.write(put(b"b", value(HALF)))
    flip(disk, segment_name(1), 200)
    kept.keep_up()
    assert segment_name(1) in kept.store.failure
    with pytest.raises(FailStopError, match="kept up"):
        commit(kept.store, put(b"c", b"3"))
    assert kept.contents() == {b"a": value(HALF), b"b": value(HALF)}
    assert logs(disk) == [segment_name(1), segment_name(2)]
    assert kept.upkeep.due() is None


def test_a_damaged_table_stops_all_writes_and_stays() -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(put(b"a", b"1"))
    kept.tables()
    kept.write(put(b"a", b"2"))
    kept.tables()
    flip(disk, table_name(1), 3)
    kept.upkeep.wanted = Wanted(b"\0", b"\1")
    kept.keep_up()
    assert table_name(1) in kept.store.failure
    assert tables(disk) == [table_name(1), table_name(2)]
    assert [name for name in disk.names() if name.endswith(".new")] == []


@pytest.mark.parametrize("operation", ["rename", "sync_names", "sync", "write"])
def test_a_failure_of_the_medium_stops_all_writes(operation: str) -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    kept = Kept(disk)
    kept.write(put(b"a", value(HALF)))
    kept.write(put(b"b", value(HALF)))
    disk.plan = fail_each(operation, errno.EIO)
    kept.keep_up()
    assert "Input/output error" in kept.store.failure
    with pytest.raises(FailStopError):
        commit(kept.store, put(b"c", b"3"))
    everything = {b"a": value(HALF), b"b": value(HALF)}
    assert kept.contents() == everything
    for left in (memory.crash(), memory.kill()):
        assert contents(reopen(left, shape=small_shape())) == everything


class ClosedLane(Lane):
    """Ends as a lane does that was closed in the middle of a job."""

    def run(self, job: Job) -> Outcome:
        raise ClosedError("the database is being closed")


def test_a_compaction_that_is_broken_off_is_no_failure() -> None:
    disk = MemoryDisk()
    kept = Kept(disk, lanes=(ThreadLane(disk), ClosedLane()))
    for data in (b"old", b"new"):
        kept.write(put(b"a", data))
        kept.tables()
    kept.upkeep.wanted = Wanted(b"\0", b"\1")
    work = kept.due()
    assert work.kind == COMPACTION
    kept.upkeep.end_compactions()
    kept.do(work)
    assert kept.store.failure == ""
    kept.keep_up()
    assert kept.told == ["flush", "flush", "compaction"]
    kept.write(put(b"b", b"1"))
    kept.tables()
    assert kept.told[-1] == "flush"
    assert kept.contents() == {b"a": b"new", b"b": b"1"}


# --- a crash at any moment ----------------------------------------------------------------------


def history(kept: Kept, states: list[Contents], acknowledged: list[int], lazy: bool) -> None:
    """Overwrites, deletes and clears through many flushes and compactions; a state per commit.

    lazy: nothing is synced but what becomes a table.
    """
    log = kept.store.log
    assert log is not None
    log.lazy = lazy

    def save(*ops: Op) -> None:
        commit(kept.store, *ops)
        states.append(after(states[-1], ops))
        flush(kept.store, sync=not lazy)
        acknowledged[0] = max(kept.store.synced(), kept.store.flushed)
        kept.keep_up()
        acknowledged[0] = max(kept.store.synced(), kept.store.flushed)

    for number in range(60):
        save(put(b"%02d" % (number * 7 % 20), value(500, number)))
        if number % 5 == 4:
            save(delete(b"%02d" % (number % 20)))
        if number == 30:
            save(clear(), put(b"cleared", b"1"))
        if number == 45:
            kept.tables()
            kept.upkeep.wanted = Wanted(b"\0", b"\1")
            kept.keep_up()


def played_until(disk: FaultyDisk, lazy: bool = False) -> tuple[list[Contents], int]:
    """The states by commit, and the last commit acknowledged, when the disk stopped."""
    states: list[Contents] = [{}]
    acknowledged = [0]
    try:
        kept = Kept(disk)
        history(kept, states, acknowledged, lazy)
    except (Stopped, KveikError, OSError):
        pass
    return states, acknowledged[0]


def check_whole(left: MemoryDisk, states: list[Contents], acknowledged: int, why: object) -> None:
    """It opens, holds what some commit left, none acknowledged is missing, and it goes on."""
    kept = Kept(left)
    found = kept.store.lsn()
    assert acknowledged <= found < len(states), why
    assert kept.contents() == states[found], why
    fill(kept, 0, 30)
    kept.tables()
    assert kept.contents() == {**states[found], **expected(0, 30)}, why
    kept.close()


def operations(lazy: bool = False) -> int:
    disk = FaultyDisk(MemoryDisk())
    states, acknowledged = played_until(disk, lazy)
    assert len(states) - 1 > 70
    assert acknowledged > (60 if lazy else 70)
    return disk.count


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
def test_after_a_crash_at_any_operation_of_the_upkeep_nothing_acknowledged_is_lost(
    lazy: bool,
) -> None:
    for number in range(0, operations(lazy), 4):
        disk = MemoryDisk()
        states, acknowledged = played_until(FaultyDisk(disk, crash_at(number)), lazy)
        check_whole(disk.crash(), states, acknowledged, (number, "crash"))
        check_whole(disk.crash(number), states, acknowledged, (number, "crash, some unsynced"))
        check_whole(disk.kill(), states, acknowledged, (number, "kill"))


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_after_a_failure_of_any_operation_of_the_upkeep_nothing_acknowledged_is_lost(
    code: int,
) -> None:
    for number in range(1, operations(), 5):
        disk = MemoryDisk()
        states, acknowledged = played_until(FaultyDisk(disk, fail_nth(number, code)))
        check_whole(disk.crash(), states, acknowledged, (number, "crash"))
        check_whole(disk.kill(), states, acknowledged, (number, "kill"))


def test_a_missing_table_is_reported_by_name_and_nothing_is_changed() -> None:
    kept = Kept(MemoryDisk())
    fill(kept, 0, 100)
    kept.close()
    files = stored(kept.disk)
    names = [name for name in files if table_number(name)]
    assert len(names) > 2
    for missing, read_only in itertools.product(names, (False, True)):
        left = {name: data for name, data in files.items() if name != missing}
        disk = disk_with(left)
        with pytest.raises(CorruptionError, match="missing") as caught:
            reopen(disk, read_only=read_only)
        assert caught.value.file == missing
        assert stored(disk) == left


def test_a_table_that_the_manifest_does_not_name_is_removed_and_another_s_file_is_not() -> None:
    kept = Kept(MemoryDisk())
    fill(kept, 0, 20)
    kept.close()
    files = {
        **stored(kept.disk),
        table_name(900): b"from a flush that came to no end",
        table_name(901) + "-feed.new": b"half made",
        "notes.new": b"somebody's",
    }
    disk = disk_with(files)
    again = reopen(disk, shape=small_shape())
    assert contents(again) == expected(0, 20)
    assert "notes.new" in disk.names()
    assert not {table_name(900), table_name(901) + "-feed.new"} & set(disk.names())


OPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 30), st.integers(0, 900)),
        st.tuples(st.just("delete"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("clear"), st.just(0), st.just(0)),
        st.tuples(st.just("snapshot"), st.just(0), st.just(0)),
        st.tuples(st.just("let go"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("table"), st.just(0), st.just(0)),
        st.tuples(st.just("compact"), st.integers(0, 30), st.integers(0, 30)),
        st.tuples(st.just("reopen"), st.integers(0, 3), st.just(0)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(OPS)
def test_whatever_is_done_the_contents_and_each_snapshot_s_are_those_of_a_dict(
    ops: list[tuple[str, int, int]],
) -> None:
    disk = MemoryDisk()
    kept = Kept(disk)
    model: Contents = {}
    snapshots: list[tuple[Snapshot, Contents]] = []
    for kind, first, second in ops:
        key = b"%02d" % first
        if kind == "put":
            kept.save(put(key, value(second, first)))
            model[key] = value(second, first)
        elif kind == "delete":
            kept.save(delete(key))
            model.pop(key, None)
        elif kind == "clear":
            kept.save(clear())
            model.clear()
        elif kind == "snapshot":
            snapshots.append((kept.store.snapshot(), dict(model)))
        elif kind == "let go" and snapshots:
            snapshots.pop(first % len(snapshots))[0].let_go()
        elif kind == "table":
            kept.tables()
        elif kind == "compact":
            kept.upkeep.wanted = Wanted(b"\0" + min(key, b"%02d" % second), b"\0\xff")
            kept.keep_up()
        elif kind == "reopen":
            snapshots.clear()
            if first:
                kept.close()
            disk = disk.crash(first)
            kept = Kept(disk)
        assert kept.contents() == model
        for snapshot, then in snapshots:
            assert contents(kept.store, point=snapshot) == then
    assert kept.store.failure == ""
