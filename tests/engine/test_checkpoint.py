"""Checkpoints: whole, openable, of one instant, or not there at all."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.support.embedded import fill, layered, opened
from tests.engine.support.stores import MEMORY, at_once, disk_with, stored

import kveik
from kveik.disk.api import Disk
from kveik.disk.faulty import FaultyDisk, Stopped, crash_at, fail_nth
from kveik.disk.memory import MemoryDisk
from kveik.disk.posix import PosixDisk
from kveik.engine.checkpoint import write_checkpoint
from kveik.engine.database import Database
from kveik.engine.lanes import ThreadLane
from kveik.engine.opening import open_store
from kveik.engine.shared import Shared
from kveik.engine.upkeep import Upkeep
from kveik.errors import DiskFullError, KveikError, NotKveikError, OpenError, StorageError


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path / "db") as db:
        yield db


def test_a_checkpoint_holds_what_was_there_and_is_a_database_of_its_own(
    db: Database, tmp_path: Path
) -> None:
    expected = layered(db, 3000)
    expected["text"] = db["text"] = b"memory only"
    db.checkpoint(tmp_path / "copy")
    db["later"] = 1
    with opened(tmp_path / "copy") as copy:
        assert copy == expected
        copy["own"] = 2
        copy.clear()
        copy.flush()
        copy.compact()
    assert db.get("own") is None
    assert len(db) == len(expected) + 1
    db.flush()
    db.compact()
    with opened(tmp_path / "copy") as copy:
        assert len(copy) == 0
        copy["again"] = 1


def test_it_shares_the_tables_with_its_source(db: Database, tmp_path: Path) -> None:
    fill(db, 0, 2000)
    db.checkpoint(tmp_path / "copy")
    tables = list((tmp_path / "copy").glob("*.tbl"))
    assert tables
    assert all(table.samefile(tmp_path / "db" / table.name) for table in tables)


def test_it_outlives_its_source(db: Database, tmp_path: Path) -> None:
    expected = layered(db, 2000)
    db.checkpoint(tmp_path / "copy")
    db.close()
    for file in (tmp_path / "db").iterdir():
        file.unlink()
    with kveik.open(tmp_path / "copy", read_only=True) as copy:
        assert copy == expected


def test_an_empty_database_has_one_too(db: Database, tmp_path: Path) -> None:
    db.checkpoint(tmp_path / "copy")
    with opened(tmp_path / "copy") as copy:
        assert len(copy) == 0
        copy["k"] = 1


@pytest.mark.parametrize("make", [str, Path, os.fspath], ids=["str", "Path", "fspath"])
def test_the_path_may_be_relative_a_str_or_a_path(
    db: Database, tmp_path: Path, make: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    db["k"] = 1
    db.checkpoint(make(Path("new") / "copy"))
    with opened(tmp_path / "new" / "copy") as copy:
        assert copy == {"k": 1}


def test_a_directory_that_holds_anything_is_refused_untouched(db: Database, tmp_path: Path) -> None:
    for name in ("file", "directory"):
        target = tmp_path / name
        target.mkdir()
        if name == "file":
            (target / "letter").write_text("Dear Ada")
        else:
            (target / "letter").mkdir()
        with pytest.raises(OpenError, match="is not empty: it holds 'letter'"):
            db.checkpoint(target)
        assert [entry.name for entry in target.iterdir()] == ["letter"]
    with pytest.raises(OpenError, match="is not empty"):
        db.checkpoint(tmp_path / "db")
    with pytest.raises(OpenError, match="is a file"):
        db.checkpoint(tmp_path / "file" / "letter")
    db.checkpoint(tmp_path / "copy")
    with pytest.raises(OpenError, match="is not empty"):
        db.checkpoint(tmp_path / "copy")


def test_writers_go_on_and_a_batch_is_in_it_whole_or_not_at_all(
    db: Database, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.0005):  # no faster than the copies can be read
            number += 1
            db.put_many({("left", number): number, ("right", number): number})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(4):
            with db.snapshot() as before:
                known = len(before)
            db.checkpoint(tmp_path / str(turn))
            with opened(tmp_path / str(turn)) as copy:
                left = [key[1] for key, _ in copy.scan(("left",))]
                assert left == [key[1] for key, _ in copy.scan(("right",))]
                assert left == list(range(1, len(left) + 1))
                assert len(left) * 2 >= known
    finally:
        stop.set()
        writer.join(20)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_where_there_can_be_no_links_tables_are_copied(
    db: Database, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: PosixDisk, name: str, other: Disk) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(PosixDisk, "link", refuse)
    expected = layered(db, 3000)
    db.checkpoint(tmp_path / "copy")
    for table in (tmp_path / "copy").glob("*.tbl"):
        assert not table.samefile(tmp_path / "db" / table.name)
        assert table.read_bytes() == (tmp_path / "db" / table.name).read_bytes()
    with opened(tmp_path / "copy") as copy:
        assert copy == expected


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system")  # noqa: S108
def test_to_another_file_system_they_are_copied(db: Database) -> None:
    expected = layered(db, 1000)
    target = Path(f"/dev/shm/kveik-test-{os.getpid()}")  # noqa: S108
    try:
        db.checkpoint(target)
        with opened(target) as copy:
            assert copy == expected
    finally:
        for file in target.iterdir():
            file.unlink()
        target.rmdir()


def in_memory() -> tuple[MemoryDisk, Database]:
    disk = MemoryDisk()
    store = open_store(disk, memory=MEMORY, spawn=at_once)
    upkeep = Upkeep(store, ThreadLane(disk), ThreadLane(disk))
    return disk, Database(Shared(store, "always", upkeep), lambda path: MemoryDisk())


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "copied"])
@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EIO, StorageError)]
)
def test_whatever_operation_fails_there_is_no_copy_and_an_error_that_says_why(
    linked: bool, code: int, kind: type[KveikError]
) -> None:
    source, db = in_memory()
    db.update({"a": 1, "b": 2})
    db.flush()
    snapshot = db._shared.store.tables_only()
    failures = 0
    while True:
        target = MemoryDisk()
        failing = FaultyDisk(target, fail_nth(failures, code))
        try:
            write_checkpoint(snapshot, through(source, linked), failing)
            break
        except KveikError as refused:
            error = refused
        assert type(error) is kind
        assert "checkpoint" in str(error)
        assert stored(target) == {}
        failures += 1
    assert failures > 10
    db.close()


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "copied"])
def test_wherever_the_machine_crashes_there_is_a_whole_copy_or_none(linked: bool) -> None:
    source, db = in_memory()
    db.update({"a": 1, "b": [2]})
    db.flush()
    snapshot = db._shared.store.tables_only()
    crashes = 0
    whole = 0
    done = False
    while not done:
        target = MemoryDisk()
        failing = FaultyDisk(target, crash_at(crashes))
        try:
            write_checkpoint(snapshot, through(source, linked), failing)
            done = True
        except Stopped:
            crashes += 1
        for seed in range(4):
            whole += is_whole(target.crash(seed))
    assert crashes > 10
    assert 4 <= whole < 4 * crashes
    db.close()


def through(source: MemoryDisk, linked: bool) -> Disk:
    """A disk that can be linked from, to one with faults, or cannot."""
    return FaultyDisk(source) if linked else source


def is_whole(disk: Disk) -> bool:
    """Whether a disk holds a database, which then must hold everything."""
    try:
        store = open_store(disk, memory=MEMORY, spawn=at_once, create=False)
    except NotKveikError:
        return False
    copy = Database(Shared(store, "always"), lambda path: MemoryDisk())
    assert copy == {"a": 1, "b": [2]}
    copy.close()
    return True


def test_names_of_a_copy_in_the_making_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "0000000001.tbl").write_bytes(b"half")
    with pytest.raises(NotKveikError):
        kveik.open(tmp_path)
    assert disk_with({}).names() == []
