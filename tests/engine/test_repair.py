"""A repair saves all that is intact, in its newest version, lists what is lost, invents nothing."""

from __future__ import annotations

import errno
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.directory import (
    BLOCK,
    COMMITS,
    LSN,
    blocks,
    ever,
    files,
    held_by,
    infos,
    survivors,
    tables,
    truth,
)
from tests.engine.support.made import DATABASE_ID
from tests.engine.support.sources import make_table, plain
from tests.engine.support.stores import (
    Contents,
    disk_with,
    flip,
    overwrite,
    put,
    reopen,
    save,
    stored,
    value,
)

from kveik.disk.faulty import FaultyDisk, fail_nth
from kveik.disk.memory import MemoryDisk
from kveik.engine.check import check_directory
from kveik.engine.manifest import open_manifest
from kveik.engine.repair import Saved, repair_directory
from kveik.engine.salvage_table import CERTAIN, DEFAULT, OLDER
from kveik.errors import LockedError, NewerFormatError, NotKveikError, OpenError
from kveik.format.edit import Edit
from kveik.format.segment import HEAD_SIZE, segment_name
from kveik.format.table import FOOTER_SIZE, table_name

WHOLE = files()
ALL = disk_with(WHOLE)
INFOS = infos(ALL)
CLEARED = {b"key%04d" % number for number in (*range(40, 60), *range(700, 720))}  # by older tables
BLOCKS = {number: blocks(ALL, info) for number, info in INFOS.items()}


def repaired(
    disk: MemoryDisk, *, salvage_log: bool = False, mode: int = DEFAULT
) -> tuple[Saved, Contents]:
    """What a repair says, and what the engine finds in what it has made."""
    before = stored(disk)
    target = MemoryDisk("new")
    saved = repair_directory(disk, target, salvage_log=salvage_log, mode=mode)
    disk.close()
    target.close()
    assert stored(disk) == before
    left = target.crash()  # all of it has been synced
    assert check_directory(left).findings.items == []
    left.close()
    return saved, held_by(left)


def damaged(*flips: tuple[str, int]) -> MemoryDisk:
    disk = disk_with(WHOLE)
    for name, offset in flips:
        flip(disk, name, offset)
    return disk


def without(*names: str) -> MemoryDisk:
    return disk_with({name: data for name, data in WHOLE.items() if name not in names})


def told(saved: Saved) -> list[str]:
    return [str(finding) for finding in saved.losses.items]


# --- whole, or mended -----------------------------------------------------------------------------


def test_of_a_whole_directory_everything_is_saved() -> None:
    saved, held = repaired(disk_with(WHOLE))
    assert held == truth()
    assert told(saved) == []
    assert saved.mended.items == []
    assert (saved.copied, saved.rewritten) == (6, 0)
    assert saved.commits == len(COMMITS)
    assert saved.lsn == LSN + len(COMMITS)


def test_what_was_made_goes_on_as_a_database_of_its_own() -> None:
    target = MemoryDisk("new")
    saved = repair_directory(disk_with(WHOLE), target)
    target.close()
    assert saved.report.database_id not in (DATABASE_ID, b"")


def test_a_directory_of_version_1_is_saved() -> None:
    old = {name: data for name, data in WHOLE.items() if name.endswith(".log")}
    old["KVEIK"] = WHOLE["KVEIK"].replace(b"kveik 2", b"kveik 1")
    _, held = repaired(disk_with(old), salvage_log=True)
    assert held == {
        b"key2000": b"log 107",
        b"key0001": b"log 106",
        b"key0002": b"log 101",
        b"key0004": b"log 103",
        b"key0005": b"log 108",
        b"key0105": b"log 105",
    }


MENDED = {
    "the footer": (table_name(2), INFOS[2].size - 5, INFOS[2].size - FOOTER_SIZE),
    "the root of a table without clears": (
        table_name(2),
        INFOS[2].root_offset + 9,
        INFOS[2].root_offset,
    ),
    "a segment's magic": (segment_name(5), 1, 0),
    "a segment's salt": (segment_name(5), 13, 0),
    "a segment's number": (segment_name(5), 17, 0),
    "the identity": ("KVEIK", 0, 0),
}


@pytest.mark.parametrize("place", MENDED.values(), ids=MENDED)
def test_damage_that_is_not_needed_costs_nothing(place: tuple[str, int, int]) -> None:
    name, offset, named = place
    saved, held = repaired(damaged((name, offset)))
    assert held == truth()
    assert told(saved) == []
    assert [(finding.file, finding.offset) for finding in saved.mended.items] == [(name, named)]


def partition_of(number: int) -> int:
    """Where the first partition of a table is."""
    for (offset, size, _), (following, _, _) in itertools.pairwise(BLOCKS[number]):
        if offset + size != following:
            return offset + size
    offset, size, _ = BLOCKS[number][-1]
    return offset + size


@pytest.mark.parametrize("number", sorted(INFOS))
def test_without_a_partition_its_blocks_are_found(number: int) -> None:
    saved, held = repaired(damaged((table_name(number), partition_of(number) + 30)))
    assert held == truth()
    assert told(saved) == []
    assert saved.rewritten == 1


def test_swapped_names_cost_nothing() -> None:
    swapped = {table_name(2): WHOLE[table_name(7)], table_name(7): WHOLE[table_name(2)]}
    saved, held = repaired(disk_with(WHOLE | swapped))
    assert held == truth()
    assert told(saved) == []
    assert {finding.file for finding in saved.mended.items} == {table_name(2), table_name(7)}


def test_a_wrong_count_in_the_manifest_costs_nothing() -> None:
    disk = disk_with(WHOLE)
    info = infos(disk)[2]
    info.entries += 5
    manifest = open_manifest(disk, DATABASE_ID)
    manifest.append(Edit([(2, info)], [2]))
    manifest.close()
    saved, held = repaired(disk)
    assert held == truth()
    assert told(saved) == []


def test_a_stray_table_is_not_taken_in() -> None:
    disk = disk_with(WHOLE)
    make_table(disk, 12, {b"\x00stray": plain(b"1")})
    assert repaired(disk)[1] == truth()


# --- data blocks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", sorted(INFOS))
def test_of_a_table_with_a_damaged_block_all_is_saved_but_what_was_in_it(number: int) -> None:
    """And no outdated version of that."""
    for offset, size, keys in BLOCKS[number][::5]:
        saved, held = repaired(damaged((table_name(number), offset + size // 2)))
        assert held == survivors(set(keys), number)
        (finding,) = saved.losses.items
        assert (finding.file, finding.offset) == (table_name(number), offset)
        assert finding.low <= keys[0]
        assert keys[-1] < finding.high
        assert saved.doubtful == []


def test_older_versions_of_lost_entries_are_saved_if_asked_for() -> None:
    offset, _, keys = BLOCKS[9][0]
    hurt = (table_name(9), offset + 50)
    saved, held = repaired(damaged(hurt), mode=OLDER)
    assert saved.hidden == 0
    assert saved.doubtful == [(finding.low, finding.high) for finding in saved.losses.items]
    assert held[b"key0007"] == b"lower-7" * 2
    assert held.keys() >= {key[1:] for key in keys} - CLEARED
    saved, held = repaired(damaged(hurt))
    assert b"key0007" not in held
    assert saved.hidden > 0


def test_a_damaged_block_is_found_without_root_and_partition_too() -> None:
    offset, _, keys = BLOCKS[2][3]
    name = table_name(2)
    hurt = damaged(
        (name, offset + 40), (name, partition_of(2) + 9), (name, INFOS[2].root_offset + 7)
    )
    saved, held = repaired(hurt)
    assert held == survivors(set(keys), 2)
    places = [(finding.file, finding.offset) for finding in saved.losses.items]
    assert (name, offset) in places


def test_without_the_filter_older_versions_are_in_doubt_and_left_out_where_certainty_is_asked() -> (
    None
):
    offset, _, keys = BLOCKS[9][2]
    hurt = ((table_name(9), offset + 40), (table_name(9), partition_of(9) + 9))
    saved, held = repaired(damaged(*hurt))
    assert any(low <= keys[0] and keys[-1] < high for low, high in saved.doubtful)
    assert held.keys() == truth().keys()
    saved, held = repaired(damaged(*hurt), mode=CERTAIN)
    assert saved.doubtful == []
    assert held.items() <= truth().items()
    lost = truth().keys() - held.keys()
    low, high = keys[0][1:], keys[-1][1:]
    assert lost
    assert all(BLOCKS[9][1][2][-1][1:] < key < BLOCKS[9][3][2][0][1:] for key in lost), (low, high)


def test_cleared_ranges_that_are_lost_are_in_doubt() -> None:
    hurt = (table_name(5), INFOS[5].root_offset + 8)
    saved, held = repaired(damaged(hurt))
    (loss,) = told(saved)
    assert loss.startswith(f"0000000005.tbl: offset {INFOS[5].root_offset}: its cleared ranges (1)")
    assert saved.doubtful == [(INFOS[5].low, INFOS[5].high)]
    assert held.items() >= truth().items()
    held = repaired(damaged(hurt), mode=CERTAIN)[1]
    assert held.items() <= truth().items()


# --- whole files ----------------------------------------------------------------------------------


def test_without_a_table_the_others_are_saved_and_its_keys_are_in_doubt() -> None:
    saved, held = repaired(without(table_name(9)))
    (loss,) = saved.losses.items
    assert loss.what == "the file is missing: 129 entries of level 0"
    assert saved.doubtful == [(INFOS[9].low, INFOS[9].high)]
    assert held[b"key0007"] == b"lower-7" * 2
    assert held.keys() >= truth().keys() - CLEARED


def test_without_a_table_of_the_last_level_exactly_its_entries_are_lost() -> None:
    _, held = repaired(without(table_name(2)))
    lost = {key for _, _, keys in BLOCKS[2] for key in keys}
    assert held == survivors(lost, 2)


def test_of_a_table_that_was_cut_all_blocks_before_are_saved() -> None:
    for cut in range(0, INFOS[3].size, 701):
        disk = disk_with(WHOLE | {table_name(3): WHOLE[table_name(3)][:cut]})
        saved, held = repaired(disk)
        lost = {key for offset, size, keys in BLOCKS[3] for key in keys if offset + size > cut}
        assert held == survivors(lost, 3), cut
        listed = [(f.low, f.high) for f in saved.losses.items]
        assert all(any(low <= key < high for low, high in listed) for key in lost)


def test_zeros_over_a_block_cost_what_was_in_it() -> None:
    offset, size, keys = BLOCKS[3][4]

    disk = disk_with(WHOLE)
    overwrite(disk, table_name(3), offset, bytes(size))
    assert repaired(disk)[1] == survivors(set(keys), 3)


def test_a_file_that_cannot_be_read_is_a_loss() -> None:
    def refuse(number: int, kind: str, name: str) -> None:
        if kind == "read" and name == table_name(3):
            raise OSError(errno.EIO, "Input/output error", name)

    target = MemoryDisk("new")
    saved = repair_directory(FaultyDisk(disk_with(WHOLE), refuse), target)
    assert {finding.file for finding in saved.losses.items} == {table_name(3)}
    target.close()
    assert held_by(target) == survivors({key for _, _, keys in BLOCKS[3] for key in keys}, 3)


# --- the manifest ---------------------------------------------------------------------------------


def test_without_a_manifest_the_highest_number_is_taken_for_the_newest() -> None:
    saved, held = repaired(without("MANIFEST"))
    assert held.keys() >= truth().keys() - CLEARED
    assert "of unknown level, the highest number taken for the newest: 0000000002.tbl" in " ".join(
        saved.notes
    )
    assert saved.unsure
    for number in range(900):
        if b"key%04d" % number in held:
            assert held[b"key%04d" % number] in ever(number)
    assert held[b"key0007"] == b"newest-7" * 2  # in table 9


@pytest.mark.parametrize("offset", range(0, HEAD_SIZE, 5))
def test_a_damaged_head_of_the_manifest_costs_nothing(offset: int) -> None:
    saved, held = repaired(damaged(("MANIFEST", offset)))
    assert held == truth()
    assert told(saved) == []
    assert ("MANIFEST", 0) in [(f.file, f.offset) for f in saved.mended.items]


def test_a_damaged_edit_costs_nothing_where_its_text_can_be_made_out() -> None:
    data = WHOLE["MANIFEST"]
    for what in (b'"entries":', b'"root_size":'):
        at = data.index(what)
        saved, held = repaired(damaged(("MANIFEST", at - 3)))
        assert held.keys() >= truth().keys() - CLEARED
        assert told(saved) == []
    at = data.rindex(b'{"log"') - 10  # the number of the last edit
    saved, held = repaired(damaged(("MANIFEST", at)))
    assert held == truth()


def test_a_manifest_that_was_cut_costs_no_table() -> None:
    for cut in range(0, len(WHOLE["MANIFEST"]), 97):
        disk = disk_with(WHOLE | {"MANIFEST": WHOLE["MANIFEST"][:cut]})
        saved, held = repaired(disk)
        if saved.mended.items:
            assert held.keys() >= truth().keys() - CLEARED, cut


# --- the log --------------------------------------------------------------------------------------


def record(number: int, nth: int) -> int:
    """Where the nth record of commits of a segment begins."""
    data = WHOLE[segment_name(number)]
    at = HEAD_SIZE
    for _ in range(nth):
        at += 16 + int.from_bytes(data[at + 4 : at + 8], "little")  # the mark
        at += 16 + int.from_bytes(data[at + 4 : at + 8], "little")
    return at + 16 + int.from_bytes(data[at + 4 : at + 8], "little")


PLACES = [(4, 0), (4, 1), (4, 2), (5, 0), (5, 1), (5, 2), (6, 0)]


@pytest.mark.parametrize(("number", "nth"), PLACES)
def test_the_log_is_saved_up_to_damage_and_behind_it_if_asked_for(number: int, nth: int) -> None:
    lost = {4: 0, 5: 3, 6: 6}[number] + nth
    hurt = (segment_name(number), record(number, nth) + 20)
    saved, held = repaired(damaged(hurt))
    assert held == truth(commits=lost)
    assert told(saved)[0].endswith(f": commit {LSN + lost + 1}")
    assert saved.left > 0
    saved, held = repaired(damaged(hurt), salvage_log=True)
    assert held == truth(left_out={LSN + lost + 1})
    assert saved.left == 0


def test_the_last_record_that_nobody_vouches_for_is_a_torn_tail() -> None:
    saved, held = repaired(damaged((segment_name(6), record(6, 1) + 20)))
    assert held == truth(commits=7)
    assert told(saved) == []


@pytest.mark.parametrize(("number", "first", "last"), [(4, 1, 3), (5, 4, 6)])
def test_a_hole_in_the_log_is_listed(number: int, first: int, last: int) -> None:
    gone = segment_name(number)
    saved, held = repaired(without(gone))
    assert held == truth(commits=first - 1)
    assert len(told(saved)) == 1
    saved, held = repaired(without(gone), salvage_log=True)
    assert held == truth(left_out=set(range(LSN + first, LSN + last + 1)))


def test_a_segment_of_another_database_is_not_taken_in() -> None:
    disk = disk_with(WHOLE | {"KVEIK": WHOLE["KVEIK"].replace(b"id 00", b"id 77")})
    saved, _ = repaired(disk)
    assert "it belongs to another database" in told(saved)[0]
    assert saved.commits == 0


def test_large_values_are_saved() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    save(store, put(b"large", value(700_000)))
    save(store, put(b"small", b"1"))
    store.close()
    saved, held = repaired(disk)
    assert held == {b"large": value(700_000), b"small": b"1"}
    assert told(saved) == []


# --- refusals -------------------------------------------------------------------------------------


def test_a_target_that_holds_anything_is_refused() -> None:
    target = disk_with({"letter.txt": b"dear"})
    with pytest.raises(OpenError, match=r"is not empty: it holds 'letter.txt'"):
        repair_directory(disk_with(WHOLE), target)
    assert stored(target) == {"letter.txt": b"dear"}


def test_a_directory_that_is_in_use_is_refused() -> None:
    disk = disk_with(WHOLE)
    disk.lock()
    with pytest.raises(LockedError):
        repair_directory(disk, MemoryDisk("new"))


def test_what_is_no_database_is_refused() -> None:
    with pytest.raises(NotKveikError):
        repair_directory(disk_with({"letter.txt": b"dear"}), MemoryDisk("new"))


def test_a_newer_format_is_refused() -> None:
    disk = disk_with(WHOLE)
    overwrite(disk, "KVEIK", 6, b"9")
    with pytest.raises(NewerFormatError):
        repair_directory(disk, MemoryDisk("new"))


def test_a_repair_that_fails_leaves_no_database() -> None:
    for number in range(1, 200, 9):
        target = MemoryDisk("new")
        try:
            repair_directory(disk_with(WHOLE), FaultyDisk(target, fail_nth(number, errno.ENOSPC)))
        except OSError:
            assert "KVEIK" not in target.names()
        else:
            return
    pytest.fail("it never came to the end")


# --- anything -------------------------------------------------------------------------------------

flips = st.lists(
    st.tuples(
        st.sampled_from(sorted(WHOLE)), st.floats(0, 1, exclude_max=True), st.integers(1, 255)
    ),
    min_size=1,
    max_size=4,
)


def in_ranges(stored_key: bytes, ranges: list[tuple[bytes, bytes]]) -> bool:
    return any(low <= stored_key < high for low, high in ranges)


@settings(max_examples=200, deadline=None)
@given(flips, st.sampled_from([CERTAIN, DEFAULT, OLDER]), st.booleans())
def test_nothing_is_invented_and_what_is_not_listed_is_right(
    drawn: list[tuple[str, float, int]], mode: int, salvage_log: bool
) -> None:
    disk = disk_with(WHOLE)
    for name, share, mask in drawn:
        flip(disk, name, int(share * len(WHOLE[name])), mask)
    try:
        saved, held = repaired(disk, mode=mode, salvage_log=salvage_log)
    except NewerFormatError:
        assert any(name == "KVEIK" for name, _, _ in drawn)
        return
    for key, data in held.items():
        assert data in ever(int(key[3:])), key
    if saved.unsure:
        return
    listed = [(loss.low, loss.high) for loss in saved.losses.items if loss.high]
    log_is_whole = not any(loss.file.endswith(".log") for loss in saved.losses.items)
    expected = [truth(), truth(commits=7)] if log_is_whole else []
    if expected:
        right = expected[0] if held.get(b"key0005") == expected[0][b"key0005"] else expected[1]
        doubtful = listed + saved.doubtful
        for number in (*range(900), 2000):
            key = b"key%04d" % number
            if not in_ranges(b"\x00" + key, doubtful):
                assert held.get(key) == right.get(key), key
            elif mode == CERTAIN or not in_ranges(b"\x00" + key, saved.doubtful):
                assert held.get(key) in (None, right.get(key)), key


def test_the_tables_of_these_tests_have_several_blocks() -> None:
    assert min(map(len, BLOCKS.values())) > 4
    assert max(size for found in BLOCKS.values() for _, size, _ in found) <= BLOCK + 64
    assert len(tables()) == len(INFOS)
