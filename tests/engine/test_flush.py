"""Flush: log segments against a model of plain dicts, and its edges one by one."""

from __future__ import annotations

import errno
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.made import (
    SIZE,
    contents_after,
    end_of_records,
    flush_job,
    make_segment,
)
from tests.engine.support.sources import ABSENT, NOW, UNKNOWN, Level, look, read_tables
from tests.engine.support.stores import flip, overwrite
from tests.format.records import Commit

from kveik.disk.api import Disk
from kveik.disk.faulty import FaultyDisk, fail_each
from kveik.disk.memory import MemoryDisk
from kveik.engine.job import perform
from kveik.errors import CorruptionError, DiskFullError, NewerFormatError, StorageError
from kveik.format.entry import TOMBSTONE
from kveik.format.segment import HEAD_SIZE, SegmentHead, encode_head, segment_name
from kveik.limits import MAX_HELD, READ_SIZE
from kveik.model import BYTES, CLEARED, DELETED, JSON, PICKLE, TEXT

KEYS = [b"\x00%c" % a for a in b"abcdefgh"] + [b"\x01" * 200, b"\x00a\x00"]
keys = st.sampled_from(KEYS)
data = st.one_of(st.binary(max_size=5), st.sampled_from([b"x" * 127, b"x" * 128, b"x" * 20_000]))
entries = st.one_of(
    st.tuples(keys, st.sampled_from([BYTES, TEXT, JSON, PICKLE]), data, st.just(0)),
    st.tuples(keys, st.just(BYTES), data, st.sampled_from([1, NOW, NOW + 1])),
    st.tuples(keys, st.just(DELETED), st.just(b""), st.just(0)),
    st.tuples(keys, st.just(CLEARED), keys, st.just(0)),
)
commits = st.lists(st.lists(entries, min_size=1, max_size=5), min_size=1, max_size=6)
groups = st.lists(commits, min_size=1, max_size=4)
segments = st.lists(groups, min_size=1, max_size=3)


def put(key: bytes, value: bytes) -> Commit:
    return [(key, BYTES, value, 0)]


def flushed(
    disk: Disk, numbers: list[int], upto: int, *, after: int = 0, bottom: bool = False
) -> Level:
    outcome = perform(disk, flush_job(numbers, upto, after=after, bottom=bottom))
    assert [info.number for info in outcome.tables] in ([], [7])
    return read_tables(disk, outcome.tables)


@settings(max_examples=150, deadline=None)
@given(segments, st.booleans(), st.data())
def test_a_flush_keeps_what_the_commits_it_was_asked_for_left(
    drawn: list[list[list[Commit]]], bottom: bool, more: st.DataObject
) -> None:
    disk = MemoryDisk()
    lsn = 0
    for number, groups in enumerate(drawn):
        lsn = make_segment(disk, number + 1, lsn + 1, groups)
    in_order = [commit for groups in drawn for group in groups for commit in group]
    assert len(in_order) == lsn
    after = more.draw(st.integers(0, lsn - 1))
    upto = more.draw(st.integers(after + 1, lsn))
    taken = in_order[after:upto]
    made = flushed(disk, list(range(1, len(drawn) + 1)), upto, after=after, bottom=bottom)
    clears = [(key, stop) for commit in taken for key, kind, stop, _ in commit if kind == CLEARED]
    model = Level(contents_after(taken), clears)
    for key in [*KEYS, *(key + b"\x00" for key in KEYS)]:
        expected = look([model], key)
        if bottom and expected == ABSENT:
            expected = UNKNOWN
        assert look([made], key) == expected
    if bottom:
        assert made.clears == []
        assert TOMBSTONE not in made.entries.values()


@pytest.mark.parametrize("alike", [1, 10, 1000])
def test_of_segments_that_write_the_same_keys_again_the_newest_values_are_kept(alike: int) -> None:
    """alike: commits in a record; more and fewer than are looked up together."""
    drawn = random.Random(alike)
    disk = MemoryDisk()
    taken: list[Commit] = []
    lsn = 0
    for number in (1, 2, 3):
        commits: list[Commit] = []
        for at in range(2_000):
            key = b"\x00%03d" % drawn.randrange(700 - 100 * number)
            kind = DELETED if drawn.random() < 0.01 else drawn.choice([BYTES, TEXT])
            commits.append([(key, kind, b"%d" % at if kind != DELETED else b"", 0)])
        groups = [commits[at : at + alike] for at in range(0, len(commits), alike)]
        lsn = make_segment(disk, number, lsn + 1, groups, size=200_000)
        taken += commits
    assert flushed(disk, [1, 2, 3], lsn).entries == contents_after(taken)


def test_many_clears_between_many_keys_are_no_work_of_keys_times_clears() -> None:
    disk = MemoryDisk()
    keys = [b"\x00%05d" % at for at in range(8_000)]
    group: list[Commit] = [put(key, b"1") for key in keys]
    for at in range(0, 8_000, 10):
        group += [[(keys[at], CLEARED, keys[at + 5], 0)], put(keys[at], b"2")]
    lsn = make_segment(disk, 1, 1, [group])
    made = flushed(disk, [1], lsn, bottom=True)
    assert made.entries == contents_after(group)


def test_a_record_longer_than_what_is_read_at_a_time_is_read_whole() -> None:
    disk = MemoryDisk()
    group = [put(b"\x00%02d" % at, bytes((at,)) * 200_000) for at in range(20)]
    groups: Sequence[Sequence[Commit]] = [[put(b"\x00a", b"1")], group, [put(b"\x00b", b"2")]]
    assert len(group) * 200_000 > READ_SIZE
    lsn = make_segment(disk, 1, 1, groups, size=5_000_000)
    made = flushed(disk, [1], lsn)
    assert made.entries == contents_after([commit for group in groups for commit in group])


def test_a_value_too_large_to_be_held_is_fetched_from_its_segment() -> None:
    disk = MemoryDisk()
    large = [bytes((at,)) * (MAX_HELD + at) for at in range(1, 6)]
    first: list[list[Commit]] = [
        [put(b"\x00a", large[0]), put(b"\x00b", large[1]), put(b"\x00c", b"small")],
        [[(b"\x00d", TEXT, large[2], NOW + 1)], [(b"\x00e", TEXT, large[2], NOW)]],
        [put(b"\x00f", large[3]), put(b"\x00g", large[3])],
    ]
    second: list[list[Commit]] = [
        [put(b"\x00b", b"small now"), put(b"\x00c", large[4]), [(b"\x00f", CLEARED, b"\x00g", 0)]],
    ]
    lsn = make_segment(disk, 1, 1, first, size=4_000_000)
    upto = make_segment(disk, 2, lsn + 1, second, size=4_000_000)
    expected = contents_after([commit for group in first + second for commit in group])
    expected[b"\x00e"] = TOMBSTONE
    assert flushed(disk, [1, 2], upto).entries == expected
    disk.remove("0000000007.tbl")
    del expected[b"\x00e"]
    assert flushed(disk, [1, 2], upto, bottom=True).entries == expected


def test_where_nothing_is_left_no_table_is_made() -> None:
    disk = MemoryDisk()
    lsn = make_segment(disk, 1, 1, [[[(b"\x00a", DELETED, b"", 0)]]])
    outcome = perform(disk, flush_job([1], lsn, bottom=True))
    assert (outcome.tables, outcome.written) == ([], 0)
    assert disk.names() == [segment_name(1)]


def test_a_flipped_byte_in_a_commit_that_is_wanted_is_damage() -> None:
    groups = [[put(b"\x00%02d" % at, b"value")] for at in range(20)]
    disk = MemoryDisk()
    lsn = make_segment(disk, 1, 1, groups, size=4096)
    for at in range(HEAD_SIZE, end_of_records(disk, 1)):
        flip(disk, segment_name(1), at)
        with pytest.raises(CorruptionError) as caught:
            perform(disk, flush_job([1], lsn))
        assert caught.value.file == segment_name(1)
        assert HEAD_SIZE <= caught.value.offset <= at
        flip(disk, segment_name(1), at)
    assert disk.names() == [segment_name(1)]


@pytest.mark.parametrize(("before", "next_lsn", "lost"), [(1, 3, "2 to 2"), (2, 5, "3 to 4")])
def test_commits_that_are_missing_between_segments_are_damage(
    before: int, next_lsn: int, lost: str
) -> None:
    disk = MemoryDisk()
    make_segment(disk, 1, 1, [[put(b"\x00%d" % at, b"1")] for at in range(before)])
    lsn = make_segment(disk, 2, next_lsn, [[put(b"\x00c", b"1")]])
    with pytest.raises(CorruptionError, match=f"commits {lost} are missing or damaged") as caught:
        perform(disk, flush_job([1, 2], lsn))
    assert caught.value.file == segment_name(1)


def test_commits_that_are_missing_at_the_beginning_are_damage() -> None:
    disk = MemoryDisk()
    lsn = make_segment(disk, 1, 4, [[put(b"\x00a", b"1")]])
    with pytest.raises(CorruptionError, match="commits 2 to 3 are missing or damaged"):
        perform(disk, flush_job([1], lsn, after=1))


def test_segments_in_the_wrong_order_are_damage() -> None:
    disk = MemoryDisk()
    make_segment(disk, 1, 1, [[put(b"\x00a", b"1")]])
    lsn = make_segment(disk, 2, 2, [[put(b"\x00b", b"1")]])
    with pytest.raises(CorruptionError, match="missing or damaged"):
        perform(disk, flush_job([2, 1], lsn))


def test_commits_that_are_missing_at_the_end_are_damage() -> None:
    disk = MemoryDisk()
    lsn = make_segment(disk, 1, 1, [[put(b"\x00a", b"1")]])
    with pytest.raises(CorruptionError, match="commits 2 to 5 are missing or damaged"):
        perform(disk, flush_job([1], lsn + 4))


def test_what_stands_behind_the_last_commit_wanted_does_not_matter() -> None:
    disk = MemoryDisk()
    make_segment(disk, 1, 1, [[put(b"\x00a", b"1")], [put(b"\x00b", b"1")]])
    flip(disk, segment_name(1), end_of_records(disk, 1) - 1)
    assert flushed(disk, [1], 1).entries == {b"\x00a": b"\x011"}


def test_a_segment_that_is_not_what_its_name_says_is_damage() -> None:
    disk = MemoryDisk()
    lsn = make_segment(disk, 1, 1, [[put(b"\x00a", b"1")]])
    disk.rename(segment_name(1), segment_name(2))
    with pytest.raises(CorruptionError, match="another segment under this name"):
        perform(disk, flush_job([2], lsn))
    overwrite(disk, segment_name(2), 0, b"x")
    with pytest.raises(CorruptionError, match="not a log segment"):
        perform(disk, flush_job([2], lsn))


def test_a_segment_of_a_newer_format_is_said_to_be_one() -> None:
    disk = MemoryDisk()
    lsn = make_segment(disk, 1, 1, [[put(b"\x00a", b"1")]])
    overwrite(disk, segment_name(1), 0, encode_head(SegmentHead(1, SIZE, 1, bytes(16), 9)))
    with pytest.raises(NewerFormatError, match="log format 9"):
        perform(disk, flush_job([1], lsn))


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (errno.ENOSPC, DiskFullError, "no room for another table"),
        (errno.EIO, StorageError, "a table could not be made"),
    ],
)
@pytest.mark.parametrize("operation", ["create", "write", "sync"])
def test_a_disk_that_fails_leaves_nothing_half_made(
    operation: str, code: int, kind: type[StorageError], says: str
) -> None:
    disk = MemoryDisk()
    lsn = make_segment(disk, 1, 1, [[put(b"\x00a", b"1")]])
    faulty = FaultyDisk(disk, fail_each(operation, code, prefix="0000000007.tbl"))
    with pytest.raises(StorageError, match=says) as caught:
        perform(faulty, flush_job([1], lsn))
    assert type(caught.value) is kind
    assert disk.names() == [segment_name(1)]
