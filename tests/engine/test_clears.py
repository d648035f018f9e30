"""Range tombstones of a memtable, against a list in which the newest one that has a key wins."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kveik.engine.clears import Clears

KEYS = st.binary(max_size=2)
ADDED = st.lists(st.tuples(KEYS, KEYS), max_size=25)


def made(added: list[tuple[bytes, bytes]]) -> Clears:
    clears = Clears()
    for number, (start, stop) in enumerate(added):
        clears.add(start, stop, number + 1)
    return clears


def newest(added: list[tuple[bytes, bytes]], start: bytes, stop: bytes) -> int:
    """The last one of them that has a key from start to stop (excluded)."""
    found = 0
    for number, (low, high) in enumerate(added):
        if max(low, start) < min(high, stop):
            found = number + 1
    return found


@settings(deadline=None, max_examples=300)
@given(ADDED, KEYS)
def test_the_newest_range_around_a_key_is_told(
    added: list[tuple[bytes, bytes]], key: bytes
) -> None:
    clears = made(added)
    for probe in (key, *[bound + end for pair in added for bound in pair for end in (b"", b"\0")]):
        assert clears.at(probe) == newest(added, probe, probe + b"\0")


@settings(deadline=None, max_examples=300)
@given(ADDED, KEYS, KEYS)
def test_the_newest_range_that_shares_keys_with_another_is_told(
    added: list[tuple[bytes, bytes]], start: bytes, stop: bytes
) -> None:
    assume(start < stop)
    assert made(added).newest(start, stop) == newest(added, start, stop)


@settings(deadline=None, max_examples=300)
@given(ADDED)
def test_pieces_are_in_order_and_do_not_overlap(added: list[tuple[bytes, bytes]]) -> None:
    clears = made(added)
    assert all(one.start < one.stop for one in clears.items)
    assert all(one.stop <= other.start for one, other in pairwise(clears.items))
    assert clears.empty() == all(start >= stop for start, stop in added)


def test_a_range_in_the_middle_of_an_older_one_leaves_both_ends_of_it() -> None:
    pieces = made([(b"a", b"z"), (b"f", b"h")]).items
    assert [(one.start, one.stop, one.lsn) for one in pieces] == [
        (b"a", b"f", 1),
        (b"f", b"h", 2),
        (b"h", b"z", 1),
    ]
