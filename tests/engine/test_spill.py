"""A memtable written out for its flush: the table is the one that the log's segments make."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.driver import Driver, put
from tests.engine.support.made import contents_after, flush_job
from tests.engine.support.sources import NOW, read_tables
from tests.engine.support.stores import flip
from tests.format.records import Commit, writes_of

from kveik.disk.faulty import FaultyDisk, fail_each
from kveik.disk.memory import MemoryDisk
from kveik.engine import spill
from kveik.engine.job import perform
from kveik.engine.memtable import Memtable
from kveik.engine.spill import spill_name, write_spill
from kveik.format.jobs import half_made_end
from kveik.format.segment import HEAD_SIZE
from kveik.limits import MAX_HELD
from kveik.model import BYTES, DELETED, JSON, TEXT

KEYS = [b"\x00%c" % a for a in b"abcdefgh"] + [b"\x01" * 200]
keys = st.sampled_from(KEYS)
data = st.one_of(st.binary(max_size=5), st.sampled_from([b"x" * 128, b"y" * (MAX_HELD + 1)]))
entries = st.one_of(
    st.tuples(keys, st.sampled_from([BYTES, TEXT, JSON]), data, st.just(0)),
    st.tuples(keys, st.just(BYTES), data, st.just(NOW + 1)),
    st.tuples(keys, st.just(DELETED), st.just(b""), st.just(0)),
)
commits = st.lists(st.lists(entries, min_size=1, max_size=4), min_size=1, max_size=20)


def filled(history: list[Commit]) -> Memtable:
    memtable = Memtable(1)
    for lsn, commit in enumerate(history, 1):
        memtable.apply(writes_of(commit), lsn, lsn)
    return memtable


@given(commits, st.sampled_from([1, 3, 512]), st.sampled_from([1, 1 << 20]))
@settings(max_examples=100, deadline=None)
def test_its_flush_makes_a_table_of_what_the_memtable_holds(
    history: list[Commit], together: int, record: int
) -> None:
    disk = MemoryDisk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "ENTRIES", together)
        patch.setattr(spill, "RECORD_BYTES", record)
        memtable = filled(history)
        name = spill_name(7, "abcd")
        job = flush_job([], len(history))
        job.spilled = write_spill(disk, name, 7, memtable)
    job.spill = name
    assert job.spilled == len(memtable)
    made = read_tables(disk, perform(disk, job).tables)
    assert made.entries == contents_after(history)


def test_the_worker_that_ends_over_a_job_does_not_take_it_away() -> None:
    assert not spill_name(7, "abcd").endswith(half_made_end("abcd"))


def history_of(driver: Driver) -> None:
    """A segment is written several times over with few keys; then the memtable becomes a table."""
    for turn in range(60):
        driver.commit(*(put(b"%02d" % key, b"%d " % turn * 10) for key in range(20)))
        driver.flush()
        driver.keep_up()


def spills_made(disk: MemoryDisk, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    create = disk.create

    def noted(name: str) -> object:
        if name.endswith("-spill.new"):
            made.append(name)
        return create(name)

    monkeypatch.setattr(disk, "create", noted)
    return made


def test_overwritten_keys_are_flushed_from_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDisk()
    made = spills_made(disk, monkeypatch)
    driver = Driver(disk)
    driver.open()
    history_of(driver)
    assert made
    assert driver.upkeep.flushes >= len(made) > 0
    assert not any(name.endswith(".new") for name in disk.names())
    driver.check()
    driver.close()
    driver.open_again()
    driver.check()
    driver.close()


@pytest.mark.parametrize("operation", ["create", "write"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_where_it_cannot_be_written_the_segments_are_read(operation: str, code: int) -> None:
    disk = MemoryDisk()
    memtable = filled([[(b"\x00a", BYTES, b"1", 0)]])
    name = spill_name(7, "abcd")
    faulty = FaultyDisk(disk, fail_each(operation, code, prefix=name))
    with pytest.raises(OSError, match=r"."):
        write_spill(faulty, name, 7, memtable)
    assert disk.names() == []


def test_one_that_is_damaged_makes_no_table() -> None:
    disk = MemoryDisk()
    name = spill_name(7, "abcd")
    job = flush_job([], 2)
    job.spilled = write_spill(disk, name, 7, filled([[(b"\x00a", BYTES, b"1", 0)]])) + 1
    job.spill = name
    with pytest.raises(Exception, match="missing or damaged"):
        perform(disk, job)


def test_one_that_is_damaged_gives_way_to_the_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDisk()
    spoilt: list[str] = []
    open_ = disk.open

    def spoil(name: str, *, writable: bool = False) -> object:
        if name.endswith("-spill.new") and name not in spoilt:
            spoilt.append(name)
            flip(disk, name, HEAD_SIZE + 40)
        return open_(name, writable=writable)

    monkeypatch.setattr(disk, "open", spoil)
    driver = Driver(disk)
    driver.open()
    history_of(driver)
    assert spoilt
    assert driver.upkeep.flushes >= len(spoilt)
    assert not any(name.endswith(".new") for name in disk.names())
    driver.check()
    driver.close()
