"""Scans of a table: what a sorted dict gives, in chunks, forwards and backwards."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.tables import (
    ENTRIES,
    PLENTY,
    TOP,
    Entries,
    Reader,
    build,
    shown,
    table_of,
)
from tests.format.blocks import KEYS

from kveik.disk.api import File
from kveik.disk.faulty import FaultyDisk
from kveik.disk.memory import MemoryDisk
from kveik.engine.cursor import TableCursor
from kveik.engine.files import TableFiles
from kveik.engine.table import Fault, Table
from kveik.format.table import PARTITION_BLOCKS, table_name
from kveik.limits import READAHEAD, READAHEAD_BLOCKS

BORDERS = KEYS | st.just(b"")


def within(entries: Entries, start: bytes, stop: bytes, reverse: bool) -> list[tuple[bytes, bytes]]:
    keys = sorted((key for key in entries if start <= key < stop), reverse=reverse)
    return [(key[1:], shown(entries[key])) for key in keys]


def dense(count: int, size: int = 100) -> Entries:
    return {b"%06d" % number: b"\1" * size for number in range(count)}


@given(
    ENTRIES,
    BORDERS,
    BORDERS,
    st.booleans(),
    st.integers(1, 100),
    st.sampled_from([16, 500, 8192]),
    st.sampled_from([1, 3000, PLENTY]),
)
@settings(deadline=None)
def test_a_scan_gives_what_a_sorted_dict_gives(
    entries: Entries,
    start: bytes,
    stop: bytes,
    reverse: bool,
    count: int,
    block_size: int,
    capacity: int,
) -> None:
    table = table_of(entries, block_size=block_size)
    found = Reader(capacity).scan(table, start, stop, reverse=reverse, count=count)
    assert found == within(entries, start, stop, reverse)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("capacity", [1, 20_000, PLENTY])
def test_a_scan_over_many_partitions_gives_what_a_sorted_dict_gives(
    reverse: bool, capacity: int
) -> None:
    chance = Random(7)
    entries = {chance.randbytes(4): b"\1" + chance.randbytes(50) for _ in range(3000)}
    table = table_of(entries, block_size=200)
    keys = sorted(entries)
    borders = [b"", *keys[:3], *chance.sample(keys, 4), *keys[-3:], TOP]
    for start, stop in [(b"", TOP), *(sorted(chance.sample(borders, 2)) for _ in range(10))]:
        found = Reader(capacity).scan(table, start, stop, reverse=reverse)
        assert found == within(entries, start, stop, reverse)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_chunk_of_what_is_in_memory_is_full(reverse: bool) -> None:
    entries = dense(1000)
    table, reader = table_of(entries), Reader()
    reader.scan(table)
    cursor = TableCursor(table, b"", TOP, reverse)
    sizes = []
    while cursor.chunk(300):
        sizes.append(len(cursor.keys))
    assert sizes == [300, 300, 300, 100]


def test_a_range_that_is_none_reads_nothing() -> None:
    table = table_of(dense(10))
    for start, stop in ((b"000005", b"000005"), (b"9", b"0"), (b"", b"")):
        for reverse in (False, True):
            assert not TableCursor(table, start, stop, reverse).chunk(10)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_fault_changes_nothing(reverse: bool) -> None:
    entries = dense(3000)
    table, reader = table_of(entries), Reader(1)
    cursor = TableCursor(table, b"", TOP, reverse)
    found: list[bytes] = []
    for _ in range(1000):
        try:
            if not cursor.chunk(100):
                break
        except Fault as fault:
            keys = cursor.keys
            with pytest.raises(Fault):
                cursor.chunk(100)  # asked again before anything was settled
            assert cursor.keys is keys
            fault.load(False)
            fault.settle(reader.cache)
            fault.release()
        else:
            found += cursor.keys
    assert found == [key[1:] for key in sorted(entries, reverse=reverse)]


def test_what_was_in_memory_is_handed_out_before_a_fault() -> None:
    table, reader = table_of(dense(500)), Reader()
    cursor = TableCursor(table, b"", TOP, False)
    assert reader.run(lambda: cursor.chunk(500))
    assert 0 < len(cursor.keys) < 500


class Reads:
    """A table, and the (offset, length) of each read of it."""

    def __init__(self, entries: Entries, block_size: int = 8192) -> None:
        inner = MemoryDisk()
        info = build(inner, entries, block_size=block_size)
        self.calls: list[tuple[int, int]] = []
        self.table = Table(TableFiles(Recording(inner, self.calls)), info)


class Recording(FaultyDisk):
    def __init__(self, disk: MemoryDisk, calls: list[tuple[int, int]]) -> None:
        super().__init__(disk)
        self.calls = calls

    def open(self, name: str, *, writable: bool = False) -> File:
        return RecordedFile(self.disk.open(name), self.calls)


class RecordedFile(File):
    def __init__(self, file: File, calls: list[tuple[int, int]]) -> None:
        self.name = file.name
        self.read_inner = file.read
        self.calls = calls

    def read(self, offset: int, length: int) -> bytes:
        self.calls.append((offset, length))
        return self.read_inner(offset, length)

    def size(self) -> int:
        raise NotImplementedError

    def write(self, offset: int, pieces: list[bytes]) -> None:
        raise NotImplementedError

    def allocate(self, size: int) -> None:
        raise NotImplementedError

    def sync(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("reverse", [False, True])
def test_a_long_scan_reads_ahead_twice_as_far_each_time_up_to_its_bound(reverse: bool) -> None:
    reads = Reads(dense(2 * PARTITION_BLOCKS, 9000))  # a block each
    Reader().scan(reads.table, reverse=reverse)
    blocks = [round(length / 9000) for _, length in reads.calls[2:9]]  # behind root and partition
    assert blocks == [1, 2, 4, 8, 16, READAHEAD_BLOCKS, 1]  # the last of the partition
    assert round(reads.calls[-1][1] / 9000) == READAHEAD_BLOCKS


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_reads_no_block_that_its_range_does_not_need(reverse: bool) -> None:
    entries = dense(2000)
    reads = Reads(entries)
    whole = Reads(entries)
    Reader().scan(whole.table)
    found = Reader().scan(reads.table, b"000500", b"000600", reverse=reverse)
    assert len(found) == 100
    assert sum(length for _, length in reads.calls[2:]) <= 3 * 8300
    assert sum(length for _, length in whole.calls[2:]) > 20 * 8000


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_in_memory_is_not_read_again_ahead(reverse: bool) -> None:
    reads, reader = Reads(dense(3000)), Reader()
    reader.scan(reads.table, reverse=not reverse)
    size = sum(length for _, length in reads.calls)
    reader.scan(reads.table, reverse=reverse)
    assert sum(length for _, length in reads.calls) == size


def test_large_values_are_read_and_handed_out_about_a_megabyte_at_a_time() -> None:
    reads = Reads(dense(40, 300_000))
    cursor, reader = TableCursor(reads.table, b"", TOP, False), Reader()
    count = 0
    while reader.run(lambda: cursor.chunk(100)):
        assert sum(map(len, cursor.values)) <= READAHEAD + 300_000
        count += len(cursor.keys)
    assert count == 40
    assert max(length for _, length in reads.calls) <= READAHEAD
    assert table_name(12) == reads.table.name
