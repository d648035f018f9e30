"""Versions: the same tables for as long as somebody reads them, and not a moment longer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.drawn import drawn
from tests.engine.support.tables import Reader, build
from tests.format.infos import info

from kveik.disk.memory import MemoryDisk
from kveik.engine.cache import Cache
from kveik.engine.files import TableFiles
from kveik.engine.state import State, empty_levels
from kveik.engine.table import Table
from kveik.engine.version import Graveyard, Level, Version, first_version
from kveik.format.edit import Edit
from kveik.format.table import TableInfo, table_name

FILES = TableFiles(MemoryDisk())


def version(line: str = "") -> Version:
    """Levels as drawn (support/drawn.py), held as a view holds them."""
    levels = [[Table(FILES, one) for one in level] for level in drawn(line)]
    first = Version(FILES, Graveyard(), levels)
    first.acquire()
    return first


def numbers(of: Version) -> list[list[int]]:
    """Of the tables of each level that has some."""
    return [[one.number for one in level] for level in of.infos() if level]


def replaced(old: Version, added: list[tuple[int, TableInfo]], removed: list[int]) -> Version:
    """The version behind an edit, held in place of the old one."""
    new = old.apply(Edit(added, removed))
    new.acquire()
    old.release()
    return new


def buried(of: Version) -> list[str]:
    return of.graveyard.clear(Cache(1000))


def named(*tables: int) -> list[str]:
    return [table_name(number) for number in tables]


# --- looking into one ---------------------------------------------------------------------------


def level(line: str) -> Level:
    return version(line).sorted_levels[0]


def test_below_level_0_one_table_may_have_a_key() -> None:
    tables = level("L1: b-d d-f h-k")
    for key, number in (("a", 0), ("b", 1), ("c", 1), ("d", 2), ("f", 0), ("j", 3), ("k", 0)):
        stored = b"\0" + key.encode()
        table = tables.table_at(stored)
        has = table is not None and table.info.low <= stored < table.info.high
        assert (table.info.number if table and has else 0) == number


RANGES = [
    ("a", "b", []),
    ("a", "bb", [1]),
    ("d", "e", [2]),
    ("bb", "c", [1]),
    ("c", "~", [1, 2, 3]),
    ("f", "h", []),
    ("k", "~", []),
    ("a", "a", []),
]


@pytest.mark.parametrize(("low", "high", "found"), RANGES)
def test_the_tables_of_a_range_are_those_that_may_have_keys_of_it(
    low: str, high: str, found: list[int]
) -> None:
    bounds = b"\0" + low.encode(), b"\0" + high.encode()
    tables = level("L1: b-d d-f h-k").run(*bounds)
    assert [table.info.number for table in tables] == found
    runs = version("L0: b-d d-f h-k").runs(*bounds)
    assert [[table.info.number for table in run] for run in runs] == [[one] for one in found]


def test_a_range_s_sources_come_newest_first_and_a_level_is_one_source() -> None:
    runs = version("L0: m-z a-n a-b  L1: a-k k-z  L3: a-c  L4: k-z").runs(b"\0j", b"\0l")
    assert [[table.info.number for table in run] for run in runs] == [[2], [4, 5], [7]]


def test_a_version_without_tables_says_so() -> None:
    assert version().empty
    assert not version("L0: a-b").empty
    assert not version("L6: a-b").empty


def test_clears_are_known_of_tables_whose_root_was_read() -> None:
    disk = MemoryDisk()
    cleared = [(b"\0a", b"\0b"), (b"\0c", b"\0d")]
    infos = [
        build(disk, {b"\0k": b"\x01v"}, number=1, clears=cleared),
        build(disk, {}, number=2, clears=cleared[:1]),
        build(disk, {b"\0k": b"\x01v"}, number=3),
    ]
    found = first_version(disk, State([infos, *empty_levels()[1:]], next_table=4))
    assert found.known_clears() == {}
    for table in (found.levels[0][0], found.levels[0][2]):
        Reader().hidden(table, b"\0a")
        Reader().find(table, b"\0k")
    assert found.known_clears() == {1: cleared}


# --- one after another --------------------------------------------------------------------------


def test_an_edit_makes_a_new_version_and_leaves_the_old_one() -> None:
    before = version("L0: a-b  L1: a-c")
    after = before.apply(Edit([(0, info(7))], []))
    assert numbers(before) == [[1], [2]]
    assert numbers(after) == [[7, 1], [2]]


def test_a_table_that_stays_or_moves_keeps_its_object_and_is_not_buried() -> None:
    before = version("L0: a-b c-d")
    tables = before.levels[0]
    after = replaced(before, [(1, tables[1].info)], [2])
    assert (after.levels[0], after.levels[1]) == (tables[:1], tables[1:])
    assert buried(after) == []


def test_an_edit_that_does_not_fit_changes_nothing() -> None:
    before = version("L1: a-c")
    with pytest.raises(ValueError, match="overlap"):
        before.apply(Edit([(1, info(7, b"\0b", b"\0d"))], []))
    after = replaced(before, [], [1])
    assert numbers(after) == []
    assert buried(after) == named(1)


# --- the graveyard ------------------------------------------------------------------------------


def test_a_removed_table_is_buried_at_once_where_nobody_reads() -> None:
    after = replaced(version("L0: a-b c-d"), [(1, info(3))], [1, 2])
    assert sorted(buried(after)) == named(1, 2)
    assert buried(after) == []


def test_a_removed_table_stays_until_its_last_reader_is_done() -> None:
    reader = version("L0: a-b c-d")
    reader.acquire()
    reader.acquire()
    after = replaced(reader, [(1, info(3))], [1, 2])
    assert buried(after) == []
    reader.release()
    assert buried(after) == []
    reader.release()
    assert sorted(buried(after)) == named(1, 2)


def test_an_old_reader_keeps_only_what_it_can_see() -> None:
    reader = version("L0: a-b")
    reader.acquire()
    between = replaced(reader, [(0, info(2))], [])
    after = replaced(between, [(0, info(3))], [1, 2])
    assert buried(after) == named(2)
    reader.release()
    assert buried(after) == named(1)


def test_a_buried_table_leaves_nothing_in_the_cache() -> None:
    disk = MemoryDisk()
    entries = {b"\0%04d" % number: b"\x01" + bytes(500) for number in range(200)}
    first = first_version(disk, State([[build(disk, entries, number=1)], *empty_levels()[1:]]))
    first.acquire()
    reader = Reader()
    reader.scan(first.levels[0][0])
    assert reader.cache.size > 100_000
    after = replaced(first, [], [1])
    assert after.graveyard.clear(reader.cache) == named(1)
    assert reader.cache.size == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["flush", "merge", "move", "read", "done"]), st.integers(0, 99)),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(STEPS)
def test_a_table_is_buried_exactly_when_nobody_can_reach_it(steps: list[tuple[str, int]]) -> None:
    current = version()
    state = State(empty_levels(), next_table=1000)
    readers: list[Version] = []
    made, collected = 0, set[str]()
    for step, draw in steps:
        edit: Edit | None = None
        level_0 = [one.number for one in state.levels[0]]
        if step == "read":
            current.acquire()
            readers.append(current)
        elif step == "done" and readers:
            readers.pop(draw % len(readers)).release()
        elif step == "flush":
            made += 1
            edit = Edit([(0, info(made))], [])
        elif step == "merge" and level_0:
            made += 1
            removed = level_0[draw % len(level_0) :] + [one.number for one in state.levels[1]]
            edit = Edit([(1, info(made))], removed)
        elif step == "move" and state.levels[1] and not state.levels[2]:
            edit = Edit([(2, state.levels[1][0])], [state.levels[1][0].number])
        if edit is not None:
            state = state.after(edit)
            current = replaced(current, edit.added, edit.removed)
        found = buried(current)
        assert not collected.intersection(found)
        collected.update(found)
        reachable = {n for one in [*readers, current] for level in numbers(one) for n in level}
        assert set(named(*range(1, made + 1))) - set(named(*reachable)) == collected
        assert numbers(current) == [
            [one.number for one in level] for level in state.levels if level
        ]
