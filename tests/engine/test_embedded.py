"""An open database as a whole: after closing, after a fork, read-only, with its options."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engine.support.embedded import fill, in_child, layered, opened

import kveik
from kveik.engine.database import Database
from kveik.errors import ClosedError, KveikError, LockedError, NotKveikError, ReadOnlyError

READS: dict[str, Callable[[Database], object]] = {
    "get": lambda db: db.get("k"),
    "get_many": lambda db: db.get_many(["k"]),
    "__getitem__": lambda db: db["k"],
    "__contains__": lambda db: "k" in db,
    "__len__": len,
    "__bool__": bool,
    "__iter__": iter,
    "__reversed__": reversed,
    "__eq__": lambda db: db == {},
    "range": lambda db: db.range(),
    "scan": lambda db: db.scan("k"),
    "cells": lambda db: db.cells(b"", None),
    "keys": lambda db: db.keys(),
    "values": lambda db: db.values(),
    "items": lambda db: db.items(),
    "snapshot": lambda db: db.snapshot(),
    "stats": lambda db: db.stats(),
    "__enter__": lambda db: db.__enter__(),
    "check_open": lambda db: db.check_open(),
}
WRITES: dict[str, Callable[[Database], object]] = {
    "put": lambda db: db.put("k", 1),
    "put bytes": lambda db: db.put(b"k", b"v"),
    "put if_absent": lambda db: db.put("k", 1, if_absent=True),
    "put if_equal": lambda db: db.put("k", 1, if_equal=2),
    "put_many": lambda db: db.put_many({}),
    "delete": lambda db: db.delete("no"),
    "delete_range": lambda db: db.delete_range("b", "a"),
    "write": lambda db: db.write(kveik.Batch()),
    "__setitem__": lambda db: db.__setitem__("k", 1),
    "__delitem__": lambda db: db.__delitem__("no"),
    "__ior__": lambda db: db.__ior__({}),
    "pop": lambda db: db.pop("no", None),
    "popitem": lambda db: db.popitem(),
    "setdefault": lambda db: db.setdefault("no", 1),
    "update": lambda db: db.update(),
    "clear": lambda db: db.clear(),
    "flush": lambda db: db.flush(),
    "compact": lambda db: db.compact(),
    "checkpoint": lambda db: db.checkpoint("nowhere"),
}
OTHERS: dict[str, Callable[[Database], object]] = {
    "batch": lambda db: db.batch(),
    "transaction": lambda db: db.transaction(),
    "sync": lambda db: db.sync(),
}
AFTER_CLOSE = ("close", "__exit__", "clock", "__init__", "__repr__", "__hash__", "__reduce__")


@pytest.mark.parametrize("call", [*READS.values(), *WRITES.values(), *OTHERS.values()])
def test_every_method_after_close_is_a_closed_error(
    tmp_path: Path, call: Callable[[Database], object]
) -> None:
    db = opened(tmp_path)
    db["k"] = 1
    db.close()
    db.close()
    with pytest.raises(ClosedError, match="the database has been closed"):
        call(db)


def test_no_method_is_forgotten_above() -> None:
    named = {name.split()[0] for name in [*READS, *WRITES, *OTHERS]}
    public = {
        name
        for name, _ in inspect.getmembers(Database)
        if not name.startswith("_") or (name in vars(dict) and name not in vars(object))
    }
    public -= {"__class_getitem__", "__or__", "__ror__", "__sizeof__", "fromkeys", "copy"}
    assert public - named - set(AFTER_CLOSE) == set()


def test_views_and_blocks_made_before_close_are_closed_with_it(tmp_path: Path) -> None:
    db = opened(tmp_path)
    db["k"] = 1
    keys, batch = db.keys(), db.batch()
    batch.put("x", 1)
    db.close()
    with pytest.raises(ClosedError):
        list(keys)
    with pytest.raises(ClosedError), batch:
        pass


def test_what_open_gives_has_names_for_annotations(tmp_path: Path) -> None:
    with opened(tmp_path) as db, db.snapshot() as seen, db.transaction() as t:
        assert isinstance(db, kveik.Database)
        assert isinstance(seen, kveik.Snapshot)
        assert isinstance(t, kveik.Transaction)
    assert set(kveik.__all__) >= {"Batch", "Conflict", "Snapshot", "Transaction", "open"}


# --- a batch block ------------------------------------------------------------------------------


def test_a_batch_block_is_written_at_its_end_and_not_if_it_raises(tmp_path: Path) -> None:
    with opened(tmp_path) as db:
        db.update({"a": 1, "b": 2, "c": 3})
        with db.batch() as batch:
            batch.put("new", 1)
            batch.delete_range("a", "c")
            batch.put("b", 4)
            batch.delete("c")
            assert len(batch) == 4
            assert db == {"a": 1, "b": 2, "c": 3}
        assert db == {"b": 4, "new": 1}

        def fail() -> None:
            with db.batch() as batch:
                batch.put("more", 1)
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        assert "more" not in db


# --- forks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [*READS.values(), *WRITES.values()])
def test_in_a_forked_process_every_method_says_so(
    tmp_path: Path, call: Callable[[Database], object]
) -> None:
    with opened(tmp_path) as db:
        db["k"] = 1
        view = db.keys()

        def try_it() -> str:
            list(view)
            return str(call(db))

        said = in_child(try_it)
        assert said.startswith("UseError: the database was opened before a fork")
        assert db == {"k": 1}


def test_a_fork_leaves_the_parent_s_database_snapshots_and_lock_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as db:
        expected = layered(db, 3000)
        with db.snapshot() as seen:
            rows = db.range()
            first = next(rows)

            def close_everything() -> str:
                seen.close()
                db.close()
                try:
                    kveik.open(tmp_path)
                except LockedError as error:
                    return str(error)
                return "opened"

            assert "already open" in in_child(close_everything)
            assert dict([first, *rows]) == expected
            assert seen == expected
        db["after"] = 1
        db.flush()
    with opened(tmp_path) as db:
        assert db["after"] == 1


def test_a_child_opens_a_database_of_its_own(tmp_path: Path) -> None:
    with opened(tmp_path / "one") as db:
        db["k"] = "parent's"

        def work() -> str:
            with opened(tmp_path / "two") as mine:
                fill(mine, 0, 2000)
                mine.flush()
                mine.compact()
                return f"{len(mine)} {mine.stats()['flushes']}"

        assert in_child(work) == "2000 1"
        assert db["k"] == "parent's"


# --- read-only ----------------------------------------------------------------------------------


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, dict[object, bytes]]:
    with opened(tmp_path / "db") as db:
        return tmp_path / "db", layered(db, 3000)


def test_read_only_reads_tables_and_log_and_changes_nothing(
    filled: tuple[Path, dict[object, bytes]],
) -> None:
    path, expected = filled
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir() if file.name != "LOCK"}
    with kveik.open(path, read_only=True) as db:
        assert db == expected
        assert db[("k", 5)] == expected["k", 5]
        assert list(reversed(db)) == list(expected)[::-1]
        assert db.stats()["levels"][1]["tables"] > 0
        with kveik.open(path, read_only=True) as other:
            assert other == expected
        with pytest.raises(LockedError):
            kveik.open(path)
    after = {file.name: file.stat().st_mtime_ns for file in path.iterdir() if file.name != "LOCK"}
    assert before == after


@pytest.mark.parametrize("call", WRITES.values())
def test_read_only_refuses_every_write_and_says_why(
    filled: tuple[Path, dict[object, bytes]], call: Callable[[Database], object]
) -> None:
    path, expected = filled
    with kveik.open(path, read_only=True) as db:
        with pytest.raises(ReadOnlyError, match="the database was opened read-only"):
            call(db)
        assert len(db) == len(expected)


def test_read_only_transactions_read_and_do_not_write(
    filled: tuple[Path, dict[object, bytes]],
) -> None:
    path, expected = filled
    with kveik.open(path, read_only=True) as db:
        with db.transaction() as t:
            assert t[("k", 5)] == expected["k", 5]
        t = db.transaction()
        t["x"] = 1
        with pytest.raises(ReadOnlyError):
            t.commit()


def test_read_only_needs_a_database(tmp_path: Path) -> None:
    with pytest.raises(KveikError, match="does not exist"):
        kveik.open(tmp_path / "missing", read_only=True)
    with pytest.raises(NotKveikError):
        kveik.open(tmp_path, read_only=True)


# --- upkeep by hand -----------------------------------------------------------------------------


def test_flush_makes_tables_of_what_was_written_and_does_not_wait_for_what_comes_meanwhile(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as db:
        stop = threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                db[number] = number

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for turn in range(5):
                db["turn"] = turn
                lsn = db.stats()["last_lsn"]
                db.flush()
                assert db.stats()["flushed_lsn"] >= lsn
        finally:
            stop.set()
            writer.join(20)


def test_several_threads_compact_at_once_and_all_return(tmp_path: Path) -> None:
    with opened(tmp_path) as db:
        layered(db, 3000)
        done: list[int] = []

        def compact(part: int) -> None:
            db.compact(("k", part * 500), ("k", part * 500 + 500))
            done.append(part)

        threads = [threading.Thread(target=compact, args=(part,)) for part in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(done) == list(range(6))
        assert db.stats()["levels"][0]["tables"] == 0


@pytest.mark.parametrize("call", [Database.flush, Database.compact])
def test_closing_ends_who_waits_for_upkeep(
    tmp_path: Path, call: Callable[[Database], None]
) -> None:
    for turn in range(5):
        db = opened(tmp_path / str(turn))
        fill(db, 0, 5000)
        ended: list[str] = []

        def wait(db: Database = db, ended: list[str] = ended) -> None:
            try:
                while True:
                    db["k"] = 1
                    call(db)
            except ClosedError as error:
                ended.append(str(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        db.close()
        waiting.join(30)
        assert ended == ["the database has been closed"]


def test_sync_makes_everything_durable_at_every_durability(tmp_path: Path) -> None:
    for durability in ("always", "interval", "none"):
        with opened(tmp_path / durability, durability) as db:
            db["k"] = 1
            db.sync()
            assert db.stats()["synced_lsn"] == db.stats()["last_lsn"]


def test_deleted_values_leave_the_disk_with_a_compaction(tmp_path: Path) -> None:
    with opened(tmp_path) as db:
        fill(db, 0, 5000)
        db.compact()
        assert sum(level["entries"] for level in db.stats()["levels"]) == 5000
        db.delete_range(("k", 100))
        db.compact()
        assert sum(level["entries"] for level in db.stats()["levels"]) == 100
        assert len(db) == 100


def test_a_relative_path_is_that_of_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with kveik.open(Path("here")) as db:
        assert str(tmp_path / "here") in repr(db)
    assert os.path.isdir(tmp_path / "here")
