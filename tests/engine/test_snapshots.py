"""Snapshots: one instant for as long as they are held, and nothing held any longer."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.support.embedded import fill, holders, layered, opened, store_of
from tests.support.tools import until

import kveik
from kveik.engine.database import Database
from kveik.errors import ClosedError

MANY = 5000  # several pages


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as db:
        yield db


def test_a_snapshot_shows_one_instant_whatever_is_written_flushed_or_compacted(
    db: Database,
) -> None:
    expected = layered(db, MANY)
    with db.snapshot() as seen:
        db.put_many({("k", number): b"later" for number in range(0, MANY, 2)})
        db.delete_range(("k", 1), ("k", 100))
        db.flush()
        db["new"] = 1
        db.compact()
        db.clear()
        db.flush()
        db.compact()
        assert len(db) == 0
        assert dict(seen.range()) == expected
        assert list(reversed(seen)) == list(reversed(expected))
        assert seen.get(("k", 5)) == expected["k", 5]
        assert "new" not in seen
        assert seen.get_many([("k", 0), "new", ("k", 5)], 0) == [
            expected["k", 0],
            0,
            expected["k", 5],
        ]
        assert list(seen.scan(("k",), limit=3)) == list(expected.items())[:3]
        assert seen == expected


def test_files_of_a_snapshot_stay_until_it_is_closed_and_go_then(db: Database) -> None:
    fill(db, 0, MANY)
    db.flush()
    path = Path(store_of(db).disk.path)
    seen = db.snapshot()
    before = set(path.glob("*.tbl"))
    db.clear()
    db.flush()
    db.compact()
    assert before <= set(path.glob("*.tbl"))
    seen.close()
    until(lambda: not before & set(path.glob("*.tbl")), "the snapshot's tables are gone")


def test_a_value_expires_in_a_snapshot_by_the_snapshot_s_clock(db: Database) -> None:
    db.put("k", 1, ttl=0.05)
    with db.snapshot() as seen:
        until(lambda: "k" not in db, "the value has expired")
        assert seen["k"] == 1


def test_what_is_read_after_closing_is_a_closed_error(db: Database) -> None:
    db["k"] = 1
    seen = db.snapshot()
    seen.close()
    seen.close()
    for call in (seen.keys, seen.values, seen.items, seen.range, seen.scan, seen.__enter__):
        with pytest.raises(ClosedError, match="the snapshot has been closed"):
            call()
    for reading in (
        lambda: seen["k"],
        lambda: seen.get("k"),
        lambda: len(seen),
        lambda: list(seen),
    ):
        with pytest.raises(ClosedError, match="the snapshot has been closed"):
            reading()
    with pytest.raises(ClosedError, match="the snapshot has been closed"):
        seen.get_many(["k"])


@pytest.mark.parametrize("rows", [3, MANY])
def test_closing_a_snapshot_ends_its_iterators_with_an_error(db: Database, rows: int) -> None:
    fill(db, 0, rows)
    with db.snapshot() as seen:
        reading = seen.range()
        next(reading)
    with pytest.raises(ClosedError, match="the snapshot has been closed"):
        list(reading)
    assert holders(db) == 0


def test_a_snapshot_outlives_nothing_where_the_database_is_closed_first(db: Database) -> None:
    fill(db, 0, MANY)
    seen = db.snapshot()
    reading = seen.range()
    db.close()
    with pytest.raises(ClosedError):
        seen.get(("k", 1))
    with pytest.raises(ClosedError):
        next(reading)
    seen.close()


def begun(db: Database) -> object:
    rows = db.range()
    next(rows)
    return rows


@pytest.mark.parametrize(
    "make",
    [
        Database.snapshot,
        Database.transaction,
        Database.range,
        Database.__iter__,
        begun,
        lambda db: db.snapshot().range(),
        lambda db: iter(db.items()),
    ],
    ids=["snapshot", "transaction", "range", "iter", "half a range", "of a snapshot", "items"],
)
def test_what_is_forgotten_holds_nothing(db: Database, make: object) -> None:
    fill(db, 0, MANY)
    assert callable(make)
    made = make(db)
    assert holders(db) > 0
    del made
    gc.collect()
    assert holders(db) == 0


def test_an_exception_while_iterating_holds_nothing(db: Database) -> None:
    fill(db, 0, MANY)

    def fail() -> None:
        with db.snapshot() as seen:
            for _ in seen.range():
                for _ in db.range():
                    raise LookupError

    with pytest.raises(LookupError):
        fail()
    gc.collect()
    assert holders(db) == 0


def test_an_iterator_that_was_read_to_its_end_or_closed_holds_nothing(db: Database) -> None:
    fill(db, 0, MANY)
    read = db.range()
    assert sum(1 for _ in read) == MANY
    assert list(read) == []
    closed = db.range()
    next(closed)
    closed.close()  # type: ignore[attr-defined]
    assert list(closed) == []
    assert holders(db) == 0


def test_writes_go_on_at_one_memtable_once_snapshots_are_gone(db: Database) -> None:
    for number in range(50):
        db[number] = number
        with db.snapshot() as seen:
            assert len(seen) == number + 1
    db["last"] = 1
    assert len(store_of(db).view.memtables) == 1
    held = [db.snapshot() for _ in range(20) if db.put("more", 1)]
    until(lambda: len(store_of(db).view.memtables) <= 10, "parts of the log became tables")
    for seen in held:
        seen.close()


def test_a_closed_database_lets_go_of_its_files_and_threads(tmp_path: Path) -> None:
    before = threading.active_count()
    db = opened(tmp_path)
    layered(db, MANY)
    assert dict(db.range())
    db.close()
    files = [Path(f"/proc/self/fd/{name.name}") for name in Path("/proc/self/fd").iterdir()]
    targets = [str(file.readlink()) for file in files if file.is_symlink()]
    assert [target for target in targets if target.startswith(str(tmp_path))] == []
    until(lambda: threading.active_count() <= before, "the database's threads have ended")


def test_threads_read_a_snapshot_while_others_write(db: Database) -> None:
    expected = layered(db, MANY)
    errors: list[BaseException] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            db.put(("k", number % MANY), b"later" * 50)
            number += 1

    def read() -> None:
        try:
            for _ in range(3):
                assert dict(seen.range()) == expected
                assert seen.get_many(list(expected)[::50]) == list(expected.values())[::50]
        except BaseException as error:
            errors.append(error)

    with db.snapshot() as seen:
        writer = threading.Thread(target=write)
        readers = [threading.Thread(target=read) for _ in range(3)]
        for thread in [writer, *readers]:
            thread.start()
        for thread in readers:
            thread.join(100)
        stop.set()
        writer.join(20)
    assert errors == []


def test_a_snapshot_of_a_read_only_database(tmp_path: Path) -> None:
    with opened(tmp_path) as db:
        expected = layered(db, 2000)
    with kveik.open(tmp_path, read_only=True) as db, db.snapshot() as seen:
        assert seen == expected
