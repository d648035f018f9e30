"""A check: a whole directory is whole, and every kind of damage is named with file and offset."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.directory import (
    LSN,
    blocks,
    files,
    held_by,
    infos,
    truth,
)
from tests.engine.support.made import DATABASE_ID
from tests.engine.support.sources import make_table, plain
from tests.engine.support.stores import disk_with, flip, overwrite, put, reopen, save, stored

from kveik.disk.faulty import FaultyDisk
from kveik.disk.memory import MemoryDisk
from kveik.engine.check import Report, check_directory
from kveik.engine.check_table import TableCheck
from kveik.engine.findings import Finding, Findings, Tally
from kveik.engine.manifest import open_manifest
from kveik.engine.sequential import SequentialTable
from kveik.errors import KveikError, LockedError, NewerFormatError, NotKveikError
from kveik.format.block_writer import BlockWriter
from kveik.format.codec import NONE, seal, seed
from kveik.format.edit import Edit
from kveik.format.filter import MANY_BITS
from kveik.format.segment import HEAD_SIZE, segment_name
from kveik.format.table import (
    FOOTER_SIZE,
    VERSION,
    Footer,
    TableInfo,
    encode_footer,
    table_name,
)

WHOLE = files()


def checked(disk: MemoryDisk) -> Report:
    report = check_directory(disk)
    disk.close()
    return report


def damage(disk: MemoryDisk) -> list[Finding]:
    return checked(disk).findings.damaged()


def places(disk: MemoryDisk) -> list[tuple[str, int]]:
    return [(finding.file, finding.offset) for finding in damage(disk)]


@pytest.fixture
def disk() -> MemoryDisk:
    return disk_with(WHOLE)


@pytest.fixture
def table(disk: MemoryDisk) -> TableInfo:
    """A table of level 2 with several partitions."""
    return infos(disk)[2]


# --- a whole directory ----------------------------------------------------------------------------


def test_a_whole_directory_is_whole(disk: MemoryDisk) -> None:
    report = checked(disk)
    assert report.findings.items == []
    assert report.version == 2
    assert report.database_id == DATABASE_ID
    assert (report.tables, report.segments, report.commits) == (6, 3, 8)
    assert report.entries == sum(info.entries for info in infos(disk).values())


def test_the_directory_of_these_tests_holds_what_they_think(disk: MemoryDisk) -> None:
    assert held_by(disk) == truth()


def test_a_check_changes_nothing(disk: MemoryDisk) -> None:
    checked(disk)
    assert stored(disk) == WHOLE


def test_an_empty_database_is_whole() -> None:
    disk = MemoryDisk()
    reopen(disk).close()
    assert checked(disk).findings.items == []


def test_a_directory_that_was_not_closed_is_whole() -> None:
    disk = MemoryDisk()
    save(reopen(disk), put(b"a", b"1"))
    assert checked(disk.crash(seed=1)).findings.damaged() == []


def test_progress_comes_to_all_bytes(disk: MemoryDisk) -> None:
    told: list[tuple[int, int]] = []
    check_directory(disk, lambda done, total: told.append((done, total)))
    total = sum(map(len, WHOLE.values()))
    assert told[-1] == (total, total)


# --- what cannot be checked -----------------------------------------------------------------------


def test_a_directory_that_is_in_use_cannot_be_checked(disk: MemoryDisk) -> None:
    disk.lock()
    with pytest.raises(LockedError, match="already open in this process"):
        check_directory(disk)


def test_a_directory_without_any_sign_of_a_database_cannot_be_checked() -> None:
    with pytest.raises(NotKveikError, match="holds no database"):
        check_directory(disk_with({"letter.txt": b"dear"}))


def test_a_newer_format_cannot_be_checked(disk: MemoryDisk) -> None:
    overwrite(disk, "KVEIK", 6, b"9")
    with pytest.raises(NewerFormatError, match="has format 9"):
        check_directory(disk)


# --- tables ---------------------------------------------------------------------------------------


def test_a_damaged_byte_in_any_data_block_is_named_with_the_block_and_its_keys(
    disk: MemoryDisk, table: TableInfo
) -> None:
    for offset, size, keys in blocks(disk, table):
        hurt = disk_with(WHOLE)
        flip(hurt, table_name(2), offset + size // 2)
        (finding,) = damage(hurt)
        assert (finding.file, finding.offset) == (table_name(2), offset)
        assert finding.low <= keys[0]
        assert keys[-1] < finding.high
        assert "checksum" in finding.what


def test_a_damaged_partition_is_named(disk: MemoryDisk, table: TableInfo) -> None:
    offset = partition_offset(disk, table)
    flip(disk, table_name(2), offset + 20)
    (finding,) = damage(disk)
    assert (finding.file, finding.offset) == (table_name(2), offset)
    assert "partition: the checksum" in finding.what


def partition_offset(disk: MemoryDisk, table: TableInfo) -> int:
    reader = SequentialTable(disk, table)
    offset, size = 0, 0
    while reader.next() is not None:
        if reader.offset != offset + size:
            break
        offset, size = reader.offset, reader.size
    reader.close()
    return offset + size


def test_a_damaged_root_is_named(disk: MemoryDisk, table: TableInfo) -> None:
    flip(disk, table_name(2), table.root_offset + 3)
    found = places(disk)
    assert found[0] == (table_name(2), table.root_offset)
    assert len(found) == 1


def test_a_damaged_footer_is_named(disk: MemoryDisk, table: TableInfo) -> None:
    flip(disk, table_name(2), table.size - 1)
    assert places(disk) == [(table_name(2), table.size - FOOTER_SIZE)]


def test_every_damaged_byte_of_a_table_is_found(disk: MemoryDisk) -> None:
    name = table_name(8)
    for offset in range(0, len(WHOLE[name]), 37):
        hurt = disk_with(WHOLE)
        flip(hurt, name, offset)
        found = damage(hurt)
        assert found, offset
        assert {finding.file for finding in found} == {name}
        assert any(finding.offset <= offset for finding in found)


def test_a_table_that_was_cut_is_named(disk: MemoryDisk, table: TableInfo) -> None:
    hurt = disk_with(WHOLE | {table_name(2): WHOLE[table_name(2)][:5000]})
    found = damage(hurt)
    assert {finding.file for finding in found} == {table_name(2)}
    assert f"has 5000 bytes, the manifest says {table.size}" in " ".join(map(str, found))


def test_a_missing_table_is_named_with_its_keys(disk: MemoryDisk, table: TableInfo) -> None:
    disk.remove(table_name(2))
    (finding,) = damage(disk)
    assert str(finding) == (
        "0000000002.tbl: offset 0: the file is missing: 450 entries of level 2 "
        "(keys 0:'key0000' to 0:'key0449')"
    )


def test_swapped_tables_are_named() -> None:
    swapped = {table_name(2): WHOLE[table_name(3)], table_name(3): WHOLE[table_name(2)]}
    found = damage(disk_with(WHOLE | swapped))
    told = {finding.file: finding.what for finding in found if "the footer says" in finding.what}
    assert told == {
        table_name(2): "the footer says that this is table 3",
        table_name(3): "the footer says that this is table 2",
    }
    assert {finding.file for finding in found} == {table_name(2), table_name(3)}


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("entries", "450 entries, the manifest says 451"),
        ("tombstones", "0 deleted entries, the manifest says 1"),
        ("clears", "0 cleared ranges, the manifest says 1"),
        ("expires", "its first expiry is 0, the manifest says 1"),
    ],
)
def test_a_wrong_count_in_the_manifest_is_named(
    disk: MemoryDisk, table: TableInfo, field: str, what: str
) -> None:
    setattr(table, field, getattr(table, field) + 1)
    retold(disk, table)
    found = damage(disk)
    assert what in " ".join(map(str, found))
    assert {finding.file for finding in found} == {table_name(2)}


def retold(disk: MemoryDisk, table: TableInfo) -> None:
    """Have the manifest say this of table 2."""
    manifest = open_manifest(disk, DATABASE_ID)
    manifest.append(Edit([(2, table)], [2]))
    manifest.close()


@pytest.mark.parametrize(
    ("bound", "value", "what"),
    [
        ("low", b"\x00key0001", "it begins before the manifest says"),
        ("high", b"\x00key0449", "it goes on past what the manifest says"),
    ],
)
def test_keys_outside_the_manifest_s_bounds_are_named(
    disk: MemoryDisk, table: TableInfo, bound: str, value: bytes, what: str
) -> None:
    setattr(table, bound, value)
    retold(disk, table)
    assert what in " ".join(map(str, damage(disk)))


def test_a_table_of_another_place_is_named(disk: MemoryDisk, table: TableInfo) -> None:
    table.root_offset -= 8
    retold(disk, table)
    what = " ".join(map(str, damage(disk)))
    assert f"the root is at {table.root_offset + 8}, the manifest says {table.root_offset}" in what


def resealed(payload: bytes, number: int, offset: int) -> bytes:
    """A stored block with a valid checksum, whatever is in it."""
    pieces = [payload]
    seal(pieces, NONE, seed(number, offset))
    return b"".join(pieces)


def first_payload(disk: MemoryDisk, number: int) -> bytes:
    offset, size, _ = blocks(disk, infos(disk)[number])[0]
    return stored(disk)[table_name(number)][offset : offset + size - 5]


def test_keys_out_of_order_under_a_valid_checksum_are_named(disk: MemoryDisk) -> None:
    payload = bytearray(first_payload(disk, 3))
    at = payload.index(b"lower-450")
    suffix = payload.rindex(b"0", 0, at)  # the last digit of the first key
    payload[suffix] = ord("9")
    overwrite(disk, table_name(3), 0, resealed(bytes(payload), 3, 0))
    (finding,) = damage(disk)
    assert (finding.file, finding.offset) == (table_name(3), 0)
    assert finding.what == "the entries of a block are not in order"


def test_a_key_that_its_filter_denies_is_named(disk: MemoryDisk) -> None:
    other = BlockWriter()
    (_, size, keys), *_ = blocks(disk, infos(disk)[3])
    values = [plain(b"x" * (len(value) - 1)) for value in read_values(disk, 3)]
    other.fill([keys[0][:-1] + b"\x30", *keys[1:]], values, 0, 1 << 30)
    changed = [key[:1] + b"kez" + key[4:] for key in keys]
    other = BlockWriter()
    other.fill(changed, values, 0, 1 << 30)
    data = resealed(b"".join(other.finish()), 3, 0)
    assert len(data) == size
    overwrite(disk, table_name(3), 0, data)
    found = " ".join(map(str, damage(disk)))
    assert "the filter denies a key (key 0:'kez04" in found
    assert "a block goes on past its separator" in found
    assert "a block begins before the last one ends" in found


def test_a_table_of_version_1_has_filters_of_the_size_that_this_version_said() -> None:
    keys = [b"\x00key%03d" % number for number in range(60)]
    disk = MemoryDisk()
    entries = dict.fromkeys(keys, plain(b"x"))
    info = make_table(disk, 3, entries, filter_bits=MANY_BITS)
    for version, right in ((VERSION, True), (1, False)):
        footer = Footer(3, info.root_offset, info.root_size, info.entries, version)
        overwrite(disk, table_name(3), info.size - FOOTER_SIZE, encode_footer(footer))
        findings = Findings()
        TableCheck(disk, table_name(3), info, findings, Tally(0, None)).run()
        what = [finding.what for finding in findings.items]
        assert what == ([] if right else ["a filter of 192 bytes for 60 keys"])


def read_values(disk: MemoryDisk, number: int) -> list[bytes]:
    table = SequentialTable(disk, infos(disk)[number])
    block = table.next()
    table.close()
    assert block is not None
    return block.values()


def test_a_value_that_makes_no_sense_is_named(disk: MemoryDisk) -> None:
    payload = first_payload(disk, 3).replace(b"\x01lower-450", b"\x0elower-450", 1)
    overwrite(disk, table_name(3), 0, resealed(payload, 3, 0))
    (finding,) = damage(disk)
    assert finding.what == "a value that makes no sense"
    assert finding.low == b"\x00key0450"


def test_a_block_that_the_medium_does_not_give_is_named(disk: MemoryDisk, table: TableInfo) -> None:
    def refuse(number: int, kind: str, name: str) -> None:
        if kind == "read" and name == table_name(2):
            raise OSError(errno.EIO, "Input/output error", name)

    report = check_directory(FaultyDisk(disk, refuse))
    found = report.findings.damaged()
    assert {finding.file for finding in found} == {table_name(2)}
    assert "cannot be read: Input/output error" in found[0].what


# --- beside the tables ----------------------------------------------------------------------------


def test_a_table_that_nobody_names_is_a_leftover(disk: MemoryDisk) -> None:
    make_table(disk, 12, {b"\x00a": plain(b"1")})
    report = checked(disk)
    assert report.findings.damaged() == []
    (finding,) = report.findings.items
    assert finding.file == table_name(12)
    assert "the manifest does not name it" in finding.what


def test_leftovers_and_strangers_are_named_and_harmless(disk: MemoryDisk) -> None:
    names = ("0000000001.log", "0000000004.tbl-feed.new", "notes.txt")
    for name in names:
        disk.create(name)
    report = checked(disk)
    assert report.findings.damaged() == []
    told = {finding.file: finding.what for finding in report.findings.items}
    assert told.keys() == set(names)
    assert "all of it is in tables" in told[names[0]]
    assert "never finished" in told[names[1]]
    assert "a stranger" in told[names[2]]


@pytest.mark.parametrize(
    ("offset", "data", "what"),
    [
        (0, b"x", "the first line is not"),
        (8, b"x", "the second line is not"),
        (6, b"1", "it knows of no tables, and there is 0000000002.tbl"),
        (11, b"f", "it belongs to another database"),
    ],
)
def test_a_damaged_identity_is_named(disk: MemoryDisk, offset: int, data: bytes, what: str) -> None:
    overwrite(disk, "KVEIK", offset, data)
    found = damage(disk)
    assert what in " ".join(map(str, found))


def test_a_missing_identity_is_named(disk: MemoryDisk) -> None:
    disk.remove("KVEIK")
    (finding,) = damage(disk)
    assert str(finding) == "KVEIK: offset 0: the file is missing"


def test_a_missing_manifest_is_named_and_the_tables_are_checked_all_the_same(
    disk: MemoryDisk,
) -> None:
    disk.remove("MANIFEST")
    flip(disk, table_name(2), 100)
    assert ("MANIFEST", 0) in places(disk)
    report = checked(disk)
    assert (report.tables, report.segments) == (6, 3)
    assert table_name(2) in {finding.file for finding in report.findings.damaged()}


def test_a_damaged_edit_is_named(disk: MemoryDisk) -> None:
    size = len(WHOLE["MANIFEST"])
    for offset in (3, 70, 300, size - 60):
        hurt = disk_with(WHOLE)
        flip(hurt, "MANIFEST", offset)
        report = checked(hurt)
        told = [f for f in report.findings.items if f.file == "MANIFEST"]
        assert told, offset
        assert told[0].offset <= offset


# --- the log --------------------------------------------------------------------------------------


def test_a_damaged_record_is_named_with_its_commits(disk: MemoryDisk) -> None:
    flip(disk, segment_name(4), HEAD_SIZE + 40)
    (finding,) = damage(disk)
    assert (finding.file, finding.offset) == (segment_name(4), HEAD_SIZE + 25)
    assert finding.what.endswith(f": it takes commit {LSN + 1}")


def test_all_damage_in_the_log_is_named(disk: MemoryDisk) -> None:
    flip(disk, segment_name(4), HEAD_SIZE + 40)
    flip(disk, segment_name(5), HEAD_SIZE + 40)
    assert [file for file, _ in places(disk)] == [segment_name(4), segment_name(5)]


def test_a_missing_segment_is_named(disk: MemoryDisk) -> None:
    disk.remove(segment_name(4))
    (finding,) = damage(disk)
    assert str(finding) == "0000000004.log: offset 0: this part of the log is missing"


def test_a_hole_in_the_log_is_named(disk: MemoryDisk) -> None:
    disk.remove(segment_name(5))
    (finding,) = damage(disk)
    assert (finding.file, finding.offset) == (segment_name(6), HEAD_SIZE)
    assert "commit 104 is missing, and a mark says that it was synced" in finding.what


def test_a_damaged_segment_head_is_named(disk: MemoryDisk) -> None:
    for offset in range(0, HEAD_SIZE, 3):
        hurt = disk_with(WHOLE)
        flip(hurt, segment_name(5), offset)
        assert places(hurt) == [(segment_name(5), 0)], offset


def test_a_segment_under_another_name_is_named() -> None:
    hurt = disk_with(WHOLE | {segment_name(5): WHOLE[segment_name(6)]})
    found = damage(hurt)
    assert "it is segment 6 under another name" in " ".join(map(str, found))


def test_a_segment_that_was_cut_is_named() -> None:
    hurt = disk_with(WHOLE | {segment_name(5): WHOLE[segment_name(5)][:1000]})
    (finding,) = damage(hurt)
    assert (finding.file, finding.offset) == (segment_name(5), 1000)


# --- against the engine ---------------------------------------------------------------------------


def opens(disk: MemoryDisk) -> bool:
    try:
        held_by(disk)
    except KveikError:
        return False
    return True


flips = st.lists(
    st.tuples(
        st.sampled_from(sorted(WHOLE)), st.floats(0, 1, exclude_max=True), st.integers(1, 255)
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(flips)
def test_whatever_the_engine_refuses_has_a_finding_and_what_is_whole_holds_everything(
    drawn: list[tuple[str, float, int]],
) -> None:
    disk = disk_with(WHOLE)
    for name, share, mask in drawn:
        flip(disk, name, int(share * len(WHOLE[name])), mask)
    try:
        found = damage(disk)
    except NewerFormatError:
        assert not opens(disk)
        return
    if not found:
        held = held_by(disk)
        assert held == truth() or held in (truth(commits=7), truth(commits=6))
    elif all(f.file.endswith(".log") or f.file == "MANIFEST" for f in found):
        assert not opens(disk)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2047), st.integers(1, 255), st.integers(4, 6))
def test_the_log_has_a_finding_if_and_only_if_the_engine_refuses_it(
    offset: int, mask: int, number: int
) -> None:
    disk = disk_with(WHOLE)
    flip(disk, segment_name(number), offset, mask)
    assert (damage(disk) == []) == opens(disk)
