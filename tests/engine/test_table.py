"""A table: every answer is right or a fault, and a fault ends where memory is scarce too."""

from __future__ import annotations

import errno
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
    rows_of,
    table_of,
)
from tests.format.blocks import KEYS, beside

from kveik.disk.faulty import FaultyDisk, fail_each
from kveik.disk.memory import MemoryDisk
from kveik.engine.cache import Cache
from kveik.engine.files import TableFiles
from kveik.engine.table import Fault, Hit, Table
from kveik.errors import CorruptionError
from kveik.format.entry import TOMBSTONE, encode_value_of
from kveik.format.filter import hash_key
from kveik.format.table import FOOTER_SIZE, PARTITION_BLOCKS, table_name
from kveik.model import TEXT, Cell

NAME = table_name(12)


def some_entries(count: int, size: int = 30) -> Entries:
    chance = Random(count)
    keys = sorted({chance.randbytes(8) for _ in range(count)})
    return {key: b"\1" + chance.randbytes(size) for key in keys}


def fault_of(table: Table, key: bytes) -> Fault:
    with pytest.raises(Fault) as caught:
        table.find(key, hash_key(key), Hit())
    return caught.value


# --- finding ------------------------------------------------------------------------------------


@given(ENTRIES, KEYS, st.sampled_from([16, 500, 8192]), st.sampled_from([1, 3000, PLENTY]))
@settings(deadline=None)
def test_a_key_is_found_exactly_if_it_was_put_in(
    entries: Entries, other: bytes, block_size: int, capacity: int
) -> None:
    table, reader = table_of(entries, block_size=block_size), Reader(capacity)
    for key in {near for one in [*sorted(entries)[:30], other] for near in beside(one)}:
        assert reader.find(table, key) == entries.get(key)


def test_every_key_of_many_partitions_is_found() -> None:
    entries = some_entries(3000)
    table, reader = table_of(entries, block_size=200), Reader()
    assert {key: reader.find(table, key) for key in entries} == entries
    assert len(table.partitions) > 5
    assert not any(reader.find(table, key + b"\0") for key in entries)


def test_a_key_below_the_table_needs_nothing_but_the_root() -> None:
    table, reader = table_of({b"m": b"\1x"}), Reader()
    assert reader.find(table, b"a") is None
    assert (reader.faults, table.partitions) == (1, [None])


def test_a_hit_gives_the_cell() -> None:
    table, reader, hit = table_of({b"a": encode_value_of(Cell(TEXT, b"x", 7))}), Reader(), Hit()
    assert reader.run(lambda: table.find(b"a", hash_key(b"a"), hit))
    cell = hit.cell()
    assert (cell.kind, cell.data, cell.expires) == (TEXT, b"x", 7)


def test_nothing_is_read_before_it_is_needed_and_nothing_twice() -> None:
    disk = FaultyDisk(MemoryDisk())
    entries = some_entries(1000)
    info = build(disk, entries)
    disk.count = 0
    table, reader = Table(TableFiles(disk), info), Reader()
    assert disk.count == 0
    key = min(entries)
    for _ in range(2):
        assert reader.find(table, key) == entries[key]
        assert disk.count == 4  # open it, read the root, a partition, a block
    assert reader.faults == 3


def test_what_the_filter_denies_costs_no_block() -> None:
    entries = some_entries(1000)
    table, reader = table_of(entries), Reader()
    absent = [key + b"\0" for key in entries]
    assert not any(reader.find(table, key) for key in absent)
    assert reader.faults < 2 + len(absent) // 50


def test_a_key_above_all_costs_the_root_alone() -> None:
    reader = Reader()
    assert reader.find(table_of(some_entries(10)), TOP) is None
    assert reader.faults == 1


@pytest.mark.parametrize("size", [8192, 100_000, 3_000_000])
def test_a_large_value_has_a_block_of_its_own(size: int) -> None:
    entries = {b"a": b"\1" * 10, b"b": b"\1" * size, b"c": b"\1" * 10}
    table, reader = table_of(entries), Reader(1)
    assert {key: reader.find(table, key) for key in entries} == entries
    assert reader.faults == 1 + 1 + 3


# --- clears -------------------------------------------------------------------------------------

CLEARS = st.lists(st.tuples(st.binary(max_size=2), st.binary(max_size=2)), max_size=6)


@given(CLEARS, st.lists(st.binary(max_size=3), min_size=1))
@settings(deadline=None)
def test_a_table_hides_the_keys_inside_its_clears(
    clears: list[tuple[bytes, bytes]], keys: list[bytes]
) -> None:
    table, reader = table_of({b"a": TOMBSTONE}, clears=clears), Reader()
    for key in [*keys, *(border for both in clears for border in both)]:
        inside = any(start <= key < stop for start, stop in clears)
        assert reader.hidden(table, key) == inside


def test_a_clear_hides_nothing_of_its_own_table() -> None:
    table = table_of({b"b": b"\1x"}, clears=[(b"a", b"c")])
    assert Reader().find(table, b"b") == b"\1x"


def test_without_clears_nothing_is_hidden_and_nothing_read() -> None:
    table = table_of({b"a": b"\1x"})
    assert not table.hidden(b"a")


def test_a_table_of_clears_alone_has_no_key_and_no_entry() -> None:
    table, reader = table_of({}, clears=[(b"a", b"c")]), Reader()
    assert reader.hidden(table, b"b")
    assert reader.find(table, b"b") is None
    assert reader.scan(table) == reader.scan(table, reverse=True) == []


# --- faults -------------------------------------------------------------------------------------


def test_in_the_smallest_cache_a_reader_that_pins_still_gets_to_its_end() -> None:
    entries = some_entries(500)
    first, second = table_of(entries, block_size=300), table_of(entries, block_size=400)
    reader = Reader(1)
    keys = list(entries)[::50]

    def read_all() -> int:
        """As a command does that needs many blocks: from the start at each fault."""
        hit = Hit()
        return sum(table.find(key, hash_key(key), hit) for key in keys for table in (first, second))

    assert reader.run(read_all) == 2 * len(keys)
    assert reader.faults <= 2 + 2 * 2 * len(keys)
    third = table_of({b"a": b"\1x"})
    reader.find(third, b"a")
    assert reader.cache.size < 1000  # the pins are gone, and so are the blocks


def test_a_load_that_must_not_wait_leaves_opening_the_file_to_one_that_may() -> None:
    table, cache = table_of({b"a": b"\1x"}), Cache(PLENTY)
    fault = fault_of(table, b"a")
    assert not fault.load(True)
    assert fault.load(False)
    fault.settle(cache)
    assert fault_of(table, b"a").load(True)  # now that it is open


def test_two_that_fault_for_the_same_load_twice_and_share_what_came_first() -> None:
    table, cache = table_of({b"a": b"\1x"}), Cache(PLENTY)
    for _ in range(3):
        one, other = fault_of(table, b"a"), fault_of(table, b"a")
        for fault in (one, other):
            assert fault.load(False)
            fault.settle(cache)
        assert [id(item) for item in one.pinned] == [id(item) for item in other.pinned]
        assert all(item.pins == 2 for item in one.pinned)
        one.release()
        other.release()
        assert all(item.pins == 0 for item in one.pinned)
    assert table.find(b"a", hash_key(b"a"), Hit())
    assert cache.misses == 2  # a partition and a block


def test_a_block_whose_partition_went_meanwhile_is_fetched_again() -> None:
    table, cache, reader = table_of({b"a": b"\1x"}), Cache(PLENTY), Reader()
    for _ in range(2):
        fault = fault_of(table, b"a")
        fault.load(False)
        fault.settle(cache)
        fault.release()
    fault = fault_of(table, b"a")
    fault.load(False)
    partition = table.partitions[0]
    assert partition is not None
    cache.forget(partition)
    fault.settle(cache)
    assert (fault.pinned, cache.size) == ([], 0)
    assert reader.find(table, b"a") == b"\1x"


def test_a_forgotten_table_leaves_nothing_in_the_cache() -> None:
    entries = some_entries(1000)
    table, other, reader = table_of(entries, block_size=200), table_of(entries), Reader()
    for key in entries:
        reader.find(table, key)
    size = reader.cache.size
    reader.find(other, min(entries))
    assert size > 0
    table.forget(reader.cache)
    assert 0 < reader.cache.size < size
    other.forget(reader.cache)
    assert reader.cache.size == 0


def test_a_failing_read_is_an_os_error() -> None:
    disk = FaultyDisk(MemoryDisk())
    table = Table(TableFiles(disk), build(disk, {b"a": b"\1x"}))
    disk.plan = fail_each("read", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        fault_of(table, b"a").load(False)


# --- damage -------------------------------------------------------------------------------------

SAMPLE: Entries = {b"key%d" % number: b"\1value%d" % number for number in range(6)}


def damaged(mask: int, at: int) -> tuple[Table, int]:
    """A table of several blocks with a byte flipped, and its file's size."""
    disk = MemoryDisk()
    info = build(disk, SAMPLE, block_size=60, clears=[(b"x", b"y")])
    file = disk.open(NAME, writable=True)
    if mask:
        byte = file.read(at, 1)[0] ^ mask
        file.write(at, [bytes((byte,))])
    return Table(TableFiles(disk), info), info.size


SIZE = damaged(0, 0)[1]


@pytest.mark.parametrize("at", range(SIZE))
def test_a_flipped_byte_is_reported_with_file_and_offset_or_harmless(at: int) -> None:
    reports: list[CorruptionError] = []
    for mask in (0x01, 0x80):
        table, _ = damaged(mask, at)
        for key, value in SAMPLE.items():
            reader = Reader()
            try:
                assert reader.find(table, key) == value
                assert reader.find(table, key + b"\0") is None
                assert reader.hidden(table, b"x")
                assert reader.scan(table) == rows_of(SAMPLE)
            except CorruptionError as error:
                reports.append(error)
    for error in reports:
        assert error.file == NAME
        assert 0 <= error.offset <= at
        assert "the checksum of a block does not match" in str(error)
    assert (reports != []) == (at < SIZE - FOOTER_SIZE)  # nothing here reads the footer


@pytest.mark.parametrize("left", [0, 1, 50, SIZE - FOOTER_SIZE - 1])
def test_a_file_that_breaks_off_is_reported_with_file_and_offset(left: int) -> None:
    disk = MemoryDisk()
    info = build(disk, SAMPLE, block_size=60)
    data = disk.open(NAME).read(0, min(left, info.size - FOOTER_SIZE - 1))
    disk.remove(NAME)
    disk.create(NAME).write(0, [data])
    with pytest.raises(CorruptionError, match="the file ends inside a block of") as caught:
        Reader().find(Table(TableFiles(disk), info), b"key1")
    assert (caught.value.file, caught.value.offset) == (NAME, info.root_offset)


def test_a_table_under_another_number_is_reported() -> None:
    disk = MemoryDisk()
    info = build(disk, SAMPLE)
    disk.rename(NAME, table_name(13))
    info.number = 13
    with pytest.raises(CorruptionError, match=r"0000000013\.tbl: offset .* checksum"):
        Reader().find(Table(TableFiles(disk), info), b"key1")


def test_damage_in_what_a_scan_reads_ahead_is_reported_only_where_it_gets_there() -> None:
    entries = some_entries(400)
    disk = MemoryDisk()
    info = build(disk, entries, block_size=300)
    table, keys = Table(TableFiles(disk), info), sorted(entries)
    file = disk.open(NAME, writable=True)
    at = info.root_offset // PARTITION_BLOCKS * 20
    file.write(at, [bytes(2)])
    good = [key for key in keys if _readable(table, key)]
    assert 0 < len(keys) - len(good) < 12
    first_bad = next(key for key in keys if key not in good)
    last_bad = next(key for key in reversed(keys) if key not in good)
    below = [key for key in keys if key < first_bad]
    above = [key for key in keys if key > last_bad]
    reader = Reader()
    assert [key for key, _ in reader.scan(table, b"", below[-1] + b"\0")] == [
        key[1:] for key in below
    ]
    assert [key for key, _ in reader.scan(table, above[0], reverse=True)] == [
        key[1:] for key in above[::-1]
    ]
    for reverse in (False, True):
        with pytest.raises(CorruptionError, match="checksum"):
            Reader().scan(table, reverse=reverse)


def _readable(table: Table, key: bytes) -> bool:
    try:
        return Reader().find(table, key) is not None
    except CorruptionError:
        return False
