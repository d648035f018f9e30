"""Reads through tables, with little cache and while everything moves under them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.support.embedded import VALUE, fill, layered, opened, store_of
from tests.support.tools import until

from kveik.disk.api import File
from kveik.disk.posix import PosixDisk
from kveik.engine.cache import Cached
from kveik.engine.database import Database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as db:
        yield db


def pins(db: Database) -> int:
    """Of all blocks in the cache."""
    return sum(item.pins for item in store_of(db).cache._ring if isinstance(item, Cached))


def test_every_source_is_asked_and_the_newest_is_right(db: Database) -> None:
    expected = layered(db, 5000)
    for number in range(0, 5000, 13):
        assert db.get(("k", number)) == expected.get(("k", number))
        assert (("k", number) in db) == (("k", number) in expected)
    keys = [("k", number) for number in range(-5, 5005)]
    assert db.get_many(keys) == [expected.get(key) for key in keys]
    assert db.get_many([]) == []
    assert db.get_many(["no", ("k", 1)], default=0) == [0, expected["k", 1]]


def test_get_many_of_more_than_the_cache_holds_leaves_nothing_pinned(db: Database) -> None:
    fill(db, 0, 60_000)
    db.flush()
    cache = store_of(db).cache
    keys = [("k", number) for number in range(60_000)]
    random.Random(1).shuffle(keys)
    wanted = keys[:3000]
    assert db.get_many(wanted) == [VALUE] * 3000
    assert cache.size <= cache.capacity + 100_000
    db["unpin"] = db.get("nothing")
    assert pins(db) == 0


def test_reads_of_all_kinds_leave_nothing_pinned(db: Database) -> None:
    layered(db, 20_000)
    rng = random.Random(2)
    for _ in range(200):
        db.get(("k", rng.randrange(20_000)))
        db.put(("k", rng.randrange(20_000)), b"x", if_absent=True)
        list(db.range(("k", rng.randrange(20_000)), limit=20))
    assert len(db) > 0
    with db.transaction() as t:
        t.get(("k", 1))
        list(t.range(limit=3000))
        t["x"] = 1
    db.get("nothing")
    assert pins(db) == 0


def test_reads_are_right_while_tables_come_and_go(db: Database) -> None:
    """Flushes and compactions replace the tables that readers are just loading blocks of."""
    count = 6000
    fill(db, 0, count)
    db.flush()
    stop = threading.Event()
    errors: list[BaseException] = []

    def guarded(read: object) -> None:
        rng = random.Random(3)
        assert callable(read)
        try:
            while not stop.is_set():
                read(rng)
        except BaseException as error:
            errors.append(error)

    def single(rng: random.Random) -> None:
        value = db[("k", rng.randrange(count))]
        assert value.startswith(VALUE)

    def some(rng: random.Random) -> None:
        start = rng.randrange(count)
        rows = list(db.range(("k", start), limit=50))
        assert [key for key, _ in rows] == [("k", n) for n in range(start, min(start + 50, count))]

    def all_of_them(rng: random.Random) -> None:
        assert [key for key, _ in db.range()] == [("k", number) for number in range(count)]

    def many(rng: random.Random) -> None:
        found = db.get_many([("k", rng.randrange(count)) for _ in range(100)])
        assert all(value.startswith(VALUE) for value in found)

    reads = (single, some, all_of_them, many)
    threads = [threading.Thread(target=guarded, args=(read,)) for read in reads]
    for thread in threads:
        thread.start()
    try:
        for turn in range(6):
            fill(db, 0, count, b"%d" % turn)
            db.flush()
            db.compact()
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert errors == []


def test_a_table_that_goes_while_a_block_of_it_is_loaded_is_read_to_the_end(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compaction that replaces it runs in the middle of the load."""
    fill(db, 0, 3000)
    db.flush()
    name = store_of(db).view.version.levels[0][0].name
    open_file = PosixDisk.open
    done: list[str] = []

    def opening(disk: PosixDisk, wanted: str, *, writable: bool = False) -> File:
        if wanted == name and not done:
            done.append(wanted)
            db.put(("k", 2), b"new")
            db.flush()
            db.compact()
        return open_file(disk, wanted, writable=writable)

    monkeypatch.setattr(PosixDisk, "open", opening)
    assert db[("k", 1)] == VALUE
    assert done == [name]
    assert db[("k", 2)] == b"new"
    until(lambda: name not in store_of(db).disk.names(), "the table that was replaced is gone")


def test_typed_values_come_back_from_tables_as_they_went_in(db: Database) -> None:
    values = [b"x", "x", 1, 1.5, None, True, [1], {"a": [None]}, b"", ""]
    db.update(enumerate(values))
    for _ in range(2):
        assert [db[number] for number in range(len(values))] == values
        assert list(map(type, db.values())) == list(map(type, values))
        db.flush()


def test_statistics_tell_how_much_of_the_log_was_read(tmp_path: Path) -> None:
    for expected in (range(1), range(1, 1000)):
        with opened(tmp_path / "data") as db:
            assert db.stats()["replayed_bytes"] in expected
            db["k"] = "v"


def test_statistics_tell_what_was_read_and_kept(db: Database) -> None:
    fill(db, 0, 5000)
    db.flush()
    before = db.stats()
    assert before["levels"][0]["tables"] == 1
    assert before["levels"][0]["entries"] == 5000
    assert before["flushes"] == 1
    assert before["flushed_lsn"] == before["last_lsn"]
    for _ in range(3):
        db[("k", 1)]
    after = db.stats()
    assert after["cache_misses"] - before["cache_misses"] == 1
    assert after["cache_hits"] - before["cache_hits"] == 2
    assert after["read_amplification"] >= 1.0
    db[("k", 4000)]  # a block of a partition that is there
    assert db.stats()["cache_misses"] - after["cache_misses"] == 1
    assert db.stats()["cache_hits"] == after["cache_hits"]
    db.compact()
    assert db.stats()["write_amplification"] >= 1.0
    assert 0 < db.stats()["cache_bytes"] <= db.stats()["cache_capacity"]
    assert db.stats()["debt"] < 0.5
