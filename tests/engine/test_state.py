"""What a directory holds, edit by edit."""

from __future__ import annotations

import pytest
from tests.format.infos import edit_fields, info

from kveik.engine.state import State, arranged, empty_levels
from kveik.format.edit import Edit
from kveik.limits import LEVELS


def state(*edits: Edit) -> State:
    """What the edits make of an empty state whose table numbers below 100 have been used."""
    found = State(empty_levels(), next_table=100)
    for edit in edits:
        found = found.after(edit)
    return found


def numbers(found: State) -> list[list[int]]:
    return [[info.number for info in level] for level in found.levels]


def test_an_empty_state_needs_the_whole_log_and_has_all_levels() -> None:
    fresh = State(empty_levels())
    assert (fresh.log, fresh.lsn, fresh.next_table) == (1, 0, 1)
    assert fresh.levels == [[]] * LEVELS


def test_level_0_stands_newest_first() -> None:
    found = state(Edit([(0, info(5))], []), Edit([(0, info(9)), (0, info(2))], []))
    assert numbers(found)[0] == [9, 2, 5]


def test_what_replaces_tables_of_level_0_takes_the_place_of_the_newest_of_them() -> None:
    flushed = Edit([(0, info(number)) for number in (9, 8, 7, 6, 5)], [])
    for removed, left in (
        ([8, 7], [9, 1, 6, 5]),
        ([9, 5], [1, 8, 7, 6]),
        ([6, 5], [9, 8, 7, 1]),
        ([9, 8, 7, 6, 5], [1]),
        ([], [1, 9, 8, 7, 6, 5]),
    ):
        assert numbers(state(flushed, Edit([(0, info(1))], removed)))[0] == left


def test_other_levels_stand_by_key() -> None:
    found = state(
        Edit([(1, info(1, b"m", b"p")), (1, info(2, b"p", b"q"))], []),
        Edit([(1, info(3, b"a", b"m"))], []),
    )
    assert numbers(found)[1] == [3, 1, 2]


def test_what_is_removed_is_gone_and_the_rest_stays() -> None:
    found = state(Edit([(0, info(1)), (0, info(2)), (2, info(3))], []), Edit([], [1, 3]))
    assert numbers(found)[:3] == [[2], [], []]


def test_a_table_moves_to_another_level_in_one_edit() -> None:
    found = state(Edit([(0, info(1))], []), Edit([(1, info(1))], [1]))
    assert numbers(found)[:2] == [[], [1]]


def test_an_edit_leaves_the_state_before_it_as_it_was() -> None:
    before = state(Edit([(0, info(1))], []))
    before.after(Edit([(1, info(1))], [1], log=5))
    assert (numbers(before)[0], before.log) == ([1], 1)


def test_a_level_that_an_edit_does_not_touch_is_the_same_list() -> None:
    level = [info(1)]
    assert arranged(1, level, Edit([(0, info(2))], [7])) is level


def test_numbers_go_on_where_an_edit_says_so() -> None:
    found = state(Edit([], [], log=4, lsn=77, next_table=120), Edit([], [], lsn=78))
    assert (found.log, found.lsn, found.next_table) == (4, 78, 120)


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (Edit([], [5]), "table 5 is removed and was not there"),
        (Edit([(2, info(1))], []), "table 1 is added twice"),
        (Edit([(0, info(3)), (0, info(3))], []), "table 3 is added twice"),
        (Edit([(0, info(100))], []), "table 100 is not below 100"),
        (Edit([(1, info(3, b"\0b", b"\0c"))], []), "tables 1 and 3 of level 1 overlap"),
        (Edit([], [], log=2), "log goes back from 3 to 2"),
        (Edit([], [], lsn=2), "lsn goes back from 3 to 2"),
    ],
)
def test_an_edit_that_does_not_fit_is_a_value_error_that_says_why(edit: Edit, what: str) -> None:
    before = state(Edit([(1, info(1))], [], log=3, lsn=3))
    with pytest.raises(ValueError, match=what):
        before.after(edit)


def test_edits_of_jobs_that_end_in_another_order_than_they_began_take_no_number_back() -> None:
    found = state(Edit([], [], next_table=120), Edit([], [], next_table=110))
    assert found.next_table == 120


def test_the_full_edit_makes_the_same_state_of_an_empty_one() -> None:
    found = state(
        Edit([(0, info(1)), (0, info(2)), (3, info(4, b"k")), (3, info(3, b"a", b"c"))], [], 3, 9)
    )
    again = State(empty_levels()).after(found.full())
    assert numbers(again) == numbers(found)
    assert edit_fields(again.full()) == edit_fields(found.full())
