"""A directory whose tables Kveik wrote when every filter had 13 bits a key (version 1 of tables).

The files are part of the format's promise, and were made by the code of that time: a table in level
1, two above it with a deleted key and a deleted range, and a log that goes on behind them. Of the
segments the zeros at the end are left out here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kveik
from kveik.disk.posix import PosixDisk
from kveik.engine.check import check_directory
from kveik.format.identity import NAME, decode_identity
from kveik.format.table import FOOTER_SIZE, decode_footer

GOLDEN = Path(__file__).parents[1] / "format" / "golden" / "directory-v2"
SEGMENT = 1 << 20
HELD: dict[bytes, object] = {
    **{b"key%03d" % number: b"one %d" % number for number in range(10, 60)},
    **{b"key%03d" % number: b"two %d" % number for number in range(20, 40)},
    b"json": {"a": [1, 2]},
    b"text": "t\u00e9xt",
    b"late": b"x",
    b"zz": b"3",
    b"tail": b"log",
}
HELD.pop(b"key050")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    whole = tmp_path / "data"
    shutil.copytree(GOLDEN, whole)
    for segment in whole.glob("*.log"):
        segment.write_bytes(segment.read_bytes().ljust(SEGMENT, b"\0"))
    return whole


def versions(directory: Path) -> dict[str, int]:
    tables = sorted(directory.glob("*.tbl"))
    return {path.name: decode_footer(path.read_bytes()[-FOOTER_SIZE:]).version for path in tables}


def test_it_is_what_it_says(directory: Path) -> None:
    assert decode_identity((directory / NAME).read_bytes())[0] == 2
    assert list(versions(directory).values()) == [1, 1, 1]


def test_its_data_are_read(directory: Path) -> None:
    with kveik.open(directory, memory="8MB") as db:
        assert dict(db.items()) == HELD
        assert {key: db.get(key) for key in HELD} == HELD
        assert [db.get(b"key%03d" % number) for number in range(10)] == [None] * 10


def test_it_is_whole(directory: Path) -> None:
    disk = PosixDisk(str(directory), read_only=True)
    report = check_directory(disk)
    disk.close()
    assert report.findings.damaged() == []


def test_a_compaction_writes_the_tables_anew(directory: Path) -> None:
    with kveik.open(directory, memory="8MB") as db:
        db.flush()
        db.compact()
        assert dict(db.items()) == HELD
    assert set(versions(directory).values()) == {2}


def test_who_only_reads_it_leaves_it_as_it_is(directory: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    with kveik.open(directory, memory="8MB", read_only=True) as db:
        assert dict(db.items()) == HELD
    after = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert {name: after[name] for name in before} == before
