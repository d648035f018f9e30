"""The memtable is a dict with an order, range tombstones and a count of what is live."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.engine.memtable import MAX_CLEARS, PAGE, Memtable
from kveik.limits import DATABASES
from kveik.model import BYTES, DELETED, Cell, Writes

NOW = 1000  # Unix milliseconds
BEFORE, LATER = NOW - 1, NOW + 1

# (kind of write, database, key, expiry); several make a commit
kinds = st.sampled_from(["put", "put", "put", "delete", "clear"])
expiries = st.sampled_from([0, 0, BEFORE, NOW, LATER])
keys = st.sampled_from([b"", b"a", b"b", b"ab", b"c", b"\xff"])  # few, so that they meet again
entries = st.tuples(kinds, st.integers(0, 2), keys, expiries)
commits = st.lists(st.lists(entries, min_size=1, max_size=5), max_size=25)
Entry = tuple[str, int, bytes, int]
Model = dict[bytes, tuple[bytes, int, int]]  # stored key -> (data, expires, lsn)


def writes_of(commit: list[Entry], data: bytes = b"") -> Writes:
    writes = Writes()
    for kind, database, key, expires in commit:
        stored = bytes((database,)) + key
        if kind == "put":
            writes.put(stored, Cell(BYTES, data, expires))
        elif kind == "delete":
            writes.delete(stored)
        else:
            writes.clear(bytes((database,)), bytes((database + 1,)))
    return writes


def apply_to_model(model: Model, commit: list[Entry], data: bytes, lsn: int) -> None:
    for kind, database, key, expires in commit:
        prefix = bytes((database,))
        if kind == "put":
            model[prefix + key] = (data, expires, lsn)
        elif kind == "delete":
            model.pop(prefix + key, None)
        else:
            for stored in [stored for stored in model if stored[:1] == prefix]:
                del model[stored]


def played(history: list[list[Entry]], safe: int = 0) -> tuple[Memtable, Model]:
    """Both after the history, of which the first `safe` commits have been synced."""
    table, model = Memtable(), Model()
    for number, commit in enumerate(history):
        data = b"%d" % number
        table.apply(writes_of(commit, data), number + 1, min(safe, number))
        table.settle(min(safe, number + 1))
        apply_to_model(model, commit, data, number + 1)
    return table, model


def recovered(history: list[list[Entry]]) -> tuple[Memtable, Model]:
    """Both after a recovery, in which nobody waits for anything."""
    table, model = Memtable(), Model()
    for number, commit in enumerate(history):
        data = b"%d" % number
        table.apply(writes_of(commit, data), number + 1, number + 1)
        apply_to_model(model, commit, data, number + 1)
    return table, model


def live(model: Model, start: bytes, stop: bytes) -> list[bytes]:
    alive = (key for key, (_, expires, _) in model.items() if expires == 0 or expires > NOW)
    return sorted(key for key in alive if start <= key < stop)


@given(commits, st.integers(0, 25), st.binary(max_size=3), st.binary(max_size=3), st.data())
@settings(max_examples=200, deadline=None)
def test_a_scan_finds_what_a_sorted_dict_holds(
    history: list[list[Entry]], safe: int, start: bytes, stop: bytes, data: st.DataObject
) -> None:
    reverse, limit = data.draw(st.booleans()), data.draw(st.integers(-1, 9))
    for table, model in (played(history, safe), recovered(history)):
        for _ in range(2):  # a reading may change how values are kept
            rows = table.scan(start, stop, reverse, limit, NOW)
            expected = live(model, start, stop)
            if reverse:
                expected.reverse()
            assert rows.keys == (expected if limit < 0 else expected[:limit])
            assert [(c.data, c.expires) for c in rows.cells] == [model[k][:2] for k in rows.keys]


@given(commits, st.integers(0, 25))
@settings(max_examples=150, deadline=None)
def test_a_get_finds_the_newest_version_and_a_count_what_has_a_value(
    history: list[list[Entry]], safe: int
) -> None:
    table, model = played(history, safe)
    for _ in range(2):
        for commit in history:
            for _, database, key, _ in commit:
                check_get(table, model, bytes((database,)) + key)
        for database in range(DATABASES):
            assert table.live(database) == sum(key[0] == database for key in model)


def check_get(table: Memtable, model: Model, stored: bytes) -> None:
    cell = table.get(stored)
    if stored in model:
        assert cell is not None
        assert (cell.kind, cell.data, cell.expires) == (BYTES, *model[stored][:2])
    else:
        assert cell is None or cell.kind == DELETED


def known(lsn: int, safe: int) -> tuple[int, ...]:
    """What may be told of a commit: once it is safe, nobody need know which it was."""
    return (lsn, 0) if lsn <= safe else (lsn,)


@given(commits, st.integers(0, 25), keys)
@settings(max_examples=200, deadline=None)
def test_the_commit_that_last_touched_a_key_is_known_until_it_is_safe_also_when_it_deleted_it(
    history: list[list[Entry]], safe: int, key: bytes
) -> None:
    """A reader that is told "nothing there" must know which commit to wait for."""
    table, _ = played(history, safe)
    stored = b"\x01" + key
    touched = 0
    for number, commit in enumerate(history):
        for kind, database, written, _ in commit:
            if database == 1 and (kind == "clear" or written == key):
                touched = number + 1
    for _ in range(2):
        cell = table.get(stored)
        found = table.cleared_at(stored) if cell is None else cell.lsn
        assert found in known(touched, safe)


@given(commits, st.integers(0, 25), st.binary(max_size=2), st.binary(max_size=2))
@settings(max_examples=200, deadline=None)
def test_a_scan_has_seen_every_commit_that_touched_its_range_and_is_not_yet_safe(
    history: list[list[Entry]], safe: int, start: bytes, stop: bytes
) -> None:
    table, _ = played(history, safe)
    low, high = b"\x01" + min(start, stop), b"\x01" + max(start, stop) + b"\x00"
    touched = 0
    for number, commit in enumerate(history):
        for kind, database, key, _ in commit:
            if database == 1 and (kind == "clear" or low <= b"\x01" + key < high):
                touched = number + 1
    for _ in range(2):
        seen = table.scan(low, high, False, -1, NOW).seen
        assert seen == touched or max(seen, touched) <= safe


def test_a_scan_of_more_than_a_page_is_whole_both_ways_and_at_every_limit() -> None:
    table = Memtable()
    keys = [b"\x00%06d" % number for number in range(3 * PAGE)]
    table.apply(writes_of([("put", 0, key[1:], 0) for key in keys]), 1, 0)
    assert table.scan(b"\x00", b"\x01", False, -1, NOW).keys == keys
    assert table.scan(b"\x00", b"\x01", True, -1, NOW).keys == keys[::-1]
    for limit in (0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 3 * PAGE + 1):
        assert table.scan(b"\x00", b"\x01", False, limit, NOW).keys == keys[:limit]
        assert table.scan(b"\x00", b"\x01", True, limit, NOW).keys == keys[::-1][:limit]


def test_a_limit_counts_only_what_is_live() -> None:
    """A page of tombstones and of expired keys does not end a scan."""
    table = Memtable()
    keys = [b"%06d" % number for number in range(3 * PAGE)]
    table.apply(writes_of([("put", 0, key, 0) for key in keys]), 1, 0)
    table.apply(writes_of([("delete", 0, key, 0) for key in keys[: PAGE + 5]]), 2, 0)
    table.apply(writes_of([("put", 0, key, BEFORE) for key in keys[PAGE + 5 : 2 * PAGE]]), 3, 0)
    rows = table.scan(b"\x00", b"\x01", False, 2, NOW)
    assert rows.keys == [b"\x00" + key for key in keys[2 * PAGE : 2 * PAGE + 2]]
    assert rows.seen == 3


def test_many_clears_of_small_ranges_keep_every_one_that_is_not_yet_safe() -> None:
    table = Memtable()
    waiting = 20
    for number in range(5 * MAX_CLEARS):
        writes = Writes()
        writes.clear(b"\x00%06d" % number, b"\x00%06d" % (number + 1))
        table.apply(writes, number + 1, max(number - waiting, 0))
        for unsafe in range(max(number - waiting, 0), number + 1):
            assert table.cleared_at(b"\x00%06d" % unsafe) == unsafe + 1
    assert table.cleared_at(b"\x00%06d" % 0) == 0  # safe for long, and forgotten


def test_a_cell_once_in_is_never_changed_by_a_later_write() -> None:
    """Whoever holds it reads one instant."""
    table = Memtable()
    table.apply(writes_of([("put", 0, b"a", 0)], b"old"), 1, 0)
    held = table.get(b"\x00a")
    table.apply(writes_of([("put", 0, b"a", LATER)], b"new"), 2, 0)
    table.apply(writes_of([("clear", 0, b"", 0)]), 3, 0)
    assert held is not None
    assert (held.data, held.expires, held.lsn) == (b"old", 0, 1)


def test_databases_lie_apart() -> None:
    table = Memtable()
    for database in range(DATABASES):
        table.apply(writes_of([("put", database, b"k", 0)], b"%d" % database), database + 1, 0)
    table.apply(writes_of([("clear", 3, b"", 0)]), 100, 0)
    assert [table.live(database) for database in range(DATABASES)] == [
        database != 3 for database in range(DATABASES)
    ]
    assert table.scan(b"\x03", b"\x04", False, -1, NOW).keys == []
    assert table.scan(b"\x04", b"\x05", False, -1, NOW).keys == [b"\x04k"]
