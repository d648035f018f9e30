"""Versions: the same tables for as long as somebody reads them, and not a moment longer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.drawn import drawn
from tests.format.infos import info

from kveik.disk.memory import MemoryDisk
from kveik.engine.files import TableFiles
from kveik.engine.state import State, empty_levels
from kveik.engine.table import Table
from kveik.engine.version import Version, Versions
from kveik.format.edit import Edit
from kveik.format.table import TableInfo

FILES = TableFiles(MemoryDisk())


def versions(line: str = "") -> Versions:
    """Levels as drawn (support/drawn.py)."""
    return Versions([[Table(FILES, one) for one in level] for level in drawn(line)])


def numbers(version: Version) -> list[list[int]]:
    """Of the tables of each level that has some."""
    return [[one.number for one in level] for level in version.infos() if level]


def install(owner: Versions, added: list[tuple[int, TableInfo]], removed: list[int]) -> Version:
    present = {one.number for level in owner.current.infos() for one in level}
    tables = [Table(FILES, one) for _, one in added if one.number not in present]
    return owner.install(Edit(added, removed), tables)


def garbage(owner: Versions) -> list[int]:
    return sorted(table.info.number for table in owner.take_garbage())


# --- looking into one ---------------------------------------------------------------------------


def test_below_level_0_one_table_may_have_a_key() -> None:
    version = versions("L1: b-d d-f h-k").current
    for key, number in (("a", 0), ("b", 1), ("c", 1), ("d", 2), ("f", 0), ("j", 3), ("k", 0)):
        table = version.find(1, b"\0" + key.encode())
        assert (table.info.number if table else 0) == number
    assert version.find(2, b"\0b") is None


@pytest.mark.parametrize("level", [0, 1])
def test_the_tables_of_a_range_are_those_that_may_have_keys_of_it(level: int) -> None:
    version = versions(f"L{level}: b-d d-f h-k").current
    for start, stop, found in (
        ("a", "b", []),
        ("a", "bb", [1]),
        ("d", "e", [2]),
        ("c", None, [1, 2, 3]),
        ("f", "h", []),
        ("k", None, []),
    ):
        end = None if stop is None else b"\0" + stop.encode()
        tables = version.overlapping(level, b"\0" + start.encode(), end)
        assert [table.info.number for table in tables] == found


def test_overlapping_tables_of_level_0_come_newest_first() -> None:
    tables = versions("L0: m-z a-n a-z").current.overlapping(0, b"\0m", b"\0n")
    assert [table.info.number for table in tables] == [1, 2, 3]


# --- one after another --------------------------------------------------------------------------


def test_an_edit_makes_a_new_version_and_leaves_the_old_one() -> None:
    owner = versions("L0: a-b  L1: a-c")
    before = owner.current
    after = install(owner, [(0, info(7))], [])
    assert owner.current is after
    assert after.number == before.number + 1
    assert numbers(before) == [[1], [2]]
    assert numbers(after) == [[7, 1], [2]]


def test_a_level_that_does_not_change_is_shared() -> None:
    owner = versions("L0: a-b  L1: a-c")
    before = owner.current
    assert install(owner, [(0, info(7))], []).levels[1] is before.levels[1]


def test_a_table_that_moves_keeps_its_object_and_is_no_garbage() -> None:
    owner = versions("L0: a-b")
    table = owner.current.levels[0][0]
    after = install(owner, [(1, table.info)], [1])
    assert after.levels[1] == [table]
    assert garbage(owner) == []


def test_an_edit_that_does_not_fit_changes_nothing() -> None:
    owner = versions("L1: a-c")
    before = owner.current
    with pytest.raises(ValueError, match="overlap"):
        install(owner, [(1, info(7, b"\0b", b"\0d"))], [])
    assert owner.current is before
    assert numbers(install(owner, [], [1])) == []
    assert garbage(owner) == [1]


# --- garbage ------------------------------------------------------------------------------------


def test_a_removed_table_is_garbage_at_once_where_nobody_reads() -> None:
    owner = versions("L0: a-b c-d")
    install(owner, [(1, info(3))], [1, 2])
    assert garbage(owner) == [1, 2]
    assert garbage(owner) == []


def test_a_removed_table_is_kept_until_its_last_reader_is_done() -> None:
    owner = versions("L0: a-b c-d")
    reader = owner.current
    reader.acquire()
    reader.acquire()
    install(owner, [(1, info(3))], [1, 2])
    assert (garbage(owner), owner.held()) == ([], 1)
    reader.release()
    assert (garbage(owner), owner.held()) == ([], 1)
    reader.release()
    assert (garbage(owner), owner.held()) == ([1, 2], 0)


def test_an_old_reader_keeps_only_what_it_can_see() -> None:
    owner = versions("L0: a-b")
    reader = owner.current
    reader.acquire()
    install(owner, [(0, info(2))], [])
    install(owner, [(0, info(3))], [1, 2])
    assert garbage(owner) == [2]
    reader.release()
    assert garbage(owner) == [1]


def test_releasing_once_too_often_is_noticed() -> None:
    owner = versions("L0: a-b")
    owner.current.acquire()
    reader = owner.current
    install(owner, [], [1])
    reader.release()
    with pytest.raises(AssertionError):
        reader.release()


STEPS = st.lists(
    st.tuples(st.sampled_from(["flush", "merge", "move", "read", "done"]), st.integers(0, 99)),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(STEPS)
def test_a_table_is_garbage_exactly_when_nobody_can_reach_it(steps: list[tuple[str, int]]) -> None:
    owner = versions()
    state = State(empty_levels(), next_table=1000)
    readers: list[Version] = []
    made, collected = 0, set[int]()
    for step, draw in steps:
        edit: Edit | None = None
        level_0 = [one.number for one in state.levels[0]]
        if step == "read":
            owner.current.acquire()
            readers.append(owner.current)
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
            install(owner, edit.added, edit.removed)
        found = garbage(owner)
        assert not collected.intersection(found)
        collected.update(found)
        reachable = {
            n for version in [*readers, owner.current] for level in numbers(version) for n in level
        }
        assert set(range(1, made + 1)) - reachable == collected
        assert numbers(owner.current) == [
            [one.number for one in level] for level in state.levels if level
        ]
