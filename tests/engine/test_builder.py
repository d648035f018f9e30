"""The builder: sorted entries in, a synced file and what is to be known of it out."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.tables import ENTRIES, Entries, Reader, build, rows_of

from kveik.disk.faulty import FaultyDisk, fail_each
from kveik.disk.memory import MemoryDisk
from kveik.engine.builder import TableBuilder
from kveik.engine.files import TableFiles
from kveik.engine.table import Table
from kveik.format.codec import NONE, ZLIB, seed, unseal
from kveik.format.entry import TOMBSTONE, encode_value_of
from kveik.format.table import FOOTER_SIZE, TableInfo, decode_footer, decode_root, table_name
from kveik.model import BYTES, DELETED, TEXT, Cell


def new_builder(disk: MemoryDisk) -> TableBuilder:
    return TableBuilder(disk.create(table_name(12)), 12)


def described(info: TableInfo) -> dict[str, object]:
    names = [name for name in dir(info) if not name.startswith("_")]
    return {name: getattr(info, name) for name in names}


def whole(disk: MemoryDisk) -> bytes:
    file = disk.open(table_name(12))
    return file.read(0, file.size())


@given(ENTRIES, st.sampled_from([16, 500, 8192]), st.sampled_from([NONE, ZLIB]))
@settings(deadline=None)
def test_every_entry_of_a_table_comes_back(entries: Entries, block_size: int, codec: int) -> None:
    disk = MemoryDisk()
    info = build(disk, entries, block_size=block_size, codec=codec)
    table, reader = Table(TableFiles(disk), info), Reader()
    stop = max(entries, default=b"") + b"\0"
    assert reader.scan(table, b"", stop) == rows_of(entries)
    assert {key: reader.find(table, key) for key in entries} == entries
    assert info.entries == len(entries)


@given(ENTRIES, st.lists(st.integers(1, 10), min_size=1))
@settings(deadline=None)
def test_it_does_not_matter_in_what_portions_entries_come(
    entries: Entries, sizes: list[int]
) -> None:
    at_once, portioned, single = MemoryDisk(), MemoryDisk(), MemoryDisk()
    info = described(build(at_once, entries, block_size=500))
    keys = sorted(entries)
    builder = TableBuilder(portioned.create(table_name(12)), 12, block_size=500)
    at = 0
    while at < len(keys):
        size = sizes[at % len(sizes)]
        some = keys[at : at + size]
        builder.add_many(some, [entries[key] for key in some])
        builder.add_many([], [])
        at += size
    assert described(builder.finish()) == info
    builder = TableBuilder(single.create(table_name(12)), 12, block_size=500)
    for key in keys:
        builder.add(key, entries[key])
    assert described(builder.finish()) == info
    assert whole(at_once) == whole(portioned) == whole(single)


def test_a_table_says_what_it_holds() -> None:
    disk = MemoryDisk()
    entries = {
        b"\0a": TOMBSTONE,
        b"\0b": encode_value_of(Cell(TEXT, b"x", 2000)),
        b"\0c": encode_value_of(Cell(BYTES, b"y", 1000)),
        b"\0d": encode_value_of(Cell(BYTES, b"z")),
        b"\0e": encode_value_of(Cell(DELETED, b"")),
    }
    info = build(disk, entries)
    assert (info.number, info.entries, info.tombstones, info.expires) == (12, 5, 2, 1000)
    assert (info.low, info.high, info.clears) == (b"\0a", b"\0e\0", 0)
    assert info.size == len(whole(disk)) == info.root_offset + info.root_size + FOOTER_SIZE


def test_the_footer_says_where_the_root_is() -> None:
    disk = MemoryDisk()
    info = build(disk, {b"a": b"\1x"}, clears=[(b"c", b"d")])
    data = whole(disk)
    footer = decode_footer(data[-FOOTER_SIZE:])
    assert (footer.root_offset, footer.root_size) == (info.root_offset, info.root_size)
    assert (footer.number, footer.entries) == (12, 1)
    root = data[footer.root_offset : footer.root_offset + footer.root_size]
    assert decode_root(unseal(root, seed(12, footer.root_offset)))[1] == [(b"c", b"d")]


@pytest.mark.parametrize(
    ("keys", "clears", "low", "high"),
    [
        ([b"b", b"c"], [(b"a", b"d")], b"a", b"d"),
        ([b"b", b"c"], [(b"x", b"y"), (b"a", b"b")], b"a", b"y"),
        ([b"b", b"y"], [(b"c", b"d")], b"b", b"y\0"),
        ([b"b"], [(b"b", b"b\0")], b"b", b"b\0"),
        ([], [(b"c", b"d"), (b"a", b"b")], b"a", b"d"),
        ([], [], b"", b""),
    ],
)
def test_the_range_of_a_table_covers_its_keys_and_its_clears(
    keys: list[bytes], clears: list[tuple[bytes, bytes]], low: bytes, high: bytes
) -> None:
    info = build(MemoryDisk(), dict.fromkeys(keys, TOMBSTONE), clears=clears)
    assert (info.low, info.high, info.clears) == (low, high, len(clears))


def test_clears_that_overlap_are_put_together() -> None:
    clears = [(b"e", b"g"), (b"a", b"c"), (b"b", b"d"), (b"d", b"e"), (b"x", b"x")]
    assert build(MemoryDisk(), {}, clears=clears).clears == 1


def test_keys_that_do_not_ascend_are_refused_also_from_one_portion_to_the_next() -> None:
    for portions in ([[b"b", b"a"]], [[b"a"], [b"a"]], [[b"a", b"b"], [b"c", b"b"]]):
        builder = new_builder(MemoryDisk())
        for portion in portions[:-1]:
            builder.add_many(portion, portion)
        with pytest.raises(ValueError, match="keys must ascend"):
            builder.add_many(portions[-1], portions[-1])


def test_keys_without_values_are_refused() -> None:
    with pytest.raises(ValueError, match="one value for each key"):
        new_builder(MemoryDisk()).add_many([b"a", b"b"], [b"\1"])


def test_a_finished_table_is_on_the_disk() -> None:
    disk = MemoryDisk()
    entries = {b"%05d" % number: b"\1" + bytes(100) for number in range(1000)}
    info = build(disk, entries)
    disk.sync_names()
    table = Table(TableFiles(disk.crash()), info)
    assert Reader().scan(table) == rows_of(entries)


def test_a_table_is_written_in_pieces_of_about_a_megabyte() -> None:
    sizes: list[int] = []
    inner = MemoryDisk()
    disk = FaultyDisk(inner)
    file = disk.create(table_name(12))

    def plan(number: int, operation: str, name: str) -> None:
        if operation == "write":
            sizes.append(file.size())

    disk.plan = plan
    builder = TableBuilder(file, 12)
    value = b"\1" + bytes(999)
    for number in range(5000):
        builder.add(b"%05d" % number, value)
    info = builder.finish()
    written = [after - before for before, after in zip(sizes, [*sizes[1:], info.size], strict=True)]
    assert len(written) == 5
    assert all(1 << 20 <= size < (1 << 20) + 20_000 for size in written[:-1])


def test_its_size_is_known_while_it_is_built() -> None:
    builder = new_builder(MemoryDisk())
    for number in range(200):
        builder.add(b"%05d" % number, b"\1" + bytes(999))
        assert (number - 8) * 1000 < builder.size <= (number + 1) * 1100


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_failing_disk_is_an_os_error(operation: str) -> None:
    disk = FaultyDisk(MemoryDisk(), fail_each(operation, errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        build(disk, {b"a": b"\1x"})
