"""What is found in a table's file when the way to it is damaged."""

from __future__ import annotations

import pytest
from tests.engine.support.sources import plain
from tests.engine.support.stores import disk_with, flip, stored

from kveik.disk.memory import MemoryDisk
from kveik.engine.builder import TableBuilder
from kveik.engine.findings import Tally
from kveik.engine.survey_table import TableSurvey
from kveik.format.codec import NONE, ZLIB
from kveik.format.table import TableInfo, table_name

NAME = table_name(7)
KEYS = [b"\x00key%05d" % number for number in range(3_000)]


def make(codec: int, values: int = 40) -> tuple[MemoryDisk, TableInfo]:
    disk = MemoryDisk()
    builder = TableBuilder(disk.create(NAME), 7, block_size=512, codec=codec)
    builder.add_many(KEYS, [plain(key * (values // len(key))) for key in KEYS])
    return disk, builder.finish()


def keys_in(disk: MemoryDisk, info: TableInfo | None) -> list[bytes]:
    survey = TableSurvey(disk, NAME, info, Tally(0, None))
    found: list[bytes] = []
    behind = 0
    for place in survey.places:
        assert place.offset >= behind
        assert place.low < place.high
        behind = place.offset + place.size
        if not place.error:
            keys = survey.load(place).keys()
            assert place.low <= keys[0]
            assert keys[-1] < place.high
            found += keys
    survey.close()
    return found


@pytest.mark.parametrize("codec", [NONE, ZLIB])
@pytest.mark.parametrize("known", [True, False])
def test_all_blocks_are_found_by_the_root(codec: int, known: bool) -> None:
    disk, info = make(codec)
    assert keys_in(disk, info if known else None) == KEYS


@pytest.mark.parametrize("codec", [NONE, ZLIB])
@pytest.mark.parametrize("known", [True, False])
def test_all_blocks_are_found_without_a_root(codec: int, known: bool) -> None:
    disk, info = make(codec)
    flip(disk, NAME, info.root_offset + 5)
    assert keys_in(disk, info if known else None) == KEYS


@pytest.mark.parametrize("codec", [NONE, ZLIB])
def test_all_blocks_are_found_without_any_index(codec: int) -> None:
    disk, info = make(codec)
    whole = TableSurvey(disk, NAME, info, Tally(0, None))
    assert len(whole.parts) > 1
    for part in whole.parts:
        flip(disk, NAME, part.offset + 5)
    whole.close()
    flip(disk, NAME, info.root_offset + 5)
    flip(disk, NAME, info.size - 1)
    assert keys_in(disk, None) == KEYS


def test_a_large_value_is_found_without_any_index() -> None:
    disk = MemoryDisk()
    builder = TableBuilder(disk.create(NAME), 7)
    builder.add_many(
        [b"\x00a", b"\x00b", b"\x00c"], [plain(b"1"), plain(bytes(3 << 20)), plain(b"3")]
    )
    info = builder.finish()
    data = stored(disk)[NAME]
    for offset in (info.root_offset + 5, info.root_offset - 10, info.size - 1):
        flip(disk, NAME, offset)
    assert keys_in(disk, None) == [b"\x00a", b"\x00b", b"\x00c"]
    assert len(data) > 3 << 20


def test_a_block_of_another_table_is_not_taken_for_one() -> None:
    disk, info = make(NONE)
    other = stored(disk)[NAME]
    disk = disk_with({table_name(8): other[: info.root_offset]})
    survey = TableSurvey(disk, table_name(8), None, Tally(0, None))
    assert [place for place in survey.places if not place.error] == []
    survey.close()


def test_a_file_of_zeros_holds_nothing() -> None:
    disk = disk_with({NAME: bytes(1 << 20)})
    assert keys_in(disk, None) == []


def test_an_impossible_root_is_a_problem_and_no_more() -> None:
    disk, info = make(NONE)
    info.root_size = 1 << 40
    survey = TableSurvey(disk, NAME, info, Tally(0, None))
    assert survey.problems[0][0] == info.root_offset
    assert "the file ends inside a block" in survey.problems[0][1]
    assert survey.root is not None  # by the footer
    survey.close()
