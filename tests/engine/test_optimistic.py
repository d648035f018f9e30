"""Optimistic transactions: all of it or nothing, and nothing that rests on what has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.engine.support.embedded import fill, holders, opened
from tests.support.tools import until

from kveik.engine.database import Database
from kveik.engine.optimistic import OptimisticTransaction
from kveik.errors import ClosedError, Conflict, LimitError

Txn = OptimisticTransaction


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as db:
        db.update({"a": 1, "b": 2, "c": 3})
        yield db


def later(db: Database) -> None:
    """What is written meanwhile is in memtables."""


def flushed(db: Database) -> None:
    """What is written meanwhile has become tables."""
    db.flush()


@pytest.fixture(params=[later, flushed])
def settle(request: pytest.FixtureRequest) -> Callable[[Database], None]:
    chosen: Callable[[Database], None] = request.param
    return chosen


def test_what_it_writes_is_seen_by_itself_at_once_and_by_others_at_the_end(db: Database) -> None:
    with db.transaction() as t:
        t["a"] = 10
        t.put("new", "x")
        assert t.delete("b")
        assert not t.delete("b")
        assert (t["a"], t["new"], t.get("b")) == (10, "x", None)
        assert "b" not in t
        assert list(t.range()) == [(b"a", 10), (b"c", 3), (b"new", "x")]
        assert list(t.scan("n")) == [(b"new", "x")]
        assert list(t.range(reverse=True, limit=1)) == [(b"new", "x")]
        assert db == {"a": 1, "b": 2, "c": 3}
    assert db == {"a": 10, "c": 3, "new": "x"}


def test_it_reads_one_instant(db: Database) -> None:
    with db.transaction() as t:
        assert t["a"] == 1
        db["b"] = 20
        assert t["b"] == 2
        assert list(t.range()) == [(b"a", 1), (b"b", 2), (b"c", 3)]


def test_an_exception_writes_nothing(db: Database) -> None:
    def fail() -> None:
        with db.transaction() as t:
            t["a"] = 10
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert db["a"] == 1
    assert holders(db) == 0


READS: list[Callable[[Txn], object]] = [
    lambda t: t["a"],
    lambda t: t.get("a"),
    lambda t: "a" in t,
    lambda t: t.delete("a"),
    lambda t: list(t.range()),
    lambda t: list(t.range("a", "b")),
    lambda t: list(t.range(limit=1)),
    lambda t: list(t.range(end="b", reverse=True, limit=1)),
    lambda t: list(t.scan("a")),
]
CHANGES: list[Callable[[Database], object]] = [
    lambda db: db.put("a", 9),
    lambda db: db.delete("a"),
    lambda db: db.delete_range("a", "b"),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("read", READS)
def test_a_change_of_what_was_read_is_a_conflict_and_nothing_is_written(
    db: Database,
    settle: Callable[[Database], None],
    read: Callable[[Txn], object],
    change: Callable[[Database], object],
) -> None:
    t = db.transaction()
    read(t)
    t["out"] = 1
    change(db)
    settle(db)
    with pytest.raises(Conflict, match="changed meanwhile; nothing was written"):
        t.commit()
    assert "out" not in db
    assert holders(db) == 0


def test_a_change_of_what_was_not_read_is_none(
    db: Database, settle: Callable[[Database], None]
) -> None:
    with db.transaction() as t:
        t["b"]
        list(t.range("c"))
        list(t.range(limit=1))
        t["out"] = 1
        db["ab"] = 1
        db["bb"] = 1
        settle(db)
    assert db["out"] == 1


def test_a_key_that_came_up_in_a_range_is_a_conflict(
    db: Database, settle: Callable[[Database], None]
) -> None:
    t = db.transaction()
    list(t.range("a", "b"))
    t["out"] = 1
    db["aa"] = 1
    settle(db)
    with pytest.raises(Conflict, match="a range"):
        t.commit()


def test_a_key_that_was_missing_and_came_up_is_a_conflict(
    db: Database, settle: Callable[[Database], None]
) -> None:
    t = db.transaction()
    assert t.get("out") is None
    t["out"] = 1
    db["out"] = 2
    settle(db)
    with pytest.raises(Conflict, match="key b'out'"):
        t.commit()


def test_a_limited_range_counts_as_far_as_own_deletes_let_it_look(
    db: Database, settle: Callable[[Database], None]
) -> None:
    t = db.transaction()
    t.delete("a")
    assert list(t.range("a", limit=1)) == [(b"b", 2)]
    db["b"] = 20
    settle(db)
    with pytest.raises(Conflict):
        t.commit()


def test_reading_its_own_write_is_no_read_of_what_is_there(db: Database) -> None:
    with db.transaction() as t:
        t["a"] = 10
        assert t["a"] == 10
        db["a"] = 5
    assert db["a"] == 10


def test_a_transaction_that_only_reads_never_conflicts(db: Database) -> None:
    with db.transaction() as t:
        t["a"]
        list(t.range())
        db["a"] = 5


def test_what_was_read_and_has_expired_is_a_conflict(db: Database) -> None:
    db.put("lease", "mine", ttl=0.05)
    t = db.transaction()
    assert t["lease"] == "mine"
    t["out"] = 1
    until(lambda: "lease" not in db, "the lease has run out")
    with pytest.raises(Conflict, match="expired"):
        t.commit()


def test_it_can_be_given_up_and_ends_once(db: Database) -> None:
    t = db.transaction()
    t["a"] = 10
    t.close()
    t.close()
    for call in (t.commit, lambda: t["a"], lambda: t.put("a", 1), lambda: t.range(), t.__enter__):
        with pytest.raises(ClosedError, match="the transaction has ended"):
            call()
    with pytest.raises(ClosedError, match="the transaction has ended"):
        t.delete("a")
    assert db["a"] == 1
    with db.transaction() as t:
        t["a"] = 11
        t.commit()
        with pytest.raises(ClosedError, match="the transaction has ended"):
            t["a"] = 12
    assert db["a"] == 11


def test_a_database_that_is_closed_meanwhile_is_a_closed_error(db: Database) -> None:
    t = db.transaction()
    t["a"] = 10
    db.close()
    with pytest.raises(ClosedError, match="the database has been closed"):
        t.commit()


def test_its_values_may_expire(db: Database) -> None:
    with db.transaction() as t:
        t.put("k", 1, ttl=0.05)
        with pytest.raises(LimitError):
            t.put("l", 1, ttl=0)
    until(lambda: "k" not in db, "the value has expired")


def test_a_negative_limit_is_a_limit_error(db: Database) -> None:
    with db.transaction() as t, pytest.raises(LimitError):
        t.range(limit=-1)


def test_a_range_of_many_pages_from_tables_is_read_and_checked(db: Database) -> None:
    fill(db, 0, 30_000)
    db.flush()
    with db.transaction() as t:
        assert sum(1 for _ in t.scan(("k",))) == 30_000
        t["out"] = 1
        fill(db, 40_000, 41_000)
        db.delete_range(("k", 40_000), ("k", 41_000))
        db["other"] = 1
        t._ranges = t._ranges[:0]  # it has none in the way
        list(t.scan(("k",), limit=29_999))
        db.flush()
    assert db["out"] == 1


def test_money_is_neither_made_nor_lost_by_threads_that_move_it(db: Database) -> None:
    accounts = [("account", number) for number in range(5)]
    db.put_many((account, 100) for account in accounts)
    conflicts: list[int] = []
    failed: list[BaseException] = []

    def move(seed: int) -> None:
        try:
            for step in range(40):
                source = accounts[(seed + step) % 5]
                target = accounts[(seed * 3 + step * 2 + 1) % 5]
                while source != target:
                    try:
                        with db.transaction() as t:
                            t[source] = t[source] - 1
                            t[target] = t[target] + 1
                        break
                    except Conflict:
                        conflicts.append(step)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=move, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    totals = []
    for step in range(20):
        totals.append(sum(value for _, value in db.scan(("account",))))
        if step % 5 == 0:
            db.flush()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert totals == [500] * 20
    assert sum(value for _, value in db.scan(("account",))) == 500
