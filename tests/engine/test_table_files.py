"""Open tables: a bounded number, and nobody loses a file that is in use."""

from __future__ import annotations

import pytest

from kveik.disk.faulty import FaultyDisk
from kveik.disk.memory import MemoryDisk
from kveik.engine.files import TableFiles


@pytest.fixture
def disk() -> FaultyDisk:
    """Files a, b and c, that hold their names; `count` tells how many were opened since."""
    disk = FaultyDisk(MemoryDisk())
    for name in "abc":
        disk.create(name).write(0, [name.encode()])
    disk.count = 0
    return disk


def test_a_file_is_opened_once(disk: FaultyDisk) -> None:
    files = TableFiles(disk)
    assert files.opened("a") is None
    file = files.get("a")
    assert files.get("a") is file
    assert files.opened("a") is file
    assert disk.count == 1


def test_in_place_of_one_too_many_the_longest_unused_is_let_go_of(disk: FaultyDisk) -> None:
    files = TableFiles(disk, 2)
    for name in "abac":
        files.get(name)
    assert [files.opened(name) is None for name in "abc"] == [False, True, False]


def test_a_file_that_was_let_go_of_can_still_be_read(disk: FaultyDisk) -> None:
    files = TableFiles(disk, 1)
    file = files.get("a")
    files.get("b")
    assert files.opened("a") is None
    assert file.read(0, 9) == b"a"


def test_a_dropped_file_is_opened_anew(disk: FaultyDisk) -> None:
    files = TableFiles(disk)
    file = files.get("a")
    files.drop("a")
    files.drop("a")
    assert files.opened("a") is None
    assert files.get("a") is not file


def test_a_missing_file_is_an_os_error(disk: FaultyDisk) -> None:
    with pytest.raises(FileNotFoundError):
        TableFiles(disk).get("x")


def test_closing_lets_go_of_all(disk: FaultyDisk) -> None:
    files = TableFiles(disk)
    for name in "abc":
        files.get(name)
    files.close()
    assert [files.opened(name) for name in "abc"] == [None, None, None]
