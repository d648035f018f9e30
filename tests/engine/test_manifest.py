"""The manifest: what was synced is there, whatever happens; what was not never was."""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import pairwise

import pytest
from tests.engine.support.stores import flip, overwrite, stored, traced
from tests.format.infos import edit_fields, info

from kveik.disk.api import Disk
from kveik.disk.faulty import Fault, FaultyDisk, Stopped, crash_at, fail_each, fail_nth, tear_nth
from kveik.disk.memory import MemoryDisk
from kveik.engine.manifest import Manifest, create_manifest, open_manifest, read_manifest
from kveik.engine.state import State
from kveik.errors import CorruptionError, DiskFullError, FailStopError, NewerFormatError
from kveik.format.edit import Edit, decode_manifest_head, encode_edit_record
from kveik.format.record import encode_record, record_end
from kveik.format.segment import HEAD_SIZE, SegmentHead, encode_head
from kveik.limits import MAX_EDITS

ID = bytes(range(16))

EDITS = [
    Edit([(0, info(1))], [], log=2, lsn=10, next_table=2),
    Edit([(0, info(2))], [], log=3, lsn=20, next_table=3),
    Edit([(1, info(3))], [1, 2], next_table=4),
    Edit([(2, info(3))], [3]),
    Edit([(0, info(5))], [], log=4, lsn=21, next_table=6),
]


def view(state: State) -> object:
    """Everything a state says, to compare."""
    return edit_fields(state.full())


def fresh(disk: Disk) -> Manifest:
    return create_manifest(disk, ID)


def filled(disk: Disk) -> Manifest:
    """A manifest that all the edits stand in, one by one."""
    manifest = fresh(disk)
    for edit in EDITS:
        manifest.append(edit)
    return manifest


def views() -> list[object]:
    """What the state is before the first edit and after each."""
    manifest = fresh(MemoryDisk())
    return [view(manifest.state), *[view(manifest.append(edit)) for edit in EDITS]]


def read(disk: Disk) -> object:
    return view(read_manifest(disk, ID))


def places(disk: Disk) -> list[int]:
    """Where each record begins, and behind them where the last one ends."""
    data = stored(disk)["MANIFEST"]
    found = [HEAD_SIZE]
    while (end := record_end(data, found[-1], decode_manifest_head(data).salt)) >= 0:
        found.append(end)
    return found


def append_raw(disk: Disk, record: Callable[[int], bytes]) -> int:
    """Put a record, made from the salt, behind the last; where it begins."""
    at = places(disk)[-1]
    overwrite(disk, "MANIFEST", at, record(decode_manifest_head(stored(disk)["MANIFEST"]).salt))
    return at


def test_a_fresh_manifest_is_durable_and_empty() -> None:
    disk = MemoryDisk()
    state = fresh(disk).state
    assert (state.log, state.lsn, state.next_table) == (1, 0, 1)
    assert not any(state.levels)
    assert disk.names() == ["MANIFEST"]
    assert read(disk.crash()) == view(state)


def test_a_fresh_manifest_replaces_one_that_was_left() -> None:
    disk = MemoryDisk()
    filled(disk)
    create_manifest(disk, ID[::-1])
    assert not any(read_manifest(disk.crash(), ID[::-1]).levels)


def test_no_fresh_manifest_is_made_where_there_are_tables() -> None:
    disk = MemoryDisk()
    filled(disk)
    disk.create("0000000003.tbl")
    with pytest.raises(CorruptionError, match=r"KVEIK: offset 0: .* there is 0000000003\.tbl"):
        create_manifest(disk, ID)
    assert read(disk) == views()[-1]


@pytest.mark.parametrize("count", range(1, len(EDITS) + 1))
def test_every_appended_edit_survives_a_crash_at_once(count: int) -> None:
    disk = MemoryDisk()
    manifest = fresh(disk)
    for edit in EDITS[:count]:
        state = manifest.append(edit)
        assert manifest.state is state
    assert read(disk.crash()) == view(state) == views()[count]


def test_an_edit_is_one_write_and_one_sync() -> None:
    disk, trace = traced(MemoryDisk())
    manifest = fresh(disk)
    del trace[:]
    manifest.append(EDITS[0])
    assert trace == [("write", "MANIFEST.new"), ("sync", "MANIFEST.new")]  # the name it was made by


def test_an_edit_that_does_not_fit_is_refused_and_nothing_written() -> None:
    disk = MemoryDisk()
    manifest = filled(disk)
    before = stored(disk)
    with pytest.raises(ValueError, match="table 99 is removed"):
        manifest.append(Edit([], [99]))
    assert stored(disk) == before
    manifest.append(Edit([], [3]))


def test_opening_writes_the_full_state_anew_and_appending_goes_on() -> None:
    disk = MemoryDisk()
    filled(disk).close()
    manifest = open_manifest(disk, ID)
    assert view(manifest.state) == views()[-1]
    assert len(places(disk)) == 2  # one edit
    state = manifest.append(Edit([], [3], next_table=9))
    assert read(disk.crash()) == view(state)


def test_reading_changes_nothing() -> None:
    disk, trace = traced(MemoryDisk())
    filled(disk)
    before = stored(disk)
    del trace[:]
    assert read(disk) == views()[-1]
    assert {kind for kind, _ in trace} == {"open", "read"}
    assert stored(disk) == before


def test_what_was_only_in_the_page_cache_is_durable_once_it_has_been_opened() -> None:
    disk = MemoryDisk()
    faulty = FaultyDisk(disk)
    manifest = fresh(faulty)
    faulty.plan = fail_each("sync", errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        manifest.append(EDITS[0])
    left = disk.kill()
    state = open_manifest(left, ID).state
    assert view(state) == views()[1]
    assert read(left.crash()) == views()[1]


def test_a_manifest_that_has_grown_is_written_anew() -> None:
    disk = MemoryDisk()
    manifest = fresh(disk)
    manifest.append(Edit([(0, info(1))], [], next_table=2))
    sizes = []
    edits = 0
    while len(sizes) < 3:
        low = b"\0" + b"%04d" % edits + b"k" * 60_000
        state = manifest.append(Edit([(1, info(1, low, low + b"\0"))], [1]))
        edits += 1
        sizes += [edits] if len(places(disk)) == 2 else []
        assert len(stored(disk)["MANIFEST"]) < 2 * MAX_EDITS
    assert read(disk.crash()) == view(state)
    assert min(b - a for a, b in pairwise(sizes)) >= MAX_EDITS // 240_200


# --- a torn end ---------------------------------------------------------------------------------


def test_an_edit_torn_at_any_byte_never_held() -> None:
    disk = MemoryDisk()
    filled(disk)
    data = stored(disk)["MANIFEST"]
    *_, last, end = places(disk)
    for size in range(last, end):
        torn = MemoryDisk()
        file = torn.create("MANIFEST")
        file.write(0, [data[:size]])
        assert read(torn) == views()[-2]
        manifest = open_manifest(torn, ID)
        state = manifest.append(EDITS[-1])
        assert read(torn) == view(state) == views()[-1]


def test_damage_to_an_edit_before_the_last_names_file_and_offset() -> None:
    disk = MemoryDisk()
    filled(disk)
    *_, damaged, last, _ = places(disk)
    flip(disk, "MANIFEST", damaged + 20)
    what = rf"MANIFEST: offset {damaged}: an edit is damaged \(offset {last} has a later one\)"
    with pytest.raises(CorruptionError, match=what):
        read(disk)


def test_every_flipped_byte_is_reported_or_leaves_the_state_before_the_last_edit() -> None:
    disk = MemoryDisk()
    filled(disk)
    data = stored(disk)["MANIFEST"]
    last = places(disk)[-2]
    for at in range(len(data)):
        flip(disk, "MANIFEST", at)
        if at < last:
            with pytest.raises(CorruptionError, match=r"^MANIFEST: offset \d+: "):
                read(disk)
        else:
            assert read(disk) == views()[-2]
        flip(disk, "MANIFEST", at)


# --- what is wrong with the file ----------------------------------------------------------------


def test_a_missing_manifest_is_reported() -> None:
    with pytest.raises(CorruptionError, match="MANIFEST: offset 0: the file is missing"):
        read(MemoryDisk())


def test_a_manifest_of_another_database_is_reported() -> None:
    disk = MemoryDisk()
    fresh(disk)
    with pytest.raises(CorruptionError, match="offset 0: it belongs to another database"):
        read_manifest(disk, ID[::-1])


def test_a_manifest_of_a_newer_format_is_refused() -> None:
    disk = MemoryDisk()
    fresh(disk)
    overwrite(disk, "MANIFEST", 0, encode_head(SegmentHead(0, 0, 1, ID, 2), b"KVEIKMAN"))
    with pytest.raises(NewerFormatError, match="MANIFEST has format 2; this Kveik knows up to 1"):
        read(disk)


def test_something_else_in_its_place_is_reported() -> None:
    disk = MemoryDisk()
    disk.create("MANIFEST").write(0, [bytes(100)])
    with pytest.raises(CorruptionError, match="offset 0: not a manifest"):
        read(disk)


def test_a_damaged_first_edit_is_no_torn_one() -> None:
    disk = MemoryDisk()
    fresh(disk)
    flip(disk, "MANIFEST", HEAD_SIZE + 20)
    with pytest.raises(CorruptionError, match=f"offset {HEAD_SIZE}: the first edit, which is"):
        read(disk)


def test_a_missing_number_is_reported() -> None:
    disk = MemoryDisk()
    filled(disk)
    at = append_raw(disk, lambda salt: encode_edit_record(9, Edit([], []), salt))
    with pytest.raises(CorruptionError, match=f"offset {at}: edit 7 should stand here, not 9"):
        read(disk)


def test_an_edit_that_does_not_fit_is_reported_where_it_stands() -> None:
    disk = MemoryDisk()
    filled(disk)
    at = append_raw(disk, lambda salt: encode_edit_record(7, Edit([], [99]), salt))
    with pytest.raises(CorruptionError, match=f"offset {at}: edit 7: table 99 is removed"):
        read(disk)


def test_a_valid_record_that_is_no_edit_is_reported_where_it_stands() -> None:
    disk = MemoryDisk()
    filled(disk)
    at = append_raw(disk, lambda salt: encode_record(3, 7, b'{"log":"x"}', salt))
    with pytest.raises(CorruptionError, match=f"offset {at}: edit 7: log is not a whole number"):
        read(disk)


# --- a failing disk -----------------------------------------------------------------------------


def test_without_room_an_edit_has_not_happened_and_may_be_tried_again() -> None:
    disk = MemoryDisk()
    faulty = FaultyDisk(disk)
    manifest = fresh(faulty)
    manifest.append(EDITS[0])
    faulty.plan = fail_each("write", errno.ENOSPC)
    for _ in range(3):
        with pytest.raises(DiskFullError, match="no room for the manifest: No space left"):
            manifest.append(EDITS[1])
        assert view(manifest.state) == read(disk) == views()[1]
        assert disk.names() == ["MANIFEST"]
    faulty.plan = fail_each("write", 0)
    state = manifest.append(EDITS[1])
    assert len(places(disk)) == 2  # in a file of its own
    assert read(disk.crash()) == view(state) == views()[2]


def test_an_edit_whose_write_failed_behind_its_last_byte_has_not_happened_either() -> None:
    disk = MemoryDisk()
    for after in range(1, len(encode_edit_record(3, EDITS[1], 0)) + 1):
        disk = MemoryDisk()
        faulty = FaultyDisk(disk)
        manifest = fresh(faulty)
        manifest.append(EDITS[0])
        faulty.plan = tear_nth(faulty.count, after, errno.ENOSPC)
        with pytest.raises(DiskFullError):
            manifest.append(EDITS[1])
        assert read(disk.kill().crash(seed=after)) == views()[1]


def test_a_file_that_has_grown_is_appended_to_while_there_is_no_room_for_another() -> None:
    disk = MemoryDisk()
    faulty = FaultyDisk(disk)
    manifest = fresh(faulty)
    manifest.append(Edit([(0, info(1))], [], next_table=2))
    low = b"\0" + b"k" * 60_000
    while len(stored(disk)["MANIFEST"]) < MAX_EDITS + 500:
        manifest.append(Edit([(1, info(1, low, low + b"\0"))], [1]))
    faulty.plan = fail_each("create", errno.ENOSPC)
    state = manifest.append(Edit([(2, info(1))], [1]))
    assert read(disk) == view(state)
    assert len(places(disk)) > 3
    faulty.plan = fail_each("create", 0)
    state = manifest.append(Edit([(3, info(1))], [1]))
    assert len(places(disk)) == 2
    assert read(disk.crash()) == view(state)


def test_a_full_disk_can_be_opened_and_appends_once_there_is_room() -> None:
    disk = MemoryDisk()
    filled(disk).close()
    faulty = FaultyDisk(disk, fail_each("write", errno.ENOSPC))
    manifest = open_manifest(faulty, ID)
    assert view(manifest.state) == views()[-1]
    with pytest.raises(DiskFullError):
        manifest.append(Edit([], [3]))
    faulty.plan = fail_each("write", 0)
    assert read(disk) == views()[-1]
    state = manifest.append(Edit([], [3]))
    assert read(disk.crash()) == view(state)


def test_what_was_read_is_durable_also_where_there_was_no_room_to_write_it_anew() -> None:
    disk = MemoryDisk()
    faulty = FaultyDisk(disk)
    manifest = fresh(faulty)
    faulty.plan = fail_each("sync", errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        manifest.append(EDITS[0])
    disk.rename("MANIFEST", "other")
    disk.rename("other", "MANIFEST")
    disk.create("last")
    left = disk.kill()
    open_manifest(FaultyDisk(left, fail_each("write", errno.ENOSPC)), ID)
    left = left.crash()
    assert read(left) == views()[1]
    assert "last" in left.names()


@pytest.mark.parametrize("operation", ["create", "sync", "rename", "sync_names"])
def test_nothing_more_is_appended_after_a_failure_to_write_the_file_anew(operation: str) -> None:
    disk = MemoryDisk()
    faulty = FaultyDisk(disk)
    manifest = fresh(faulty)
    faulty.plan = fail_each("write", errno.ENOSPC)
    with pytest.raises(DiskFullError):
        manifest.append(EDITS[0])
    faulty.plan = fail_each(operation, errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        manifest.append(EDITS[0])
    faulty.plan = fail_each(operation, 0)
    with pytest.raises(FailStopError):
        manifest.append(EDITS[0])
    assert view(open_manifest(disk.kill(), ID).state) in views()[:2]


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_after_another_failure_nothing_more_is_appended(operation: str) -> None:
    disk = MemoryDisk()
    faulty = FaultyDisk(disk)
    manifest = fresh(faulty)
    faulty.plan = fail_each(operation, errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        manifest.append(EDITS[0])
    faulty.plan = fail_each(operation, 0)
    before = stored(disk)
    with pytest.raises(FailStopError, match="manifest could not be written; reopen"):
        manifest.append(EDITS[0])
    assert stored(disk) == before
    assert view(manifest.state) == views()[0]


def test_a_sync_that_finds_no_room_leaves_it_open_what_the_disk_holds() -> None:
    faulty = FaultyDisk(MemoryDisk())
    manifest = fresh(faulty)
    faulty.plan = fail_each("sync", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        manifest.append(EDITS[0])
    with pytest.raises(FailStopError):
        manifest.append(EDITS[0])


def history(disk: Disk, reached: list[int]) -> None:
    """Make, fill and open a manifest; reached[0] is the last edit that was acknowledged, or -1."""
    filled_so_far = fresh(disk)
    reached[0] = 0
    for number, edit in enumerate(EDITS[:3]):
        filled_so_far.append(edit)
        reached[0] = number + 1
    filled_so_far.close()
    manifest = open_manifest(disk, ID)
    for number, edit in enumerate(EDITS[3:]):
        manifest.append(edit)
        reached[0] = number + 4


def operations() -> int:
    disk = FaultyDisk(MemoryDisk())
    history(disk, [0])
    return disk.count


@pytest.mark.parametrize("n", range(operations()))
def test_a_crash_at_any_operation_keeps_what_was_acknowledged(n: int) -> None:
    for seed in (None, 1, 2, 3):
        disk = MemoryDisk()
        reached = [-1]
        with pytest.raises(Stopped):
            history(FaultyDisk(disk, crash_at(n, after=n * 7 % 50)), reached)
        left = disk.crash(seed)
        if "MANIFEST" in left.names():
            found = view(open_manifest(left, ID).state)
            assert found in views()[max(reached[0], 0) : reached[0] + 2]
        else:
            assert reached == [-1]


@pytest.mark.parametrize("n", range(operations()))
def test_a_failure_of_any_operation_is_raised_and_reopening_finds_a_whole_state(n: int) -> None:
    disk = MemoryDisk()
    reached = [-1]
    with pytest.raises(OSError, match="Input/output"):
        history(FaultyDisk(disk, fail_nth(n, errno.EIO)), reached)
    if "MANIFEST" in disk.names():
        found = views().index(view(open_manifest(disk, ID).state))
        assert max(reached[0], 0) <= found <= reached[0] + 1
        assert disk.names() == ["MANIFEST"]


def test_a_half_made_file_is_replaced() -> None:
    disk = MemoryDisk()
    filled(disk).close()
    disk.create("MANIFEST.new").write(0, [b"half"])
    open_manifest(disk, ID)
    assert disk.names() == ["MANIFEST"]


def test_a_failure_while_blanking_stops_the_manifest() -> None:
    disk = MemoryDisk()
    faulty = FaultyDisk(disk)
    manifest = fresh(faulty)
    first = faulty.count

    def plan(number: int, operation: str, name: str) -> Fault | None:
        if number == first:
            return Fault(errno=errno.ENOSPC, after=10_000)
        return Fault(errno=errno.EIO) if number > first and operation == "write" else None

    faulty.plan = plan
    with pytest.raises(OSError, match="Input/output"):
        manifest.append(EDITS[0])
    with pytest.raises(FailStopError):
        manifest.append(EDITS[0])
