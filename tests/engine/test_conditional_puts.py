"""Compare-and-set: put with if_equal and if_absent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.support.embedded import opened, store_of

from kveik.engine.database import Database
from kveik.errors import ReadOnlyError


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as db:
        yield db


def test_if_absent_writes_only_where_there_is_no_value(db: Database) -> None:
    assert db.put("k", 1, if_absent=True) is True
    assert db.put("k", 2, if_absent=True) is False
    assert db["k"] == 1
    db.delete("k")
    assert db.put("k", 3, if_absent=True) is True


def test_an_expired_value_is_absent(db: Database) -> None:
    db.put("k", 1, ttl=0.0001)
    assert db.put("k", 2, if_absent=True)
    assert db["k"] == 2


@pytest.mark.parametrize("value", [b"x", "x", 1, None, [1, 2], {"a": 1, "b": [None]}], ids=repr)
def test_if_equal_writes_only_over_an_equal_value(db: Database, value: object) -> None:
    assert db.put("k", "new", if_equal=value) is False
    assert "k" not in db
    db["k"] = value
    assert db.put("k", "other", if_equal="something else") is False
    assert db["k"] == value
    assert db.put("k", "new", if_equal=value) is True
    assert db["k"] == "new"


def test_if_equal_takes_a_value_as_it_would_come_back(db: Database) -> None:
    db["k"] = (1, {2: 3})
    assert db.put("k", "new", if_equal=(1, {2: 3}))
    db["k"] = {"a": 1, "b": 2}
    assert db.put("k", "new", if_equal={"b": 2, "a": 1})
    db["k"] = b"1"
    assert not db.put("k", "new", if_equal="1")


def test_both_conditions_at_once_are_a_type_error(db: Database) -> None:
    with pytest.raises(TypeError, match="if_equal and if_absent exclude each other"):
        db.put("k", 1, if_equal=2, if_absent=True)


def test_a_condition_that_no_value_can_meet_is_refused(db: Database) -> None:
    with pytest.raises(TypeError):
        db.put("k", 1, if_equal={1})


def test_it_also_sees_what_is_in_tables(db: Database) -> None:
    db["k"] = 1
    db.flush()
    store_of(db).view.version.levels[0][0].root = None  # it has to be loaded, without the lock
    assert not db.put("k", 2, if_absent=True)
    assert db.put("k", 2, if_equal=1)
    assert db["k"] == 2


def test_a_read_only_database_refuses_it_whatever_the_value(tmp_path: Path) -> None:
    with opened(tmp_path / "db") as db:
        db["k"] = 1
    import kveik

    with kveik.open(tmp_path / "db", read_only=True) as db:
        with pytest.raises(ReadOnlyError):
            db.put("k", 2, if_absent=True)
        with pytest.raises(ReadOnlyError):
            db.put("k", 2, if_equal=5)


@pytest.mark.parametrize("durability", ["always", "none"])
def test_of_many_threads_that_count_no_step_is_lost(tmp_path: Path, durability: str) -> None:
    """With flushes between, so that some look into tables and give the lock away for it."""
    with opened(tmp_path, durability) as db:
        db["n"] = 0
        wins = [0] * 4

        def count(place: int) -> None:
            for _ in range(50):
                while True:
                    seen = db["n"]
                    if db.put("n", seen + 1, if_equal=seen):
                        wins[place] += 1
                        break

        threads = [threading.Thread(target=count, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            db.flush()
        for thread in threads:
            thread.join(60)
        assert wins == [50] * 4
        assert db["n"] == 200


def test_of_many_threads_that_claim_a_key_one_gets_it(tmp_path: Path) -> None:
    with opened(tmp_path) as db:
        won: list[int] = []
        start = threading.Barrier(6)

        def claim(me: int) -> None:
            start.wait()
            won.extend(key for key in range(100) if db.put(key, me, if_absent=True))

        threads = [threading.Thread(target=claim, args=(me,)) for me in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(won) == list(range(100))
