"""The memtable is a dict with an order, range tombstones and a count of what is live."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.engine.memtable import Memtable
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
History = list[list[Entry]]
# stored key -> (data, expires, lsn); a deleted key that had been there -> None
Model = dict[bytes, tuple[bytes, int, int] | None]


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
            model[prefix + key] = None
        else:
            for stored in [stored for stored in model if stored[:1] == prefix]:
                del model[stored]


def play(table: Memtable, history: History, first: int, safe: int) -> None:
    """Apply a part of a history whose first commit has this number; `safe` of all are synced."""
    for number, commit in enumerate(history, first):
        table.apply(writes_of(commit, b"%d" % number), number + 1, min(safe, number))
        table.settle(min(safe, number + 1))


def model_of(history: History) -> Model:
    model = Model()
    for number, commit in enumerate(history):
        apply_to_model(model, commit, b"%d" % number, number + 1)
    return model


def played(history: History, safe: int = 0) -> tuple[Memtable, Model]:
    """Both after the history, of which the first `safe` commits have been synced."""
    table = Memtable(1)
    play(table, history, 0, safe)
    return table, model_of(history)


def recovered(history: History) -> tuple[Memtable, Model]:
    """Both after a recovery, in which nobody waits for anything."""
    table = Memtable(1)
    for number, commit in enumerate(history):
        table.apply(writes_of(commit, b"%d" % number), number + 1, number + 1)
    return table, model_of(history)


def divided(history: History, safe: int, cuts: list[int]) -> tuple[Memtable, Model]:
    """Both after the history, written to several memtables that were then made one."""
    tables: list[Memtable] = []
    places = sorted({0, len(history), *[cut for cut in cuts if cut < len(history)]})
    for low, high in pairwise(places):
        tables.append(Memtable(len(tables) + 1))
        play(tables[-1], history[low:high], low, safe)
        for table in tables:
            table.settle(min(safe, high))
    while len(tables) > 1:
        newer = tables.pop()
        tables[-1].absorb(newer)
    return (tables or [Memtable(1)])[0], model_of(history)


def in_range(model: Model, start: bytes, stop: bytes) -> list[bytes]:
    return sorted(key for key in model if start <= key < stop)


@given(commits, st.integers(0, 25), st.binary(max_size=3), st.binary(max_size=3), st.data())
@settings(max_examples=200, deadline=None)
def test_pages_hold_the_keys_of_a_sorted_dict_tombstones_included(
    history: History, safe: int, start: bytes, stop: bytes, data: st.DataObject
) -> None:
    reverse, count = data.draw(st.booleans()), data.draw(st.integers(1, 9))
    cuts = data.draw(st.lists(st.integers(0, 25), max_size=3))
    for table, model in (played(history, safe), recovered(history), divided(history, safe, cuts)):
        expected = in_range(model, start, stop)
        if reverse:
            expected.reverse()
        low, high = start, stop
        found: list[bytes] = []
        while page := table.page(low, high, reverse, count):
            assert len(page) <= count
            found += page
            low, high = (low, page[-1]) if reverse else (page[-1] + b"\0", high)
        assert found == expected


@given(commits, st.integers(0, 25), st.lists(st.integers(0, 25), max_size=3))
@settings(max_examples=150, deadline=None)
def test_a_get_finds_the_newest_version_and_a_count_what_has_a_value(
    history: History, safe: int, cuts: list[int]
) -> None:
    for table, model in (played(history, safe), recovered(history), divided(history, safe, cuts)):
        assert len(table) == len(model)
        for commit in history:
            for _, database, key, _ in commit:
                check_get(table, model, bytes((database,)) + key)
        for database in range(DATABASES):
            live = sum(key[0] == database and one is not None for key, one in model.items())
            assert table.live(database) == live


def check_get(table: Memtable, model: Model, stored: bytes) -> None:
    cell = table.get(stored)
    found = table.probe(stored)
    plain = found if isinstance(found, bytes) else None
    if stored not in model:
        assert cell is None
        assert plain is None
        return
    expected = model[stored]
    assert cell is not None
    if expected is None:
        assert (cell.kind, plain) == (DELETED, None)
    else:
        assert (cell.kind, cell.data, cell.expires) == (BYTES, *expected[:2])
        assert plain in (None, cell.data)


def known(lsn: int, safe: int) -> tuple[int, ...]:
    """What may be told of a commit: once it is safe, nobody need know which it was."""
    return (lsn, 0) if lsn <= safe else (lsn,)


@given(commits, st.integers(0, 25), keys, st.lists(st.integers(0, 25), max_size=3))
@settings(max_examples=200, deadline=None)
def test_the_commit_that_last_touched_a_key_is_known_until_it_is_safe_also_when_it_deleted_it(
    history: History, safe: int, key: bytes, cuts: list[int]
) -> None:
    """A reader that is told "nothing there" must know which commit to wait for."""
    stored = b"\x01" + key
    touched = 0
    for number, commit in enumerate(history):
        for kind, database, written, _ in commit:
            if database == 1 and (kind == "clear" or written == key):
                touched = number + 1
    for table in (played(history, safe)[0], divided(history, safe, cuts)[0]):
        cell = table.get(stored)
        found = table.clears.at(stored) if cell is None else cell.lsn
        assert found in known(touched, safe)


@given(commits)
@settings(max_examples=50, deadline=None)
def test_the_last_commit_and_whether_anything_was_written_are_known(history: History) -> None:
    table, _ = played(history)
    assert table.lsn == len(history)
    assert table.empty() == (not history)


def test_a_commit_that_leaves_nothing_behind_is_in_a_memtable_all_the_same() -> None:
    """Its segment must become a table, or commits would be missing between two of them."""
    table = Memtable(1)
    writes = Writes()
    writes.clear(b"\x00a", b"\x00a")
    table.apply(writes, 1, 0)
    assert (table.empty(), table.lsn, len(table)) == (False, 1, 0)


def shown(table: Memtable, key: bytes) -> object:
    """What stands for a key: the bytes, or the commit of its cell."""
    found = table.probe(b"\x00" + key)
    return found.lsn if isinstance(found, Cell) else found


def test_a_plain_value_is_one_object_once_it_is_safe_and_others_are_not() -> None:
    table = Memtable(1)
    table.apply(writes_of([("put", 0, b"a", 0), ("put", 0, b"b", LATER)], b"v"), 1, 0)
    assert (shown(table, b"a"), shown(table, b"b")) == (1, 1)
    table.settle(1)
    assert (shown(table, b"a"), shown(table, b"b")) == (b"v", 1)
    table.put_plain(b"\x00c", b"w", 2, 1)
    assert shown(table, b"c") == 2
    table.settle(2)
    table.put_plain(b"\x00d", b"x", 3, 3)
    assert (shown(table, b"c"), shown(table, b"d")) == (b"w", b"x")
    table.put_plain(b"\x00c", b"y", 4, 3)
    assert shown(table, b"c") == 4
    assert shown(table, b"none") is None


def test_a_memtable_has_room_for_more_segments_while_little_of_them_is_left() -> None:
    table = Memtable(1)
    assert table.has_room(1000)
    table.put_plain(b"\x00a", b"v", 1, 1)
    table.logged += 400
    assert table.has_room(1000)  # its segment ended early
    table.put_plain(b"\x00b", b"v", 2, 2)
    table.logged += 500
    assert not table.has_room(1000)  # each byte of it is needed
    table.put_plain(b"\x00b", b"v", 3, 3)
    table.put_plain(b"\x00a", b"v", 4, 4)
    assert table.has_room(1000)  # half is left
    for lsn in range(5, 50):
        table.put_plain(b"\x00a", b"v", lsn, lsn)
    for _ in range(2):
        table.logged += 1000
        assert table.has_room(1000)
    table.logged += 1000
    assert not table.has_room(1000)  # opening must not take for ever


def test_a_memtable_that_takes_over_another_stands_for_its_segments() -> None:
    older, newer = Memtable(3), Memtable(5)
    older.apply(writes_of([("put", 0, b"a", 0)]), 1, 0)
    newer.apply(writes_of([("put", 0, b"b", 0)]), 2, 0)
    older.absorb(newer)
    assert (older.segment, older.last_segment, older.lsn) == (3, 5, 2)


def test_a_cell_once_in_is_never_changed_by_a_later_write() -> None:
    """Whoever holds it reads one instant."""
    table = Memtable(1)
    table.apply(writes_of([("put", 0, b"a", 0)], b"old"), 1, 0)
    held = table.get(b"\x00a")
    table.apply(writes_of([("put", 0, b"a", LATER)], b"new"), 2, 0)
    table.apply(writes_of([("clear", 0, b"", 0)]), 3, 0)
    assert held is not None
    assert (held.data, held.expires, held.lsn) == (b"old", 0, 1)


def test_databases_lie_apart() -> None:
    table = Memtable(1)
    for database in range(DATABASES):
        table.apply(writes_of([("put", database, b"k", 0)], b"%d" % database), database + 1, 0)
    table.apply(writes_of([("clear", 3, b"", 0)]), 100, 0)
    assert [table.live(database) for database in range(DATABASES)] == [
        database != 3 for database in range(DATABASES)
    ]
    assert table.page(b"\x03", b"\x04", False, 10) == []
    assert table.page(b"\x04", b"\x05", False, 10) == [b"\x04k"]
