"""Ranges of more than a page: complete, in order, of one instant, and in bounded memory."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.support.embedded import SMALL, fill, layered, opened
from tests.support.tools import run

from kveik.engine.database import Database
from kveik.engine.scan import CHUNK
from kveik.errors import ClosedError, LimitError, UseError
from kveik.limits import PAGE_BYTES, PAGE_ROWS, PAGE_STEPS


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as db:
        yield db


@pytest.mark.parametrize("flushed", [False, True], ids=["in memory", "in tables"])
@pytest.mark.parametrize("rows", [PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, 3 * PAGE_ROWS])
def test_no_row_is_lost_or_doubled_where_a_page_ends(
    db: Database, rows: int, flushed: bool
) -> None:
    fill(db, 0, rows)
    if flushed:
        db.flush()
    keys = [("k", number) for number in range(rows)]
    assert list(db) == keys
    assert list(reversed(db)) == keys[::-1]
    assert len(db) == rows
    for limit in (0, 1, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, rows, rows + 1):
        assert [key for key, _ in db.range(limit=limit)] == keys[:limit]
        found = [key for key, _ in db.range(limit=limit, reverse=True)]
        assert found == keys[::-1][:limit]


def test_a_range_over_tables_and_memtables_goes_both_ways_within_its_bounds(db: Database) -> None:
    expected = list(layered(db, 8000).items())
    assert list(db.range()) == expected
    assert list(db.range(reverse=True)) == expected[::-1]
    inner = [entry for entry in expected if ("k", 1500) <= entry[0] < ("k", 6500)]  # type: ignore[operator]
    assert list(db.range(("k", 1500), ("k", 6500))) == inner
    assert list(db.range(("k", 1500), ("k", 6500), reverse=True, limit=2500)) == inner[::-1][:2500]


def test_large_values_make_short_pages(db: Database) -> None:
    value = bytes(PAGE_BYTES // 3)
    db.update((number, value) for number in range(12))
    db.flush()
    rows = db.range()
    assert next(rows) == (0, value)
    assert len(rows._pages.rows.keys) < 12  # type: ignore[attr-defined]
    assert [key for key, _ in rows] == list(range(1, 12))


def test_it_shows_one_instant_however_late_it_is_read(db: Database) -> None:
    expected = layered(db, 5000)
    rows = db.range()
    first = next(rows)
    db.clear()
    db.flush()
    db.compact()
    assert [first, *rows] == list(expected.items())


@pytest.mark.parametrize("rows", [10, 5000])
def test_closing_the_database_ends_it_with_an_error_that_says_so(db: Database, rows: int) -> None:
    fill(db, 0, rows)
    reading = db.range()
    next(reading)
    db.close()
    for _ in range(2):
        with pytest.raises(ClosedError, match="the database has been closed"):
            next(reading)


def test_a_negative_limit_is_a_limit_error(db: Database) -> None:
    with pytest.raises(LimitError, match="a limit is 0 or more"):
        db.range(limit=-1)
    with pytest.raises(LimitError):
        db.scan(limit=-1)
    db["k"] = 1
    assert list(db.range(limit=10**30)) == [(b"k", 1)]


def test_an_iterator_that_two_threads_use_gives_no_row_twice(db: Database) -> None:
    fill(db, 0, 20_000)
    db.flush()
    rows = db.range()
    found: list[list[object]] = [[], []]
    refused: list[UseError] = []

    def read(place: int) -> None:
        try:
            for key, _ in rows:
                found[place].append(key)
        except UseError as error:
            refused.append(error)

    threads = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for error in refused:
        assert "used by two threads at once" in str(error)
    if len(refused) < 2:
        assert len(found[0]) + len(found[1]) <= 20_000


@pytest.mark.parametrize("flushed", [False, True], ids=["in memory", "in tables"])
def test_rows_behind_very_many_deleted_ones_are_found(db: Database, flushed: bool) -> None:
    count = CHUNK * PAGE_STEPS * 2
    db.put_many((number, b"") for number in range(count + 10))
    if flushed:
        db.flush()
    with db.batch() as batch:
        for number in range(1, count):
            batch.delete(number)
    left = [0, *range(count, count + 10)]
    assert list(db) == left
    assert list(reversed(db)) == left[::-1]
    assert [key for key, _ in db.range(1, limit=3)] == left[1:4]
    assert [key for key, _ in db.range(end=count, limit=3, reverse=True)] == [0]
    assert len(db) == 11
    assert bool(db)
    with db.transaction() as t:
        assert [key for key, _ in t.range(1, limit=1)] == [count]
    db.delete(0)
    assert db.popitem() == (count + 9, b"")


def test_prefixes_find_bytes_text_and_the_first_items_of_tuples(db: Database) -> None:
    db.update({"user:1": 1, "user:2": 2, "user;": 3, "usher": 4, b"\xff\xff": 5, b"\xff": 6})
    db.update({("user", 1): 7, ("user", 2, "x"): 8, ("user2",): 9, 5: 10})
    assert [value for _, value in db.scan("user:")] == [1, 2]
    assert [value for _, value in db.scan(prefix=b"us", reverse=True, limit=2)] == [4, 3]
    assert [value for _, value in db.scan(b"\xff")] == [6, 5]
    assert [value for _, value in db.scan(("user",))] == [7, 8]
    assert [value for _, value in db.scan(("user", 2))] == [8]
    assert len(list(db.scan())) == len(list(db.scan(""))) == 10
    with pytest.raises(TypeError, match="a prefix is bytes, str or a tuple"):
        db.scan(5)


MILLION = """
import sys, kveik
db = kveik.open(sys.argv[1], memory="8MB", durability="none")
for low in range(0, 1_000_000, 5000):
    db.put_many((number, b"v" * 20) for number in range(low, low + 5000))
db.flush()
def peak():
    return int(next(line for line in open("/proc/self/status") if "VmHWM" in line).split()[1])
rows = db.range()
next(rows)
before = peak()
found = 1 + sum(1 for _ in rows)
print(found, peak() - before)
db.close()
"""


@pytest.mark.slow
def test_the_memory_of_a_million_rows_stays_bounded(tmp_path: Path) -> None:
    """Their keys and values alone are far more than what the process may grow by."""
    found, grown = map(int, run(sys.executable, "-c", MILLION, tmp_path, timeout=170).split())
    assert found == 1_000_000
    assert grown < 25_000  # KiB: the cache of 2 MiB, pages, and what Python keeps for later


def test_the_least_memory_is_enough_for_it(db: Database) -> None:
    assert SMALL == "8MB"
    with pytest.raises(ValueError, match="memory is at least"):
        opened_with_less()


def opened_with_less() -> None:
    import kveik

    kveik.open("nowhere", memory="1MB")
