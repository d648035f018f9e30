"""One damaged byte anywhere: the whole content, or an error that names the file. Never less."""

from __future__ import annotations

import pytest
from tests.engine.support.segments import logs
from tests.engine.support.stores import (
    SEGMENT,
    Contents,
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
    value,
)

from kveik.disk.memory import MemoryDisk
from kveik.engine.store import Store
from kveik.errors import CorruptionError, NewerFormatError, NotKveikError
from kveik.format.segment import HEAD_SIZE, segment_name

DAMAGE = (CorruptionError, NewerFormatError, NotKveikError)
MASKS = (0xFF, 1)
LOG = segment_name(1)
TAIL_STEP = 33_331  # bytes between the damaged ones of the unused tail

both_masks = pytest.mark.parametrize("mask", MASKS)


def write_history(store: Store) -> None:
    """Groups of one commit and of several, of one entry and of several."""
    save(store, put(b"a", b"1"), put(b"b", b"22"))
    save(store, put(b"gone", value(40)))
    commit(store, put(b"c", value(90, 1)))
    save(store, delete(b"gone"))
    save(store, put(b"b", b"two"))
    save(store, put(b"d", b""), delete(b"a"), put(b"e", b"last"))


def closed_cleanly() -> MemoryDisk:
    disk = MemoryDisk()
    store = reopen(disk)
    write_history(store)
    store.close()
    return disk


def crashed() -> MemoryDisk:
    """All that was acknowledged, and no last mark."""
    disk = MemoryDisk()
    write_history(reopen(disk))
    return disk.crash()


def used(disk: MemoryDisk, name: str) -> int:
    """Bytes up to the end of what is not zero."""
    return len(stored(disk)[name].rstrip(b"\x00"))


def flipped(files: dict[str, bytes], name: str, offset: int, mask: int) -> MemoryDisk:
    """A disk of these files with one damaged byte."""
    disk = disk_with(files)
    flip(disk, name, offset, mask)
    return disk


def outcome(disk: MemoryDisk, *, read_only: bool = True) -> Contents | Exception:
    """What is there, or the error that says why nothing is."""
    try:
        return contents(reopen(disk, read_only=read_only))
    except DAMAGE as error:
        return error


def names_the_file(found: Contents | Exception, name: str) -> bool:
    """Damage to the identity may also show as files that belong to another database.

    Or as a newer format, which is said of the whole directory.
    """
    suspects = (name, LOG, "MANIFEST", "has format") if name == "KVEIK" else (name,)
    return isinstance(found, Exception) and any(suspect in str(found) for suspect in suspects)


@both_masks
@pytest.mark.parametrize("name", [LOG, "KVEIK", "MANIFEST"])
def test_no_flipped_byte_of_a_closed_database_shortens_it_silently(name: str, mask: int) -> None:
    files = stored(closed_cleanly())
    whole = contents(reopen(closed_cleanly()))
    for offset in range(len(files[name].rstrip(b"\x00"))):
        found = outcome(flipped(files, name, offset, mask))
        assert found == whole or names_the_file(found, name), (offset, found)


@both_masks
def test_every_flipped_byte_of_a_closed_database_s_commits_is_reported_with_its_place(
    mask: int,
) -> None:
    files = stored(closed_cleanly())
    last_mark = used(crashed(), LOG)
    for offset in range(HEAD_SIZE, last_mark):
        found = outcome(flipped(files, LOG, offset, mask))
        assert isinstance(found, CorruptionError), (offset, found)
        assert found.file == LOG
        assert HEAD_SIZE <= found.offset <= offset  # where the damaged record begins


@both_masks
def test_a_flipped_byte_of_a_segment_s_head_is_reported(mask: int) -> None:
    files = stored(closed_cleanly())
    for offset in range(HEAD_SIZE):
        found = outcome(flipped(files, LOG, offset, mask))
        assert isinstance(found, CorruptionError), offset
        assert (found.file, found.offset) == (LOG, 0)


@both_masks
def test_a_flipped_byte_behind_the_log_s_end_takes_nothing_and_is_cleaned_away(mask: int) -> None:
    disk = closed_cleanly()
    files = stored(disk)
    whole = contents(reopen(disk))
    end = used(disk, LOG)
    for offset in (*range(end, end + 40), *range(end + 40, SEGMENT, TAIL_STEP), SEGMENT - 1):
        damaged = flipped(files, LOG, offset, mask)
        assert outcome(damaged, read_only=False) == whole, offset
        assert used(damaged, LOG) == end, offset


def test_reporting_damage_changes_nothing_on_the_disk() -> None:
    files = stored(closed_cleanly())
    for offset in range(0, len(files[LOG].rstrip(b"\x00")) - 30, 7):
        disk = flipped(files, LOG, offset, 0xFF)
        before = stored(disk)
        assert isinstance(outcome(disk, read_only=False), CorruptionError)
        assert stored(disk) == before


@both_masks
def test_without_a_clean_close_damage_to_any_group_but_the_last_is_reported(mask: int) -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    write_history(store)
    before_last = used(disk, LOG)
    save(store, put(b"last", b"one"))
    files = stored(disk.crash())
    for offset in range(HEAD_SIZE, before_last):
        found = outcome(flipped(files, LOG, offset, mask))
        assert names_the_file(found, LOG), (offset, found)


@both_masks
def test_without_a_clean_close_damage_to_the_last_group_looks_like_a_torn_tail(mask: int) -> None:
    """Nothing behind it vouches for it: it is lost whole, and nothing before it is."""
    disk = MemoryDisk()
    store = reopen(disk)
    write_history(store)
    before = contents(store)
    end = used(disk, LOG)
    save(store, delete(b"c"), put(b"last", b"one"))
    left = disk.crash()
    files = stored(left)
    for offset in range(end, used(left, LOG)):
        assert outcome(flipped(files, LOG, offset, mask)) == before, offset


@both_masks
def test_damage_to_what_an_earlier_opening_wrote_is_reported(mask: int) -> None:
    """Also where none of the openings ended well, and none wrote more than one group."""
    disk = MemoryDisk()
    ends = []
    for key in (b"first", b"second", b"third"):
        save(reopen(disk), put(key, b"value"))
        disk = disk.crash()
        ends.append(used(disk, LOG))
    files = stored(disk)
    for offset in range(HEAD_SIZE, ends[1]):
        found = outcome(flipped(files, LOG, offset, mask))
        assert names_the_file(found, LOG), (offset, found)


def test_after_a_clean_close_damage_to_a_record_that_fills_its_segment_is_reported() -> None:
    """A value too large for a usual segment has one of its own, made to measure."""
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    save(store, put(b"large", value(2 * SEGMENT)))
    store.close()
    flip(disk, segment_name(2), 1000)
    assert isinstance(outcome(disk), CorruptionError)


def test_after_a_clean_close_damage_to_the_last_record_of_a_full_segment_is_reported() -> None:
    """However many bytes are left behind it, down to none."""
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    save(store, put(b"b", value(SEGMENT - 400)))
    end = used(disk, LOG)
    names = set()
    for size in range(SEGMENT - end - 130, SEGMENT - end, 3):
        left = disk.crash()
        store = reopen(left)
        save(store, put(b"c", value(size)))
        save(store, put(b"d", b"2"))
        store.close()
        last = logs(left)[-1]
        names.add(last)
        flip(left, last, used(left, last) - 30)
        assert isinstance(outcome(left), CorruptionError), (last, size)
    assert names == {segment_name(1), segment_name(2)}


@both_masks
def test_damage_anywhere_in_an_earlier_segment_is_reported(mask: int) -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    for number in range(4):
        save(store, put(b"%d" % number, value(SEGMENT // 2, number)))
    left = disk.crash()
    files = stored(left)
    for offset in (*range(HEAD_SIZE, 180), *range(200, used(left, LOG), TAIL_STEP)):
        found = outcome(flipped(files, LOG, offset, mask))
        assert isinstance(found, CorruptionError), (offset, found)


def test_zeros_over_part_of_the_log_are_reported() -> None:
    """What a disk gives that lost a block and does not say so."""
    end = used(closed_cleanly(), LOG)
    for offset in range(HEAD_SIZE, end - 60, 11):
        disk = closed_cleanly()
        overwrite(disk, LOG, offset, bytes(20))
        if stored(disk) != stored(closed_cleanly()):
            assert isinstance(outcome(disk), CorruptionError), offset


def test_a_group_that_was_never_synced_may_be_cut_by_damage() -> None:
    """Nobody was told that it is safe, so it needs no voucher."""
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"a", b"1"))
    end = used(disk, LOG)
    commit(store, put(b"b", b"2"))
    flush(store, sync=False)
    left = disk.kill()
    flip(left, LOG, end + 30)
    assert outcome(left) == {b"a": b"1"}
