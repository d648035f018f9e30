"""Coalesced ranges against a set of numbers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.support.sources import ranges_of

NUMBERS = range(20)
numbers = st.sampled_from(NUMBERS)


def key(number: int) -> bytes:
    return b"%02d" % number


@given(st.lists(st.tuples(numbers, numbers), max_size=8), numbers, numbers)
def test_ranges_hold_what_was_added_and_nothing_else(
    added: list[tuple[int, int]], low: int, high: int
) -> None:
    ranges = ranges_of((key(start), key(stop)) for start, stop in added)
    covered = {number for start, stop in added for number in range(start, stop)}
    assert {number for number in NUMBERS if ranges.covers(key(number))} == covered
    assert ranges.any() == bool(covered)
    for (_, stop), (start, _) in itertools.pairwise(ranges.all()):
        assert stop < start
    assert all(start < stop for start, stop in ranges.all())
    clipped = ranges.within(key(low), key(high))
    inside = {number for number in covered if low <= number < high}
    assert {int(n) for start, stop in clipped for n in range(int(start), int(stop))} == inside
    above = ranges.within(key(low), None)
    assert {n for start, stop in above for n in range(int(start), int(stop))} == {
        number for number in covered if number >= low
    }
    assert all(start < stop for start, stop in clipped + above)
