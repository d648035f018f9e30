"""Single keys, found in whatever a view holds; and the values that a server keeps beside it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.kept import Kept, small_shape
from tests.engine.support.stores import Contents, answered, clear, delete, put, reader, value

from kveik.disk.memory import MemoryDisk
from kveik.engine.rows import ENTRY, LAYERS, RowCache
from kveik.engine.upkeep import Wanted
from kveik.model import BYTES, DELETED, JSON, Cell, Writes

NOW = 1_000_000_000  # Unix milliseconds
KEYS = st.integers(0, 9).map(lambda number: b"%d" % number)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 600)),
        st.tuples(st.just("plain"), KEYS, st.integers(0, 600)),
        st.tuples(st.just("get"), KEYS, st.just(0)),
        st.tuples(st.just("get"), KEYS, st.just(0)),
        st.tuples(st.just("delete"), KEYS, st.just(0)),
        st.tuples(st.just("clear"), KEYS, st.just(0)),
        st.tuples(st.just("snapshot"), KEYS, st.just(0)),
        st.tuples(st.just("table"), KEYS, st.just(0)),
        st.tuples(st.just("compact"), KEYS, st.just(0)),
    ),
    max_size=60,
)
ROWS = st.sampled_from([0, 2000, 20_000, 1 << 20])  # bytes


def keeping(rows: int) -> Kept:
    """A store that keeps so many bytes of single values."""
    shape = small_shape()
    shape.rows_size = rows
    kept = Kept(MemoryDisk(), shape=shape)
    kept.store.keep_rows()
    return kept


def got(kept: Kept, key: bytes) -> bytes | None:
    txn = reader(kept.store)
    cell = answered(kept.store, lambda: txn.get(key))
    return None if cell is None else cell.data


def check_plain(kept: Kept, key: bytes, expected: bytes | None) -> None:
    """The short way says what the long one does, or nothing."""
    found = kept.store.view.plain(b"\0" + key)
    if found is not None or kept.store.view.absent:
        assert found == expected


@settings(deadline=None, max_examples=150)
@given(STEPS, ROWS)
def test_a_key_has_the_value_it_was_last_given_wherever_that_is(
    steps: list[tuple[str, bytes, int]], rows: int
) -> None:
    kept = keeping(rows)
    model: Contents = {}
    for number, (kind, key, size) in enumerate(steps):
        data = value(size, number)
        if kind == "put":
            kept.save(put(key, data))
            model[key] = data
        elif kind == "plain":
            kept.store.put_plain(b"\0" + key, data)
            model[key] = data
        elif kind == "delete":
            kept.save(delete(key))
            model.pop(key, None)
        elif kind == "clear":
            kept.save(clear())
            model.clear()
        elif kind == "snapshot":
            kept.store.snapshot().let_go()
        elif kind == "table":
            kept.tables()
        elif kind == "compact":
            kept.upkeep.wanted = Wanted(b"\0", b"\1")
            kept.keep_up()
        check_plain(kept, key, model.get(key))
        assert got(kept, key) == model.get(key)
        check_plain(kept, key, model.get(key))
    for number in range(10):
        assert got(kept, b"%d" % number) == model.get(b"%d" % number)


def test_a_value_read_from_a_table_is_then_found_without_it() -> None:
    kept = keeping(20_000)
    kept.write(put(b"a", b"1"))
    kept.tables()
    kept.store.keep_rows()  # empty again
    assert kept.store.view.plain(b"\0a") is None
    assert got(kept, b"a") == b"1"
    searches = kept.store.hit.searches
    assert kept.store.view.plain(b"\0a") == b"1"
    assert got(kept, b"a") == b"1"
    assert kept.store.hit.searches == searches


def test_what_was_flushed_is_still_found_in_memory() -> None:
    kept = keeping(20_000)
    kept.write(put(b"a", b"1"))
    kept.tables()
    assert kept.store.view.plain(b"\0a") == b"1"
    assert kept.store.hit.searches == 0


def test_a_snapshot_does_not_look_at_values_that_are_kept() -> None:
    kept = keeping(20_000)
    kept.write(put(b"a", b"old"))
    kept.tables()
    snapshot = kept.store.snapshot()
    kept.write(put(b"a", b"new"))
    kept.tables()
    assert got(kept, b"a") == b"new"
    txn = reader(snapshot)
    cell = answered(kept.store, lambda: txn.get(b"a"))
    assert cell is not None
    assert cell.data == b"old"


def test_a_kept_value_expires() -> None:
    seconds = [NOW / 1000]
    kept = Kept(MemoryDisk(), clock=lambda: seconds[0])
    kept.store.keep_rows()
    writes = Writes()
    writes.put(b"\0a", Cell(BYTES, b"1", NOW + 500))
    writes.put(b"\0j", Cell(JSON, b"[]"))
    kept.store.commit(writes)
    kept.tables()
    for _ in range(2):
        assert (got(kept, b"a"), got(kept, b"j")) == (b"1", b"[]")
        assert kept.store.view.plain(b"\0a") is None
        assert kept.store.view.plain(b"\0j") is None  # its type would be lost
    seconds[0] += 1
    assert got(kept, b"a") is None


def test_a_key_is_said_to_have_no_value_only_where_that_is_sure_and_safe() -> None:
    kept = Kept(MemoryDisk())
    view = kept.store.view
    assert (view.plain(b"\0b"), view.absent) == (None, True)
    kept.write(put(b"b", b"1"))
    kept.write(delete(b"b"))
    assert (view.plain(b"\0b"), view.absent) == (None, False)  # perhaps not safe yet
    assert (view.plain(b"\0c"), view.absent) == (None, True)
    kept.write(put(b"a", b"1"), put(b"z", b"1"))
    kept.tables()
    view = kept.store.view
    assert (view.plain(b"\0b"), view.absent) == (None, False)  # nothing is in memory
    assert got(kept, b"b") is None
    assert (view.plain(b"\0b"), view.absent) == (None, True)
    assert got(kept, b"a") == b"1"
    assert got(kept, b"a") == b"1"
    assert (view.plain(b"\0a"), view.absent) == (b"1", False)
    kept.write(delete(b"a"))
    kept.tables()
    assert got(kept, b"a") is None
    view = kept.store.view
    assert (view.plain(b"\0a"), view.absent) == (None, True)
    kept.write(clear())
    assert (kept.store.view.plain(b"\0z"), kept.store.view.absent) == (None, False)


def test_a_value_that_is_not_safe_yet_is_not_found_the_short_way() -> None:
    kept = Kept(MemoryDisk())
    kept.store.put_plain(b"\0a", b"1")
    view = kept.store.view
    assert (view.plain(b"\0a"), view.absent) == (None, False)
    kept.write(put(b"b", b"2"))
    assert view.plain(b"\0a") == b"1"


# --- the values that are kept -------------------------------------------------------------------


@given(st.lists(st.tuples(KEYS, st.integers(0, 2000)), max_size=60), st.integers(0, 20_000))
def test_kept_values_have_a_bound(reads: list[tuple[bytes, int]], capacity: int) -> None:
    rows = RowCache(capacity)
    for key, size in reads:
        rows.add(key, Cell(BYTES, bytes(size)))
        kept = [layer.get(key) for layer in rows.layers for key in [b"%d" % n for n in range(10)]]
        cells = [cell for cell in kept if cell is not None]
        assert sum(ENTRY + len(cell.data) for cell in cells) <= max(capacity, 1)
        assert len(rows.layers) <= LAYERS


def test_what_is_deleted_or_too_large_is_not_kept() -> None:
    rows = RowCache(16_000)
    rows.add(b"a", Cell(DELETED, b""))
    rows.add(b"b", Cell(BYTES, bytes(1000)))
    rows.add(b"c", Cell(BYTES, bytes(500)))
    assert [rows.layers[0].get(key) is not None for key in (b"a", b"b", b"c")] == [
        False,
        False,
        True,
    ]


# --- how many keys ------------------------------------------------------------------------------


@pytest.mark.parametrize("tables", [0, 1, 3])
def test_there_are_never_more_keys_than_a_view_says(tables: int) -> None:
    kept = Kept(MemoryDisk())
    for part in range(tables + 1):
        for number in range(part, 20 + part):
            kept.write(put(b"%02d" % number, b"v"))
        if part < tables:
            kept.tables()
    there = len(kept.contents())
    assert kept.store.view.most_keys(0) >= there
    assert 0 < kept.store.view.likely_keys(0) <= kept.store.view.most_keys(0)
    assert kept.store.view.most_keys(1) == 0
