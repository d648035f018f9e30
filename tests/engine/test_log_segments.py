"""Segments that end, are used again, or are not synced; and what recovery makes of them."""

from __future__ import annotations

import pytest
from tests.engine.support.kept import SEGMENT, Kept, small_shape
from tests.engine.support.segments import logs, records
from tests.engine.support.stores import (
    Trace,
    commit,
    contents,
    disk_with,
    flush,
    overwrite,
    put,
    reopen,
    save,
    stored,
    traced,
    value,
)

from kveik.disk.faulty import Fault, FaultyDisk, no_faults
from kveik.disk.memory import MemoryDisk
from kveik.engine.log import MAX_SPARES
from kveik.engine.segment import create_segment
from kveik.engine.store import Store
from kveik.errors import CorruptionError
from kveik.format.segment import HEAD_SIZE, decode_head, segment_name

HALF = SEGMENT // 2
ID = bytes(16)


def opened(disk: MemoryDisk | FaultyDisk, *, lazy: bool = False) -> Store:
    store = reopen(disk, shape=small_shape())
    assert store.log is not None
    store.log.lazy = lazy
    return store


def halves(store: Store, first: int, count: int, *, sync: bool = True) -> None:
    """So many values, of which each ends a segment."""
    for number in range(first, first + count):
        commit(store, put(b"%d" % number, value(HALF, number)))
        flush(store, sync=sync)


def synced(trace: Trace) -> list[str]:
    """The segments that were synced, in that order."""
    return [name.removesuffix(".new") for kind, name in trace if kind == "sync"]


def wanted(count: int) -> dict[bytes, bytes]:
    return {b"%d" % number: value(HALF, number) for number in range(count)}


# --- ends ---------------------------------------------------------------------------------------


def test_a_segment_that_was_synced_is_vouched_for_at_the_start_of_the_next() -> None:
    disk = MemoryDisk()
    store = opened(disk)
    for number in range(4):
        commit(store, put(b"%d" % number, value(HALF, number)))
    flush(store)  # all in one group: nobody has been told that anything is synced
    assert [records(disk, name) for name in logs(disk)] == [
        [("commits", 1)],
        [("mark", 1), ("commits", 2)],
        [("mark", 2), ("commits", 3)],
        [("mark", 3), ("commits", 4)],
    ]


def test_a_segment_that_was_not_synced_is_not_vouched_for() -> None:
    disk = MemoryDisk()
    store = opened(disk, lazy=True)
    halves(store, 0, 4, sync=False)
    assert [records(disk, name) for name in logs(disk)] == [
        [("commits", number)] for number in (1, 2, 3, 4)
    ]


def test_a_segment_can_end_early_and_be_synced_at_once() -> None:
    """Where there is nothing in the next one yet, its end is all there is to sync."""
    disk = MemoryDisk()
    store = opened(disk)
    save(store, put(b"a", b"1"))
    commit(store, put(b"b", b"2"))
    store.rotate()
    flush(store, sync=True)
    assert (store.failure, store.synced()) == ("", 2)
    save(store, put(b"c", b"3"))
    assert len(contents(reopen(disk.crash(), shape=small_shape()))) == 3


def test_an_ended_segment_is_synced_when_the_store_closes_right_then() -> None:
    disk = MemoryDisk()
    store = opened(disk, lazy=True)
    commit(store, put(b"a", b"1"))
    store.rotate()
    store.close()
    assert contents(reopen(disk.crash(), shape=small_shape())) == {b"a": b"1"}


def test_ending_a_segment_that_nothing_was_written_to_does_nothing() -> None:
    disk = MemoryDisk()
    store = opened(disk)
    store.rotate()
    assert store.take(True) is None
    assert logs(disk) == [segment_name(1)]


# --- a lazy log ---------------------------------------------------------------------------------


def test_a_lazy_log_syncs_nothing_until_somebody_asks_and_then_everything_in_order() -> None:
    disk, trace = traced(MemoryDisk())
    store = opened(disk, lazy=True)
    halves(store, 0, 3, sync=False)
    before = trace.index(("rename", segment_name(2) + ".new"))
    assert ("sync", segment_name(1) + ".new") not in trace[before:]
    trace.clear()
    save(store, put(b"3", b"v"))
    assert synced(trace) == [segment_name(number) for number in (1, 2, 3)]
    assert store.synced() == 4
    trace.clear()
    save(store, put(b"4", b"v"))
    assert synced(trace) == [segment_name(3)]


def test_a_segment_that_became_a_table_need_not_be_synced_any_more() -> None:
    disk, trace = traced(MemoryDisk())
    store = opened(disk, lazy=True)
    halves(store, 0, 3, sync=False)
    assert store.log is not None
    store.log.forget(1)
    trace.clear()
    flush(store, sync=True)
    assert synced(trace) == [segment_name(2), segment_name(3)]


def test_an_interrupted_lazy_group_that_is_taken_again_to_be_synced_is_synced_whole() -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    store = opened(disk, lazy=True)
    for number in range(3):
        commit(store, put(b"%d" % number, value(HALF, number)))
    group = store.take(False)
    assert group is not None

    def interrupt(number: int, kind: str, name: str) -> Fault | None:
        if kind == "write" and name.startswith(segment_name(3)):
            raise KeyboardInterrupt
        return None

    disk.plan = interrupt
    with pytest.raises(KeyboardInterrupt):
        group.perform()
    disk.plan = no_faults
    store.put_back(group)
    flush(store, sync=True)
    assert store.synced() == 3
    assert contents(reopen(memory.crash(), shape=small_shape())) == wanted(3)


# --- segments used again ------------------------------------------------------------------------


def test_a_segment_made_of_another_holds_nothing_of_it() -> None:
    disk = MemoryDisk()
    store = opened(disk)
    save(store, put(b"old", value(HALF)))
    store.close()
    before = stored(disk)[segment_name(1)]
    create_segment(disk, 2, SEGMENT, ID, segment_name(1)).file.close()
    data = stored(disk)[segment_name(2)]
    assert logs(disk) == [segment_name(2)]
    assert data[HEAD_SIZE:] == before[HEAD_SIZE:]  # nobody has taken the time to clear it
    assert decode_head(data).salt != decode_head(before).salt
    assert records(disk, segment_name(2)) == []


@pytest.mark.parametrize("size", [SEGMENT // 2, 2 * SEGMENT])
def test_a_segment_of_another_size_is_not_used_again_and_taken_away(size: int) -> None:
    disk = MemoryDisk()
    create_segment(disk, 1, size, ID).file.close()
    create_segment(disk, 2, SEGMENT, ID, segment_name(1)).file.close()
    assert logs(disk) == [segment_name(2)]
    assert len(stored(disk)[segment_name(2)]) == SEGMENT


def test_a_spare_that_is_gone_is_none() -> None:
    disk = MemoryDisk()
    create_segment(disk, 2, SEGMENT, ID, segment_name(1)).file.close()
    assert logs(disk) == [segment_name(2)]


def test_a_few_spares_are_kept_and_not_more() -> None:
    store = opened(MemoryDisk())
    assert store.log is not None
    kept = [store.log.reuse(segment_name(number)) for number in range(1, 6)]
    assert kept == [True] * MAX_SPARES + [False] * (5 - MAX_SPARES)


# --- recovery -----------------------------------------------------------------------------------


def test_what_is_replayed_is_frozen_by_segments_and_becomes_tables() -> None:
    disk = MemoryDisk()
    halves(opened(disk), 0, 5)
    kept = Kept(disk.crash())
    memtables = kept.store.view.memtables
    assert [memtable.last_segment for memtable in memtables] == [5, 4, 3, 2, 1]
    assert [memtable.lsn for memtable in memtables] == [5, 4, 3, 2, 1]
    kept.keep_up()
    assert kept.told.count("flush") == 4
    assert kept.store.flushed == 4
    assert kept.contents() == wanted(5)


def test_small_segments_share_a_memtable() -> None:
    disk = MemoryDisk()
    store = opened(disk)
    for number in range(6):
        save(store, put(b"%d" % number, b"v"))
        store.rotate()
        flush(store, sync=False)
    again = Kept(disk.crash())
    assert len(again.store.view.memtables) == 1
    assert (again.store.active.segment, again.store.active.last_segment) == (1, 6)
    again.tables()
    assert (again.told.count("flush"), again.store.flushed) == (1, 6)
    assert len(again.contents()) == 6


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_what_follows_a_segment_of_a_lazy_log_that_lost_its_end_is_gone(lost: int) -> None:
    """Nobody was told that it is safe, and it comes after what is missing."""
    disk = MemoryDisk()
    store = opened(disk, lazy=True)
    for number in range(5):
        commit(store, put(b"%d" % number, value(HALF, number)))
        commit(store, put(b"%d+" % number, b"small"))
        flush(store, sync=False)
    left = disk.kill()
    overwrite(left, segment_name(lost), HALF + 300, bytes(HALF - 300))
    overwrite(left, segment_name(lost), HALF, bytes(300))
    again = opened(left)
    expected = dict(list(contents(store).items())[: 2 * (lost - 1)])
    assert contents(again) == expected
    save(again, put(b"more", value(HALF, 9)))
    save(again, put(b"again", value(HALF, 8)))
    found = contents(reopen(left.crash(), shape=small_shape()))
    assert found == {**expected, b"more": value(HALF, 9), b"again": value(HALF, 8)}


def test_what_is_read_of_a_log_that_nobody_synced_is_synced_before_anybody_builds_on_it() -> None:
    """The process was killed, and its writes are in the page cache alone."""
    disk = MemoryDisk()
    halves(opened(disk, lazy=True), 0, 4, sync=False)
    left = disk.kill()
    store = opened(left)
    assert store.synced() == 4
    save(store, put(b"acknowledged", b"v"))
    found = contents(reopen(left.crash(), shape=small_shape()))
    assert found == {**wanted(4), b"acknowledged": b"v"}


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_segment_that_lost_its_end_though_it_was_synced_is_reported(lost: int) -> None:
    disk = MemoryDisk()
    halves(opened(disk), 0, 5)
    left = disk.crash()
    overwrite(left, segment_name(lost), HALF, bytes(HALF))
    before = stored(left)
    with pytest.raises(CorruptionError, match=r"vouches|says that it was synced"):
        opened(left)
    assert stored(left) == before


def test_a_first_segment_that_is_missing_is_reported_also_where_there_are_tables() -> None:
    kept = Kept(MemoryDisk())
    for number in range(4):
        kept.save(put(b"%d" % number, value(HALF, number)))
    kept.close()
    files = stored(kept.disk)
    first = f"{kept.store.view.memtables[-1].segment:010}.log"
    del files[first]
    for missing in ({}, {name: b"" for name in files if name.endswith(".log")}):
        disk = disk_with({name: data for name, data in files.items() if name not in missing})
        with pytest.raises(CorruptionError, match="missing") as caught:
            opened(disk)
        assert caught.value.file == first


def test_segments_that_became_tables_are_removed_at_the_next_opening() -> None:
    kept = Kept(MemoryDisk())
    for number in range(5):
        kept.save(put(b"%d" % number, value(HALF, number)))
    kept.close()
    assert len(logs(kept.disk)) > 1
    store = opened(disk_with(stored(kept.disk)))
    assert logs(store.disk) == [segment_name(store.active.segment)]
    assert contents(store) == wanted(5)
