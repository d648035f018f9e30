"""A transaction shows the database at one instant with its own writes on top."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.stores import MEMORY, at_once, flush, reader, reopen

from kveik.disk.memory import MemoryDisk
from kveik.engine.opening import open_store
from kveik.engine.store import Store
from kveik.engine.transaction import Transaction
from kveik.errors import LimitError
from kveik.limits import DATABASES, MAX_KEY, MAX_VALUE
from kveik.model import BYTES, JSON, Cell

Model = dict[tuple[int, bytes], tuple[bytes, int]]  # (database, key) -> (data, expires)

NOW = 50_000  # Unix milliseconds at the start
database_numbers = st.sampled_from([0, 1, 15])
keys = st.sampled_from([b"a", b"b", b"ab", b"c", b"\x00", b"\xff"])  # few, so that they meet again
expiries = st.sampled_from([0, 0, NOW - 1, NOW, NOW + 1, NOW + 2])
steps = st.tuples(
    st.sampled_from(["put", "put", "put", "delete", "clear", "clear all", "tick"]), keys, expiries
)
transactions = st.tuples(database_numbers, st.lists(steps, max_size=6))
ranges = st.tuples(
    st.binary(max_size=2), st.none() | st.binary(max_size=2), st.booleans(), st.integers(-1, 6)
)


class Time:
    """A clock that stands still until it is told to go."""

    def __init__(self) -> None:
        self.milliseconds = NOW

    def __call__(self) -> float:
        return (self.milliseconds + 0.5) / 1000  # its product with 1000 is rounded down


def opened() -> tuple[Store, Time]:
    clock = Time()
    return open_store(MemoryDisk(), memory=MEMORY, clock=clock, spawn=at_once), clock


def model_range(
    model: Model, database: int, now: int, start: bytes, stop: bytes | None
) -> list[tuple[bytes, bytes]]:
    return sorted(
        (key, data)
        for (number, key), (data, expires) in model.items()
        if number == database and start <= key and (stop is None or key < stop)
        if expires == 0 or expires > now
    )


def do(txn: Transaction, model: Model, step: tuple[str, bytes, int], data: bytes) -> None:
    """One step on both; the transaction's clock is what it was at its first reading."""
    kind, key, expires = step
    place = (txn.database, key)
    if kind == "put":
        txn.put(key, BYTES, data, expires)
        model[place] = (data, expires)
    elif kind == "delete":
        alive = place in model and (model[place][1] == 0 or model[place][1] > txn.now())
        assert txn.delete(key) == alive
        if alive:
            del model[place]
    elif kind != "tick":
        everywhere = kind == "clear all"
        txn.clear(everywhere)
        for number, other in list(model):
            if everywhere or number == txn.database:
                del model[number, other]


def check_reads(
    txn: Transaction, model: Model, wanted: tuple[bytes, bytes | None, bool, int]
) -> None:
    start, stop, reverse, limit = wanted
    expected = model_range(model, txn.database, txn.now(), start, stop)
    if reverse:
        expected.reverse()
    if limit >= 0:
        expected = expected[:limit]
    rows = txn.scan(start, stop, reverse, limit)
    assert [(key, rows.data(at)) for at, key in enumerate(rows.keys)] == expected
    alive = dict(model_range(model, txn.database, txn.now(), b"", None))
    for key in {key for _, key in model} | {b"a"}:
        cell = txn.get(key)
        assert (None if cell is None else cell.data) == alive.get(key)


@given(st.lists(transactions, max_size=12), ranges)
@settings(max_examples=200, deadline=None)
def test_reads_are_a_dict_s_after_every_write_of_the_transaction_and_of_those_before(
    history: list[tuple[int, list[tuple[str, bytes, int]]]],
    wanted: tuple[bytes, bytes | None, bool, int],
) -> None:
    store, clock = opened()
    txn = Transaction(store)
    model: Model = {}
    for number, (database, drawn) in enumerate(history):
        txn.begin(database)
        for place, step in enumerate(drawn):
            do(txn, model, step, b"%d.%d" % (number, place))
            check_reads(txn, model, wanted)
        if txn.dirty():
            store.commit(txn.writes)
        clock.milliseconds += sum(kind == "tick" for kind, _, _ in drawn)
    for database in (0, 1, 15):
        txn.begin(database)
        check_reads(txn, model, wanted)
        assert txn.count() == sum(number == database for number, _ in model)


@given(st.lists(transactions, max_size=8), ranges)
@settings(max_examples=100, deadline=None)
def test_what_is_not_committed_never_was(
    history: list[tuple[int, list[tuple[str, bytes, int]]]],
    wanted: tuple[bytes, bytes | None, bool, int],
) -> None:
    store, _ = opened()
    txn = Transaction(store)
    model: Model = {}
    for number, (database, drawn) in enumerate(history):
        txn.begin(database)
        tried = dict(model)
        for step in drawn:
            do(txn, tried, step, b"%d" % number)
        if number % 2 and txn.dirty():
            store.commit(txn.writes)
            model = tried
        check_reads(reader(store, database), model, wanted)
        txn.begin(database)
        check_reads(txn, model, wanted)


def test_a_value_comes_back_with_its_type_and_expiry_also_after_recovery() -> None:
    disk = MemoryDisk()
    store = reopen(disk)
    txn = reader(store)
    txn.put(b"k", JSON, b"[1]", 10**12)
    store.commit(txn.writes)
    store.close()
    for cell in (txn.get(b"k"), reader(reopen(disk, read_only=True)).get(b"k")):
        assert cell is not None
        assert (cell.kind, cell.data, cell.expires) == (JSON, b"[1]", 10**12)


def test_a_key_expires_at_its_millisecond_and_for_get_and_scan_alike() -> None:
    store, clock = opened()
    txn = reader(store)
    txn.put(b"k", BYTES, b"v", NOW + 5)
    store.commit(txn.writes)
    for milliseconds, alive in ((0, True), (4, True), (5, False), (6, False)):
        clock.milliseconds = NOW + milliseconds
        txn.begin(0)
        assert (txn.get(b"k") is not None) == alive
        assert txn.scan(b"", None).keys == ([b"k"] if alive else [])
        assert txn.delete(b"k") == alive


def test_time_stands_still_within_a_transaction() -> None:
    store, clock = opened()
    txn = reader(store)
    txn.put(b"k", BYTES, b"v", NOW + 5)
    store.commit(txn.writes)
    txn.begin(0)
    assert txn.now() == NOW
    clock.milliseconds = NOW + 10
    assert txn.now() == NOW
    assert txn.get(b"k") is not None
    assert txn.scan(b"", None).keys == [b"k"]
    txn.begin(0)
    assert txn.get(b"k") is None


def test_a_key_written_over_without_expiry_lives_on() -> None:
    store, clock = opened()
    for expires in (NOW + 1, 0):
        txn = reader(store)
        txn.put(b"k", BYTES, b"v", expires)
        store.commit(txn.writes)
    clock.milliseconds = NOW + 100
    assert reader(store).get(b"k") is not None


def test_own_expired_writes_are_absent_at_once() -> None:
    store, _ = opened()
    txn = reader(store)
    txn.put(b"k", BYTES, b"v", NOW)
    assert txn.get(b"k") is None
    assert txn.scan(b"", None).keys == []
    assert not txn.delete(b"k")


def seen_by(store: Store, read: Callable[[Transaction], object]) -> int:
    txn = reader(store)
    read(txn)
    return txn.seen


def test_what_was_seen_is_the_newest_commit_that_an_answer_shows() -> None:
    """The gate holds a reply back until this commit is safe, and no longer."""
    store, _ = opened()
    for number in range(1, 6):
        txn = reader(store)
        txn.put(b"%d" % number, BYTES, b"v")
        store.commit(txn.writes)
    txn = reader(store)
    txn.delete(b"2")
    store.commit(txn.writes)
    assert seen_by(store, lambda txn: txn.get(b"3")) == 3
    assert seen_by(store, lambda txn: txn.get(b"2")) == 6  # that it is gone
    assert seen_by(store, lambda txn: txn.get(b"never")) == 0
    assert seen_by(store, lambda txn: txn.scan(b"4", None)) == 5
    assert seen_by(store, lambda txn: txn.scan(b"1", b"3")) == 6
    assert seen_by(store, lambda txn: txn.scan(b"1", None, False, 1)) == 1
    assert seen_by(store, lambda txn: txn.count()) == 6


def test_after_a_clear_even_a_key_that_is_not_there_was_seen() -> None:
    store, _ = opened()
    txn = reader(store, 1)
    txn.put(b"k", BYTES, b"v")
    store.commit(txn.writes)
    txn = reader(store, 1)
    txn.clear(False)
    lsn = store.commit(txn.writes)
    txn = reader(store, 1)
    assert txn.get(b"k") is None
    assert txn.seen == lsn
    txn = reader(store, 1)
    assert txn.scan(b"", None).keys == []
    assert txn.seen == lsn
    txn = reader(store, 2)
    assert txn.get(b"k") is None
    assert txn.seen == 0


def test_a_limit_counts_what_own_writes_leave() -> None:
    """Own deletes do not use the limit up, and own keys take their places in the order."""
    store, _ = opened()
    txn = reader(store)
    for key in (b"a", b"b", b"d", b"e"):
        txn.put(key, BYTES, b"v")
    store.commit(txn.writes)
    txn = reader(store)
    txn.delete(b"a")
    txn.put(b"c", BYTES, b"v")
    txn.delete(b"e")
    for limit in range(4):
        assert txn.scan(b"", None, False, limit).keys == [b"b", b"c", b"d"][:limit]
        assert txn.scan(b"", None, True, limit).keys == [b"d", b"c", b"b"][:limit]
    txn.clear(False)
    txn.put(b"z", BYTES, b"v")
    assert txn.scan(b"", None, False, 1).keys == [b"z"]


def test_deleting_what_is_not_there_writes_nothing() -> None:
    store, _ = opened()
    txn = reader(store)
    assert not txn.delete(b"k")
    assert not txn.dirty()
    assert store.lsn() == 0


@pytest.mark.parametrize("size", [0, MAX_KEY + 1])
def test_a_key_past_its_bounds_is_refused_and_nothing_written(size: int) -> None:
    store, _ = opened()
    txn = reader(store)
    with pytest.raises(LimitError, match=str(size)):
        txn.put(bytes(size), BYTES, b"v")
    assert not txn.dirty()


def test_the_longest_key_is_a_key() -> None:
    store, _ = opened()
    txn = reader(store)
    txn.put(b"k" * MAX_KEY, BYTES, b"v")
    store.commit(txn.writes)
    flush(store)
    assert reader(store).get(b"k" * MAX_KEY) is not None


def test_a_value_past_its_bound_is_refused_and_nothing_written() -> None:
    store, _ = opened()
    txn = reader(store)
    with pytest.raises(LimitError, match=str(MAX_VALUE + 1)):
        txn.put(b"k", BYTES, bytes(MAX_VALUE + 1))
    assert not txn.dirty()


def test_clearing_one_database_leaves_the_others_and_clearing_all_leaves_none() -> None:
    store, _ = opened()
    for database in range(DATABASES):
        txn = reader(store, database)
        txn.put(b"k", BYTES, b"v")
        store.commit(txn.writes)
    txn = reader(store, DATABASES - 1)
    txn.clear(False)
    store.commit(txn.writes)
    counts = [reader(store, database).count() for database in range(DATABASES)]
    assert counts == [1] * (DATABASES - 1) + [0]
    txn = reader(store, 3)
    txn.clear(True)
    store.commit(txn.writes)
    assert [reader(store, database).count() for database in range(DATABASES)] == [0] * DATABASES


def test_a_transaction_used_again_keeps_nothing_of_the_one_before() -> None:
    store, _ = opened()
    txn = Transaction(store)
    for round_ in range(3):
        txn.begin(0)
        for number in range(20):  # more writes than a transaction keeps places for
            txn.put(b"%d" % number, BYTES, b"v")
        assert len(txn.scan(b"", None).keys) == 20
        txn.begin(round_)
        assert not txn.dirty()
        assert txn.scan(b"", None).keys == []
        txn.put(b"other", BYTES, b"v")
        assert txn.scan(b"", None).keys == [b"other"]
    assert store.lsn() == 0


def test_a_committed_cell_carries_its_commit() -> None:
    store, _ = opened()
    txn = reader(store)
    txn.put(b"a", BYTES, b"v")
    txn.put(b"b", BYTES, b"v")
    lsn = store.commit(txn.writes)
    cells: list[Cell | None] = [reader(store).get(key) for key in (b"a", b"b")]
    assert [cell.lsn for cell in cells if cell is not None] == [lsn, lsn]
