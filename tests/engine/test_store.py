"""The store's memtables: frozen by segments and by snapshots, and made one again."""

from __future__ import annotations

import errno

import pytest
from tests.engine.support.kept import Kept, small_shape
from tests.engine.support.stores import Contents, commit, contents, delete, flush, put, save

from kveik.disk.faulty import FaultyDisk, fail_each
from kveik.disk.memory import MemoryDisk
from kveik.engine.snapshot import Snapshot
from kveik.errors import ClosedError, FailStopError
from kveik.limits import MAX_FOLD, MAX_LAYERS


@pytest.fixture
def kept() -> Kept:
    return Kept(MemoryDisk())


def seen(kept: Kept, snapshot: Snapshot) -> Contents:
    return contents(kept.store, point=snapshot)


def test_a_snapshot_is_unchanged_by_what_is_written_later(kept: Kept) -> None:
    kept.write(put(b"a", b"1"), put(b"b", b"2"))
    snapshot = kept.store.snapshot()
    kept.write(put(b"a", b"changed"), delete(b"b"), put(b"c", b"3"))
    assert seen(kept, snapshot) == {b"a": b"1", b"b": b"2"}
    assert kept.contents() == {b"a": b"changed", b"c": b"3"}
    assert (snapshot.lsn(), kept.store.lsn()) == (1, 2)
    kept.tables()
    kept.write(put(b"d", b"4"))
    kept.tables()
    assert seen(kept, snapshot) == {b"a": b"1", b"b": b"2"}


def test_a_snapshot_of_nothing_stays_empty(kept: Kept) -> None:
    snapshot = kept.store.snapshot()
    kept.write(put(b"a", b"1"))
    assert seen(kept, snapshot) == {}
    assert len(kept.store.view.memtables) == 1


def test_snapshots_of_the_same_instant_divide_the_memtable_once(kept: Kept) -> None:
    kept.write(put(b"a", b"1"))
    for _ in range(5):
        kept.store.snapshot()
    assert len(kept.store.view.memtables) == 2


def test_memtables_become_one_again_once_their_snapshots_are_let_go_of(kept: Kept) -> None:
    snapshots = []
    for number in range(4):
        kept.write(put(b"%d" % number, b"v"), put(b"last", b"%d" % number))
        snapshots.append(kept.store.snapshot())
    kept.write(delete(b"0"))
    assert len(kept.store.view.memtables) == 5
    expected = kept.contents()
    snapshots[1].let_go()
    kept.store.fold()
    assert len(kept.store.view.memtables) == 5  # the newer ones still need the parts before them
    for snapshot in (snapshots[0], snapshots[2], snapshots[3]):
        snapshot.let_go()
    kept.store.fold()
    assert len(kept.store.view.memtables) == 1
    assert kept.contents() == expected
    assert kept.store.active.lsn == kept.store.lsn()


def test_a_snapshot_let_go_of_twice_counts_once(kept: Kept) -> None:
    kept.write(put(b"a", b"1"))
    first, second = kept.store.snapshot(), kept.store.snapshot()
    kept.write(put(b"a", b"2"))
    first.let_go()
    first.let_go()
    kept.store.fold()
    assert seen(kept, second) == {b"a": b"1"}


def test_a_large_memtable_is_not_moved_at_once() -> None:
    shape = small_shape()
    shape.segment_size = 1 << 20
    kept = Kept(MemoryDisk(), shape=shape)
    kept.write(put(b"first", b"v"))
    snapshot = kept.store.snapshot()
    kept.write(*[put(b"%06d" % number, b"") for number in range(MAX_FOLD + 1)])
    snapshot.let_go()
    kept.store.fold()
    assert len(kept.store.view.memtables) == 2
    assert len(kept.contents()) == MAX_FOLD + 2


def test_many_snapshots_end_the_segment_so_that_reads_stay_short(kept: Kept) -> None:
    for number in range(3 * MAX_LAYERS):
        kept.write(put(b"%03d" % number, b"v"))
        kept.store.snapshot()
        kept.keep_up()
    kept.write(put(b"end", b"v"))
    kept.keep_up()
    assert "flush" in kept.told
    assert len(kept.store.view.memtables) <= 2 * MAX_LAYERS
    assert len(kept.contents()) == 3 * MAX_LAYERS + 1


def test_a_reader_is_not_told_that_there_is_no_room_for_another_segment() -> None:
    disk = FaultyDisk(MemoryDisk())
    kept = Kept(disk)
    disk.plan = fail_each("allocate", errno.ENOSPC)
    snapshots = []
    for number in range(2 * MAX_LAYERS):
        kept.write(put(b"%03d" % number, b"v"))
        snapshots.append(kept.store.snapshot())
    for number, snapshot in enumerate(snapshots):
        assert len(seen(kept, snapshot)) == number + 1


def test_a_reader_goes_on_where_writes_have_failed() -> None:
    disk = FaultyDisk(MemoryDisk())
    kept = Kept(disk)
    for number in range(MAX_LAYERS):
        kept.write(put(b"%03d" % number, b"v"))
        if number < MAX_LAYERS - 1:
            kept.store.snapshot()
    disk.plan = fail_each("sync", errno.EIO)
    commit(kept.store, put(b"lost", b"v"))
    with pytest.raises(OSError, match="Input/output"):
        flush(kept.store)
    with pytest.raises(FailStopError):
        kept.store.rotate()
    assert len(seen(kept, kept.store.snapshot())) == MAX_LAYERS + 1


def test_the_tables_alone_are_what_had_been_flushed(kept: Kept) -> None:
    kept.write(put(b"a", b"1"))
    kept.tables()
    kept.write(put(b"b", b"2"))
    snapshot = kept.store.tables_only()
    assert (seen(kept, snapshot), snapshot.lsn()) == ({b"a": b"1"}, 1)


def test_a_closed_store_ends_no_segment(kept: Kept) -> None:
    save(kept.store, put(b"a", b"1"))
    kept.close()
    with pytest.raises(ClosedError):
        kept.store.rotate()
