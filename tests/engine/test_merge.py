"""Compaction against a model of plain dicts, and its edges one by one."""

from __future__ import annotations

import errno
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.sources import (
    ABSENT,
    NOW,
    UNKNOWN,
    Level,
    compact_job,
    expiring,
    look,
    make_source,
    make_table,
    plain,
    read_table,
    read_tables,
)
from tests.engine.support.stores import flip

from kveik.disk.faulty import FaultyDisk, fail_nth
from kveik.disk.memory import MemoryDisk
from kveik.engine.job import perform
from kveik.errors import CorruptionError, StorageError
from kveik.format.codec import NONE, ZLIB
from kveik.format.entry import TOMBSTONE
from kveik.format.table import table_name
from kveik.limits import CHUNK_SIZE, MAX_HELD

KEYS = [b"\x00%c%c" % (a, b) for a in b"abcdef" for b in b"0123456789"] + [b"\x00a", b"\x00c0\x00"]
SIZES = [0, 1, 50, 3_000, 40_000, MAX_HELD // 2, MAX_HELD + 1]

keys = st.sampled_from(KEYS)
values = st.one_of(
    st.just(TOMBSTONE),
    st.builds(
        lambda size, fill: plain(bytes((fill,)) * size), st.sampled_from(SIZES), st.integers(0, 255)
    ),
    st.builds(expiring, st.binary(max_size=3), st.sampled_from([1, NOW - 1, NOW, NOW + 1])),
    st.just(expiring(b"x" * (MAX_HELD + 1), NOW)),
)
clears = st.lists(st.tuples(keys, keys).filter(lambda pair: pair[0] < pair[1]), max_size=3)
levels = st.builds(Level, st.dictionaries(keys, values, max_size=40), clears)
sources = st.lists(st.tuples(levels, st.sets(keys, max_size=4)), min_size=1, max_size=6)


def compacted(
    disk: MemoryDisk, drawn: list[tuple[Level, set[bytes]]], *, bottom: bool, **options: int
) -> Level:
    """The outcome of merging these levels, each cut into tables at some keys."""
    tables = [
        make_source(disk, 1 + 100 * at, level, cuts, block_size=options.get("block_size", 8192))
        for at, (level, cuts) in enumerate(drawn)
    ]
    outcome = perform(disk, compact_job(tables, bottom=bottom, **options))
    numbers = [info.number for info in outcome.tables]
    assert numbers == list(range(1000, 1000 + len(numbers)))
    assert outcome.written == sum(info.size for info in outcome.tables)
    return read_tables(disk, outcome.tables)


@settings(max_examples=120, deadline=None)
@given(
    sources,
    st.booleans(),
    st.sampled_from([0, 300, 5_000, 100_000]),
    st.sampled_from([64, 8192]),
)
def test_a_compaction_says_of_every_key_what_its_sources_said(
    drawn: list[tuple[Level, set[bytes]]], bottom: bool, table_size: int, block_size: int
) -> None:
    disk = MemoryDisk()
    merged = compacted(disk, drawn, bottom=bottom, table_size=table_size, block_size=block_size)
    before = [level for level, _ in drawn]
    for key in [*KEYS, *(key + b"\x00" for key in KEYS)]:
        expected = look(before, key)
        if bottom and expected == ABSENT:
            expected = UNKNOWN
        assert look([merged], key) == expected
    if bottom:
        assert merged.clears == []
        assert TOMBSTONE not in merged.entries.values()


def test_many_chunks_are_merged_like_one() -> None:
    chance = random.Random(1)
    drawn = []
    expected: dict[bytes, bytes] = {}
    for age in range(4):
        entries = {
            b"\x00%06d" % chance.randrange(20_000): plain(
                b"%d-" % age + bytes(chance.randrange(300))
            )
            for _ in range(6_000)
        }
        assert sum(map(len, entries.values())) > 2 * CHUNK_SIZE
        expected = entries | expected  # the newest first
        drawn.append((Level(entries), {b"\x00005000", b"\x00012000"}))
    merged = compacted(MemoryDisk(), drawn, bottom=True, table_size=400_000)
    assert merged.entries == expected


def test_sources_that_do_not_overlap_pass_one_behind_the_other() -> None:
    drawn = []
    for age in range(3):
        entries = {b"\x00%d%05d" % (age, at): plain(b"%d" % at * 50) for at in range(4_000)}
        drawn.append((Level(entries), {b"\x00%d02000" % age}))
    merged = compacted(MemoryDisk(), drawn, bottom=False)
    assert list(merged.entries) == sorted(key for level, _ in drawn for key in level.entries)


def test_tables_are_cut_at_the_size_asked_for() -> None:
    disk = MemoryDisk()
    entries = {b"\x00%06d" % at: plain(bytes(100)) for at in range(20_000)}
    tables = make_source(disk, 1, Level(entries))
    outcome = perform(disk, compact_job([tables], table_size=200_000))
    assert len(outcome.tables) > 5
    for info in outcome.tables[:-1]:
        assert 200_000 <= info.size < 250_000


def test_a_clear_is_carried_down_clipped_to_the_tables_that_are_made() -> None:
    disk = MemoryDisk()
    entries = {b"\x00%06d" % at: plain(bytes(100)) for at in range(2_000)}
    cleared = Level({}, [(b"\x00000500", b"\x00001500"), (b"\x00009", b"\x0001")])
    tables = [make_source(disk, 1, cleared), make_source(disk, 10, Level(entries))]
    outcome = perform(disk, compact_job(tables, table_size=20_000))
    assert [info.low for info in outcome.tables[1:]] > [info.low for info in outcome.tables[:-1]]
    merged = read_tables(disk, outcome.tables)
    assert sorted(merged.entries) == sorted(
        key for key in entries if not b"\x00000500" <= key < b"\x00001500"
    )
    parts = sum(
        1 for start, stop in merged.clears if start >= b"\x00000500" and stop <= b"\x00001500"
    )
    assert parts == 1  # nothing is made inside it, so nothing cuts it
    assert outcome.tables[-1].high == b"\x0001"


def test_clears_alone_make_a_table_without_entries() -> None:
    disk = MemoryDisk()
    tables = [
        make_source(disk, 1, Level({}, [(b"\x00a", b"\x00c")])),
        make_source(disk, 2, Level({}, [(b"\x00b", b"\x00d")])),
    ]
    outcome = perform(disk, compact_job(tables))
    assert [(info.entries, info.low, info.high) for info in outcome.tables] == [
        (0, b"\x00a", b"\x00d")
    ]
    assert read_table(disk, outcome.tables[0]).clears == [(b"\x00a", b"\x00d")]


def test_where_nothing_is_left_no_table_is_made() -> None:
    disk = MemoryDisk()
    tables = (
        [make_table(disk, 1, {b"\x00a": TOMBSTONE})],
        [make_table(disk, 2, {b"\x00a": plain(b"1")})],
    )
    before = disk.names()
    outcome = perform(disk, compact_job(list(tables), bottom=True))
    assert (outcome.tables, outcome.written) == ([], 0)
    assert disk.names() == before


def test_an_expired_entry_goes_on_as_a_tombstone_until_the_bottom() -> None:
    for bottom, left in ((False, {b"\x00a": TOMBSTONE}), (True, {})):
        disk = MemoryDisk()
        tables = [make_table(disk, 1, {b"\x00a": expiring(b"x", NOW)})]
        outcome = perform(disk, compact_job([tables], bottom=bottom))
        assert read_tables(disk, outcome.tables).entries == left


def test_what_expires_later_stays_as_it_is() -> None:
    disk = MemoryDisk()
    entries = {b"\x00a": expiring(b"x", NOW + 1)}
    outcome = perform(disk, compact_job([[make_table(disk, 1, entries)]], bottom=True))
    assert read_tables(disk, outcome.tables).entries == entries
    assert outcome.tables[0].expires == NOW + 1


@pytest.mark.parametrize("newer", [0, 1])
def test_of_two_large_values_the_newer_is_kept(newer: int) -> None:
    disk = MemoryDisk()
    large = [plain(bytes((age,)) * (MAX_HELD + 1)) for age in (1, 2)]
    # The older one is met first: the newer one's source has a chunk before it.
    before = {b"\x00%04d" % at: plain(bytes(1000)) for at in range(2 * CHUNK_SIZE // 1000)}
    sources = [{b"\x00k": large[0]}, {b"\x00k": large[1]}]
    sources[newer].update(before)
    tables = [make_source(disk, 1 + 10 * at, Level(entries)) for at, entries in enumerate(sources)]
    merged = read_tables(disk, perform(disk, compact_job(tables)).tables)
    assert merged.entries == before | {b"\x00k": large[0]}


@pytest.mark.parametrize("codec", [NONE, ZLIB])
def test_a_large_value_that_compresses_well_stays_large(codec: int) -> None:
    disk = MemoryDisk()
    entries = {b"\x00a": plain(b"1"), b"\x00b": plain(bytes(3 * MAX_HELD)), b"\x00c": plain(b"2")}
    once = perform(disk, compact_job([[make_table(disk, 1, entries)]], codec=ZLIB)).tables
    assert once[0].size < MAX_HELD
    assert read_tables(disk, once).entries == entries
    twice = perform(disk, compact_job([once], first=2000, codec=codec)).tables
    assert (twice[0].size < MAX_HELD) == (codec == ZLIB)
    assert read_tables(disk, twice).entries == entries


def test_whichever_disk_operation_fails_nothing_is_left() -> None:
    disk = MemoryDisk()
    entries = {b"\x00%06d" % at: plain(bytes(100)) for at in range(2_000)}
    tables = [[make_table(disk, 1, entries)], [make_table(disk, 2, entries, [(b"\x00", b"\x01")])]]
    before = disk.names()
    count = 0
    while True:
        faulty = FaultyDisk(disk, fail_nth(count, errno.EIO))
        try:
            perform(faulty, compact_job(tables, table_size=50_000))
        except StorageError:
            assert disk.names() == before
            count += 1
        else:
            break
    assert count > 12  # of each table made: create, write, sync


def test_a_damaged_block_ends_the_job_with_file_and_offset() -> None:
    disk = MemoryDisk()
    entries = {b"\x00%06d" % at: plain(bytes(100)) for at in range(5_000)}
    info = make_table(disk, 1, entries)
    flip(disk, table_name(1), 100_000)
    with pytest.raises(CorruptionError) as caught:
        perform(disk, compact_job([[info]], table_size=20_000))
    assert caught.value.file == table_name(1)
    assert caught.value.offset <= 100_000 < caught.value.offset + 20_000
    assert disk.names() == [table_name(1)]


def test_a_table_that_breaks_off_ends_the_job() -> None:
    disk = MemoryDisk()
    info = make_table(disk, 1, {b"\x00a": plain(b"1")})
    whole = disk.open(table_name(1)).read(0, 1 << 20)
    disk.remove(table_name(1))
    disk.create(table_name(1)).write(0, [whole[: info.root_offset + 3]])
    with pytest.raises(CorruptionError, match="the file breaks off"):
        perform(disk, compact_job([[info]]))


def test_a_table_with_other_entries_than_the_manifest_says_ends_the_job() -> None:
    disk = MemoryDisk()
    info = make_table(disk, 1, {b"\x00a": plain(b"1")})
    info.entries = 2
    with pytest.raises(CorruptionError, match="1 entries where there should be 2"):
        perform(disk, compact_job([[info]]))
    assert disk.names() == [table_name(1)]


def test_more_tables_than_numbers_is_a_fault_of_the_caller() -> None:
    disk = MemoryDisk()
    entries = {b"\x00%06d" % at: plain(bytes(100)) for at in range(2_000)}
    tables = make_source(disk, 1, Level(entries))
    with pytest.raises(RuntimeError, match="more tables than numbers"):
        perform(disk, compact_job([tables], table_size=20_000, reserved=2))
    assert disk.names() == [table_name(1)]
