"""Recovery: a torn tail is cut for good, and damage is an error that says where."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engine.support.segments import logs, lsns, places, read
from tests.engine.support.stores import (
    MEMORY,
    SEGMENT,
    Contents,
    at_once,
    commit,
    contents,
    delete,
    disk_with,
    flip,
    flush,
    overwrite,
    put,
    reopen,
    save,
    stored,
    traced,
    value,
)

from kveik.disk.api import Disk
from kveik.disk.faulty import FaultyDisk, Stopped, crash_at
from kveik.disk.memory import MemoryDisk
from kveik.disk.posix import PosixDisk
from kveik.engine.opening import open_store
from kveik.errors import CorruptionError, LockedError, NewerFormatError, NotKveikError
from kveik.format.record import MARK_SIZE, encode_mark
from kveik.format.segment import HEAD_SIZE, decode_head, encode_head, segment_name

LOG = segment_name(1)
BIG = SEGMENT * 2 // 3  # bytes: two do not fit one segment


def small_log() -> MemoryDisk:
    """Three groups, closed cleanly: {a: 1, b: 2, c: 3}."""
    disk = MemoryDisk()
    store = reopen(disk)
    for key, data in ((b"a", b"1"), (b"b", b"2"), (b"c", b"3")):
        save(store, put(key, data))
    store.close()
    return disk


def long_log(segments: int = 4) -> MemoryDisk:
    """One large value a segment."""
    disk = MemoryDisk()
    store = reopen(disk)
    for number in range(segments):
        save(store, put(b"%d" % number, value(BIG, number)))
    store.close()
    return disk


def corruption(disk: Disk) -> CorruptionError:
    with pytest.raises(CorruptionError) as caught:
        reopen(disk)
    return caught.value


# --- a torn tail --------------------------------------------------------------------------------


def test_a_group_that_was_torn_anywhere_is_cut_whole_and_the_log_goes_on_there() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    commit(store, put(b"b", b"2"), delete(b"a"))
    commit(store, put(b"c", b"3"))
    flush(store, sync=False)
    files = stored(disk)
    (_, kept), *_, (_, end) = places(disk, LOG)
    for cut in range(kept, end):
        torn = files[LOG][:cut] + bytes(SEGMENT - cut)
        left = disk_with({**files, LOG: torn})
        store = reopen(left)
        assert contents(store) == {b"a": b"1"}, cut
        save(store, put(b"d", b"4"))
        again = left.crash()
        assert contents(reopen(again)) == {b"a": b"1", b"d": b"4"}, cut
        assert lsns(again) == [1, 2]


def two_unsynced_groups() -> tuple[MemoryDisk, tuple[int, int]]:
    """{a: 1} is safe; behind it groups of the same size; returns the place of the first."""
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    start = places(disk, LOG)[-1][1]
    commit(store, put(b"b", value(2000, 1)))
    flush(store, sync=False)
    commit(store, put(b"c", value(2000, 2)))
    flush(store, sync=False)
    return disk, (start + MARK_SIZE, places(disk, LOG)[2][1])


def test_a_whole_record_behind_a_torn_one_never_comes_back() -> None:
    """It would, if the next record were of the torn one's size and the rest were left standing."""
    disk, (start, end) = two_unsynced_groups()
    left = disk.kill()
    overwrite(left, LOG, start, bytes(end - start))  # what a crash may do: the second is whole
    store = reopen(left)
    assert contents(store) == {b"a": b"1"}
    save(store, put(b"x", value(2000, 3)))
    assert places(left, LOG)[-1][1] == end  # it stands where the torn one stood
    left = left.crash()
    assert contents(reopen(left)) == {b"a": b"1", b"x": value(2000, 3)}


def test_whatever_a_crash_leaves_of_unsynced_groups_nothing_torn_off_comes_back() -> None:
    found = set()
    dangerous = 0
    for seed in range(60):
        disk, (_, end) = two_unsynced_groups()
        left = disk.crash(seed)
        whole_behind = read(left, LOG)[end : end + 2020] == read_lost(disk, end)
        store = reopen(left)
        found.add(store.lsn())
        if store.lsn() == 1:
            save(store, put(b"x", value(2000, 3)))
            dangerous += whole_behind and places(left, LOG)[-1][1] == end
            assert contents(reopen(left.crash())) == {b"a": b"1", b"x": value(2000, 3)}
    assert found == {1, 2, 3}
    assert dangerous > 0


def read_lost(disk: MemoryDisk, offset: int) -> bytes:
    """What the process had written there before the crash."""
    return read(disk.kill(), LOG)[offset : offset + 2020]


def test_any_garbage_behind_the_tail_is_overwritten_with_zeros_before_a_write() -> None:
    disk = small_log()
    end = places(disk, LOG)[-1][1]
    for garbage in (b"\xff" * 5000, value(300_000), bytes(50) + b"x", b"\x00" * 16 + b"\x01"):
        left = disk_with(stored(disk))
        overwrite(left, LOG, end, garbage)
        store = reopen(left)
        assert read(left, LOG)[end:].count(b"\x00") == SEGMENT - end
        assert read(left.crash(), LOG)[end:].count(b"\x00") == SEGMENT - end
        assert len(contents(store)) == 3


def test_what_was_only_in_the_page_cache_is_safe_before_anything_is_built_on_it() -> None:
    """A killed process had written and not synced; whoever opens next shows it, and keeps it."""
    disk = MemoryDisk()
    store = reopen(disk)
    commit(store, put(b"a", b"1"))
    flush(store, sync=False)
    left = disk.kill()
    assert contents(reopen(left)) == {b"a": b"1"}
    assert contents(reopen(left.crash())) == {b"a": b"1"}


def test_files_that_a_killed_process_had_just_made_are_safe_before_anything_is_built_on_them() -> (
    None
):
    """The names too: a power failure later must not take the segment with what was synced in it."""
    for number in range(12):
        disk = MemoryDisk()
        try:
            reopen(FaultyDisk(disk, crash_at(number)))
        except Stopped:
            pass
        left = disk.kill()
        save(reopen(left), put(b"a", b"1"))
        assert contents(reopen(left.crash())) == {b"a": b"1"}, number


# --- damage -------------------------------------------------------------------------------------


def test_damage_before_a_mark_is_reported_with_its_file_and_offset() -> None:
    disk = small_log()
    for start, end in places(disk, LOG)[:-1]:
        for offset in (start, start + 5, end - 1):
            damaged = disk_with(stored(disk))
            flip(damaged, LOG, offset)
            error = corruption(damaged)
            assert (error.file, error.offset) == (LOG, start)
            assert f"{LOG}: offset {start}: " in str(error)


def test_damage_in_an_earlier_segment_is_reported() -> None:
    disk = long_log()
    for number in (1, 2, 3):
        damaged = disk_with(stored(disk))
        flip(damaged, segment_name(number), 5000)
        assert corruption(damaged).file in (segment_name(number), segment_name(number + 1))


def test_a_failed_opening_lets_go_of_the_directory_and_changes_nothing() -> None:
    disk = long_log()
    flip(disk, segment_name(2), 5000)
    disk.create(segment_name(9) + ".new")
    before = stored(disk)
    for _ in range(2):  # a second LockedError would be wrong
        corruption(disk)
    assert stored(disk) == before


def test_a_missing_first_segment_is_reported() -> None:
    disk = long_log()
    disk.remove(segment_name(1))
    error = corruption(disk)
    assert (error.file, error.offset) == (segment_name(1), 0)
    assert "missing" in str(error)


@pytest.mark.parametrize("missing", [2, 3])
def test_a_missing_segment_is_reported(missing: int) -> None:
    disk = long_log()
    disk.remove(segment_name(missing))
    error = corruption(disk)
    assert error.file == segment_name(missing + 1)
    assert f"commit {missing} " in str(error) or f"commits {missing} " in str(error)


def test_a_segment_under_another_s_name_is_reported() -> None:
    disk = long_log()
    disk.rename(segment_name(4), segment_name(5))
    error = corruption(disk)
    assert (error.file, error.offset) == (segment_name(5), 0)
    assert "segment 4" in str(error)


def test_two_segments_that_changed_names_are_reported() -> None:
    files = stored(long_log())
    files[segment_name(2)], files[segment_name(3)] = files[segment_name(3)], files[segment_name(2)]
    assert corruption(disk_with(files)).file == segment_name(2)


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_segment_of_another_database_is_reported(number: int) -> None:
    files, others = stored(long_log()), stored(long_log())
    name = segment_name(number)
    error = corruption(disk_with({**files, name: others[name]}))
    assert (error.file, error.offset) == (name, 0)
    assert "another database" in str(error)


@pytest.mark.parametrize("size", [0, 1, HEAD_SIZE - 1, HEAD_SIZE, 5000, SEGMENT - 1, SEGMENT + 1])
@pytest.mark.parametrize("number", [1, 4])
def test_a_segment_that_is_not_as_long_as_it_was_made_is_reported(number: int, size: int) -> None:
    files = stored(long_log())
    name = segment_name(number)
    cut = files[name][:size] + bytes(max(size - SEGMENT, 0))
    assert corruption(disk_with({**files, name: cut})).file == name


def test_a_file_that_is_no_segment_under_a_segment_s_name_is_reported() -> None:
    for data in (b"#!/bin/sh\n" * 100, bytes(SEGMENT), value(5000)):
        error = corruption(disk_with({**stored(small_log()), segment_name(2): data}))
        assert (error.file, error.offset) == (segment_name(2), 0)


def test_other_files_in_a_database_s_directory_are_left_alone() -> None:
    others = {"README": b"hello", "0000000009.log.bak": b"x", "1.log": b"x", "x.new": b"x"}
    disk = disk_with({**stored(small_log()), **others})
    store = reopen(disk)
    save(store, put(b"d", b"4"))
    store.close()
    assert {name: data for name, data in stored(disk).items() if name in others} == others


def test_a_segment_of_a_newer_format_is_refused_by_name_and_left_alone() -> None:
    files = stored(long_log())
    name = segment_name(4)
    head = decode_head(files[name])
    head.version = 2
    files[name] = encode_head(head) + files[name][HEAD_SIZE:]
    disk = disk_with(files)
    with pytest.raises(NewerFormatError, match=name):
        reopen(disk)
    assert stored(disk) == files


def record(lsn: int, payload: bytes, salt: int) -> bytes:
    """A record whose checksum is right, whatever it says."""
    body = struct.pack("<iq", len(payload), lsn) + payload
    return struct.pack("<I", zlib.crc32(body, salt)) + body


NONSENSE = {
    "unknown type": b"\x09",
    "type of a later format": b"\x03\x01\x00",
    "commit of no entries": b"\x01\x00",
    "commit that breaks off": b"\x01\x02\x01\x02\x00k\x01v",
    "entry count without an end": b"\x01\xff\xff\xff\xff\xff\xff",
    "entry without a key": b"\x01\x01\x01",
    "key past the end": b"\x01\x01\x01\x7f\x00k\x01v",
    "data past the end": b"\x01\x01\x01\x02\x00k\x7fv",
    "expiry past the end": b"\x01\x01\x81\x02\x00k\x01",
    "key of no bytes": b"\x01\x01\x01\x00\x01v",
    "database that there is none of": b"\x01\x01\x01\x02\xc8k\x01v",
}


@pytest.mark.parametrize("what", NONSENSE)
def test_a_record_with_a_right_checksum_that_makes_no_sense_is_reported(what: str) -> None:
    disk = small_log()
    end = places(disk, LOG)[-1][1]
    overwrite(disk, LOG, end, record(4, NONSENSE[what], decode_head(read(disk, LOG)).salt))
    error = corruption(disk)
    assert (error.file, error.offset) == (LOG, end)


def test_commits_out_of_order_are_reported() -> None:
    for lsn in (0, 1, 3, 5, 1 << 60):
        disk = small_log()
        end = places(disk, LOG)[-1][1]
        entry = b"\x01\x01\x01\x02\x00k\x01v"
        overwrite(disk, LOG, end, record(lsn, entry, decode_head(read(disk, LOG)).salt))
        error = corruption(disk)
        assert (error.file, error.offset) == (LOG, end)
        assert "commit 4" in str(error)


def test_a_mark_for_commits_that_are_not_there_is_reported() -> None:
    for lsn in (4, 9):
        disk = small_log()
        end = places(disk, LOG)[-1][1]
        overwrite(disk, LOG, end, encode_mark(lsn, decode_head(read(disk, LOG)).salt))
        error = corruption(disk)
        assert (error.file, error.offset) == (LOG, end)
        assert f"4 to {lsn}" in str(error)


def test_a_record_of_another_life_of_the_file_is_a_torn_tail() -> None:
    """Its checksum started from another salt."""
    disk = small_log()
    end = places(disk, LOG)[-1][1]
    overwrite(disk, LOG, end, record(4, b"\x01\x01\x01\x02\x00k\x01v", 12345))
    assert len(contents(reopen(disk))) == 3


def test_a_mark_inside_a_value_is_only_a_value() -> None:
    """Also where a torn tail makes the reader look for marks."""
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    commit(store, put(b"b", b"\x02\xf7KVSAFE\xf8" * 50))
    flush(store, sync=False)
    end = places(disk, LOG)[-1][1]
    left = disk.kill()
    flip(left, LOG, end - 1)
    assert contents(reopen(left)) == {b"a": b"1"}


# --- leftovers ----------------------------------------------------------------------------------


def test_half_made_segments_are_removed_for_good() -> None:
    disk = small_log()
    disk.create(segment_name(2) + ".new").write(0, [b"half"])
    disk.create(segment_name(7) + ".new")
    reopen(disk).close()
    assert disk.names() == disk.crash().names() == [LOG, "KVEIK", "MANIFEST"]


def test_an_empty_segment_behind_the_tail_is_removed_for_good() -> None:
    disk = MemoryDisk()
    store = reopen(disk, spawn=at_once)
    save(store, put(b"a", value(BIG)))
    store.close()
    assert logs(disk) == [LOG, segment_name(2)]
    store = reopen(disk)
    assert logs(disk) == logs(disk_with(stored(disk))) == [LOG]
    save(store, put(b"b", value(BIG)))
    save(store, put(b"c", value(BIG)))
    assert len(contents(reopen(disk.crash()))) == 3


def test_a_first_segment_that_is_empty_is_used() -> None:
    disk = MemoryDisk()
    reopen(disk).close()
    before = stored(disk)[LOG]
    reopen(disk).close()
    assert stored(disk)[LOG] == before


def test_a_segment_whose_only_record_was_torn_is_removed_and_made_anew() -> None:
    disk = long_log(1)
    store = reopen(disk)
    commit(store, put(b"torn", value(BIG, 9)))
    flush(store, sync=False)
    left = disk.kill()
    overwrite(left, segment_name(2), HEAD_SIZE, bytes(100))
    store = reopen(left)
    assert set(contents(store)) == {b"0"}
    assert logs(left) == [LOG]
    save(store, put(b"new", value(BIG, 9)))
    assert set(contents(reopen(left.crash()))) == {b"0", b"new"}


def test_openings_in_number_leave_no_files_behind() -> None:
    disk = MemoryDisk()
    for number in range(6):
        store = reopen(disk, spawn=at_once)
        save(store, put(b"a", value(BIG // 2, number)))
        disk = disk.crash()
    reopen(disk).close()
    with_records = [name for name in logs(disk) if places(disk, name)]
    assert logs(disk) == with_records
    assert len(with_records) == 3


# --- opening only to read -----------------------------------------------------------------------


def untidy() -> tuple[MemoryDisk, Contents]:
    """A torn tail, a half-made segment and an empty one."""
    disk = MemoryDisk()
    store = reopen(disk, spawn=at_once)
    save(store, put(b"a", value(BIG)))
    commit(store, put(b"b", b"torn"))
    flush(store, sync=False)
    left = disk.kill()
    flip(left, LOG, places(left, LOG)[-1][1] - 1)
    left.create(segment_name(3) + ".new").write(0, [b"half"])
    return left, {b"a": value(BIG)}


def test_opening_only_to_read_changes_nothing_and_shows_what_recovery_would() -> None:
    memory, expected = untidy()
    before = stored(memory)
    disk, trace = traced(memory)
    store = reopen(disk, read_only=True)
    assert contents(store) == expected
    store.close()
    assert {kind for kind, _ in trace} == {"open", "read"}
    assert stored(memory) == before
    assert contents(reopen(memory)) == expected


def test_opening_only_to_read_makes_no_database() -> None:
    memory = MemoryDisk()
    disk, trace = traced(memory)
    with pytest.raises(NotKveikError):
        reopen(disk, read_only=True)
    assert trace == []
    assert memory.names() == []


def test_opening_only_to_read_reports_damage_too() -> None:
    disk = small_log()
    flip(disk, LOG, HEAD_SIZE + 3)
    with pytest.raises(CorruptionError, match=LOG):
        reopen(disk, read_only=True)


# --- the directory ------------------------------------------------------------------------------


BAD_IDENTITIES = {
    "empty": b"",
    "zeros": bytes(50),
    "no text": b"\xff\xfe\x00",
    "no version": b"kveik\nid " + b"0" * 32,
    "version that is no number": b"kveik one\nid " + b"0" * 32,
    "one line": b"kveik 1\n",
    "another second line": b"kveik 1\nname x\n",
    "id too short": b"kveik 1\nid 00ff\n",
    "id too long": b"kveik 1\nid " + b"0" * 34,
    "id that is not hex": b"kveik 1\nid " + b"x" * 32,
}


@pytest.mark.parametrize("what", BAD_IDENTITIES)
def test_an_identity_that_makes_no_sense_is_reported_and_nothing_changed(what: str) -> None:
    disk = disk_with({**stored(small_log()), "KVEIK": BAD_IDENTITIES[what]})
    before = stored(disk)
    error = corruption(disk)
    assert (error.file, error.offset) == ("KVEIK", 0)
    assert stored(disk) == before


def test_a_directory_of_a_newer_format_is_refused_whatever_else_it_says() -> None:
    disk = disk_with({**stored(small_log()), "KVEIK": b"kveik 3\nsomething new\n"})
    before = stored(disk)
    with pytest.raises(NewerFormatError, match="format 3"):
        reopen(disk)
    assert stored(disk) == before


def test_a_half_made_identity_is_made_anew() -> None:
    for left_over in (b"", b"kve", b"kveik 1\nid 00"):
        disk = disk_with({"KVEIK.new": left_over})
        save(reopen(disk), put(b"a", b"1"))
        left = disk.crash()
        assert left.names() == [LOG, "KVEIK", "MANIFEST"]
        assert contents(reopen(left)) == {b"a": b"1"}


def test_a_log_without_an_identity_is_no_database_and_is_left_alone() -> None:
    files = stored(small_log())
    del files["KVEIK"]
    disk = disk_with(files)
    with pytest.raises(NotKveikError):
        reopen(disk)
    assert stored(disk) == files


def everything_in(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.iterdir() if entry.is_file()}


@pytest.mark.parametrize("options", [{}, {"create": False}, {"read_only": True}])
def test_a_directory_of_other_files_is_refused_and_not_touched(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    (tmp_path / "letter.txt").write_bytes(b"Dear Ada")
    with pytest.raises(NotKveikError, match=r"letter\.txt|no database"):
        reopen(PosixDisk(tmp_path, read_only=options.get("read_only", False)), **options)
    assert everything_in(tmp_path) == {"letter.txt": b"Dear Ada"}


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_an_empty_directory_that_is_not_to_become_a_database_is_not_touched(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    with pytest.raises(NotKveikError, match="no database"):
        reopen(PosixDisk(tmp_path, read_only=options.get("read_only", False)), **options)
    assert everything_in(tmp_path) == {}


def test_a_directory_that_is_open_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    store = reopen(PosixDisk(tmp_path))
    with pytest.raises(LockedError):
        reopen(PosixDisk(tmp_path))
    with pytest.raises(LockedError):
        reopen(PosixDisk(tmp_path, read_only=True), read_only=True)
    store.close()
    first, second = (reopen(PosixDisk(tmp_path, read_only=True), read_only=True) for _ in range(2))
    with pytest.raises(LockedError):
        reopen(PosixDisk(tmp_path))
    first.close()
    second.close()
    reopen(PosixDisk(tmp_path)).close()


def test_progress_is_told_after_each_segment() -> None:
    told: list[tuple[int, int]] = []
    tell: Callable[[int, int], None] = lambda done, whole: told.append((done, whole))  # noqa: E731
    open_store(long_log(), memory=MEMORY, progress=tell)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
