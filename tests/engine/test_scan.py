"""Scans of all that a view holds: memtables, tables, clears, and a transaction's own writes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.kept import Kept
from tests.engine.support.stores import answered, put

from kveik.disk.memory import MemoryDisk
from kveik.engine.scan import CHUNK, Rows, Scan, behind
from kveik.engine.table import Fault
from kveik.engine.transaction import Transaction
from kveik.engine.upkeep import Wanted
from kveik.model import BYTES, Cell, Writes

NOW = 1_000_000_000  # Unix milliseconds
KEYS = st.integers(0, 15).map(lambda number: b"%02d" % number)
BOUNDS = st.one_of(KEYS, st.sampled_from([b"", b"0", b"1", b"05x", b"99"]))
PUTS = st.tuples(st.just("put"), KEYS, st.sampled_from([0, 0, 0, NOW, NOW + 1]))
DELETES = st.tuples(st.just("delete"), KEYS, st.just(0))
CLEARS = st.tuples(st.just("clear"), KEYS, st.integers(0, 15))
WRITES = st.lists(st.one_of(PUTS, PUTS, DELETES, CLEARS), max_size=8)
# what each stretch of writes ends as: a memtable of its own, or a table with all before it
ENDS = st.sampled_from(["", "layer", "freeze", "table", "compact"])
HISTORIES = st.lists(st.tuples(WRITES, ENDS), max_size=6)
Step = tuple[str, bytes, int]
Model = dict[bytes, tuple[bytes, int]]  # key -> (data, commit)


def write(model: Model, writes: Writes, step: Step, data: bytes, lsn: int) -> None:
    """One step, in a model and in a transaction's writes."""
    kind, key, number = step
    if kind == "put":
        writes.put(b"\0" + key, Cell(BYTES, data, number))
        model.pop(key, None)
        if number != NOW:  # otherwise it has expired
            model[key] = (data, lsn)
    elif kind == "delete":
        writes.delete(b"\0" + key)
        model.pop(key, None)
    else:
        stop = b"%02d" % number
        writes.clear(b"\0" + key, b"\0" + max(stop, key))
        for other in [other for other in model if key <= other < stop]:
            del model[other]


def end_stretch(kept: Kept, end: str) -> None:
    store = kept.store
    if end == "layer":
        store.snapshot()
    elif end == "freeze":
        store.rotate()
    elif end in ("table", "compact"):
        kept.tables()
    if end == "compact":
        kept.upkeep.wanted = Wanted(b"\0", b"\1")
        kept.keep_up()


def played(history: list[tuple[list[Step], str]]) -> tuple[Kept, Model]:
    kept = Kept(MemoryDisk())
    model: Model = {}
    for steps, end in history:
        for step in steps:
            writes = Writes()
            lsn = kept.store.lsn() + 1
            write(model, writes, step, b"%d" % lsn, lsn)
            kept.store.commit(writes)
        end_stretch(kept, end)
    return kept, model


def rows_of(
    model: Model, low: bytes, high: bytes | None, reverse: bool
) -> list[tuple[bytes, bytes]]:
    found = [
        (key, data)
        for key, (data, _) in model.items()
        if low <= key and (high is None or key < high)
    ]
    return sorted(found, reverse=reverse)


@settings(deadline=None, max_examples=150)
@given(HISTORIES, WRITES, BOUNDS, st.one_of(st.none(), BOUNDS), st.data())
def test_a_scan_finds_what_a_sorted_dict_holds(
    history: list[tuple[list[Step], str]],
    own: list[Step],
    low: bytes,
    high: bytes | None,
    data: st.DataObject,
) -> None:
    """Whole, and up to a limit; with writes of its own on top."""
    reverse, limit = data.draw(st.booleans()), data.draw(st.integers(-1, 6))
    kept, model = played(history)
    txn = Transaction(kept.store)
    txn.begin(0)
    for step in own:
        write(model, txn.writes, step, b"own", 0)
    rows = answered(kept.store, lambda: txn.scan(low, high, reverse, limit))
    expected = rows_of(model, low, high, reverse)
    expected = expected if limit < 0 else expected[:limit]
    assert list(zip(rows.keys, [cell.data for cell in rows.cells], strict=True)) == expected


@settings(deadline=None, max_examples=100)
@given(HISTORIES, BOUNDS, st.one_of(st.none(), BOUNDS), st.booleans(), st.integers(1, 5))
def test_pages_are_the_scan_in_pieces_whatever_is_loaded_between(
    history: list[tuple[list[Step], str]],
    low: bytes,
    high: bytes | None,
    reverse: bool,
    count: int,
) -> None:
    kept, model = played(history)
    txn = Transaction(kept.store)
    txn.begin(0)
    scan = txn.scanner(low, high, reverse)
    found: list[tuple[bytes, bytes]] = []
    more = True
    while more:
        rows = Rows()
        more = turned(kept, scan, rows, count)
        assert len(rows.keys) == count or (len(rows.keys) < count and not more)
        found += zip([key[1:] for key in rows.keys], [c.data for c in rows.cells], strict=True)
    assert found == rows_of(model, low, high, reverse)


def turned(kept: Kept, scan: Scan, rows: Rows, count: int) -> bool:
    """A page, with a cache in which nothing stays from one try to the next."""
    while True:
        try:
            return scan.page(rows, count)
        except Fault as fault:
            fault.load(False)
            fault.settle(kept.store.cache)
            fault.release()


@settings(deadline=None, max_examples=100)
@given(HISTORIES, BOUNDS, BOUNDS)
def test_what_was_seen_is_never_older_than_the_newest_value_that_is_not_in_a_table(
    history: list[tuple[list[Step], str]], low: bytes, high: bytes
) -> None:
    kept, model = played(history)
    txn = Transaction(kept.store)
    txn.begin(0)
    answered(kept.store, lambda: txn.scan(low, high))
    fresh = [lsn for key, (_, lsn) in model.items() if low <= key < high]
    assert txn.seen >= max([lsn for lsn in fresh if lsn > kept.store.flushed], default=0)
    assert txn.seen <= kept.store.lsn()


@settings(deadline=None, max_examples=100)
@given(HISTORIES)
def test_a_get_finds_what_a_scan_finds(history: list[tuple[list[Step], str]]) -> None:
    kept, model = played(history)
    txn = Transaction(kept.store)
    txn.begin(0)
    for number in range(16):
        key = b"%02d" % number
        cell = answered(kept.store, lambda key=key: txn.get(key))
        assert (None if cell is None else cell.data) == model.get(key, (None, 0))[0]
        assert answered(kept.store, lambda key=key: txn.data(key)) == model.get(key, (None, 0))[0]
    count = answered(kept.store, txn.count)
    assert count == -1 or len(model) <= count <= 16  # an expired one may be counted


# --- more than a chunk --------------------------------------------------------------------------


MANY = 3 * CHUNK + 5


def spread(count: int = MANY) -> tuple[Kept, list[bytes]]:
    """Keys that take turns in two tables and two memtables."""
    kept = Kept(MemoryDisk())
    keys = [b"%06d" % number for number in range(count)]
    for part in range(4):
        for key in keys[part::4]:
            kept.write(put(key, b"v" + key))
        if part < 2:
            kept.tables()
        elif part == 2:
            kept.store.snapshot()
    return kept, keys


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [-1, 0, 1, CHUNK - 1, CHUNK, CHUNK + 1, MANY, MANY + 1])
def test_a_scan_of_several_chunks_of_several_sources_is_whole(reverse: bool, limit: int) -> None:
    kept, keys = spread()
    txn = Transaction(kept.store)
    txn.begin(0)
    rows = answered(kept.store, lambda: txn.scan(b"", None, reverse, limit))
    expected = keys[::-1] if reverse else keys
    assert rows.keys == (expected if limit < 0 else expected[:limit])


@pytest.mark.parametrize("reverse", [False, True])
def test_a_limit_counts_only_what_is_live(reverse: bool) -> None:
    """Chunks of tombstones, hidden and expired keys do not end a scan."""
    kept, keys = spread()
    txn = Transaction(kept.store)
    txn.begin(0)
    writes = Writes()
    for key in keys[2 : MANY - 2]:
        writes.delete(b"\0" + key)
    kept.store.commit(writes)
    rows = answered(kept.store, lambda: txn.scan(b"", None, reverse, 3))
    left = [*keys[:2], *keys[-2:]]
    assert rows.keys == (left[::-1] if reverse else left)[:3]
    writes = Writes()
    writes.clear(b"\0" + keys[1], b"\0" + keys[-1])
    kept.store.commit(writes)
    assert answered(kept.store, lambda: txn.scan(b"", None)).keys == [keys[0], keys[-1]]


def test_a_page_ends_where_its_values_have_enough_bytes() -> None:
    kept = Kept(MemoryDisk())
    for number in range(20):
        kept.save(put(b"%02d" % number, bytes(1000)))
    txn = Transaction(kept.store)
    txn.begin(0)
    scan = txn.scanner(b"", None)
    sizes = []
    more = True
    while more:
        rows = Rows()
        more = answered(kept.store, lambda rows=rows: scan.page(rows, -1, 3000))
        sizes.append(len(rows.keys))
    assert sum(sizes) == 20
    assert len(sizes) > 2


@given(st.lists(st.binary(max_size=1), unique=True), st.binary(max_size=1), st.data())
def test_behind_a_fence_is_the_first_key_past_it(
    keys: list[bytes], fence: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(keys)))
    for reverse in (False, True):
        ordered = sorted(keys, reverse=reverse)
        past = [key < fence if reverse else key > fence for key in ordered]
        expected = max(past.index(True) if True in past else len(keys), at)
        assert behind(ordered, at, fence, reverse) == expected
