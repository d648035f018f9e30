"""The index of keys does what a sorted list does, whatever is noted, read and removed."""

from __future__ import annotations

import random
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kveik.engine.index import LOAD, KeyIndex

MANY = 3 * LOAD  # keys of several buckets
LAST = b"\xff\xff\xff"  # behind every key

keys = st.binary(min_size=1, max_size=2)
edges = st.binary(max_size=3)
counts = st.integers(min_value=1, max_value=2 * LOAD)


def filled(noted: list[bytes]) -> KeyIndex:
    index = KeyIndex()
    for key in noted:
        index.note(key)
    return index


def everything(index: KeyIndex) -> list[bytes]:
    """All keys, by way of pages, as a scan reads them."""
    found: list[bytes] = []
    start = b""
    while page := index.page(start, b"\xff" * 9, 100):
        found += page
        start = page[-1] + b"\x00"
    return found


def everything_back(index: KeyIndex) -> list[bytes]:
    found: list[bytes] = []
    stop = b"\xff" * 9
    while page := index.page_back(b"", stop, 100):
        found += page
        stop = page[-1]
    return found


def numbered(numbers: range) -> list[bytes]:
    return [b"%08d" % number for number in numbers]


def between(model: list[bytes], start: bytes, stop: bytes) -> list[bytes]:
    return model[bisect_left(model, start) : bisect_left(model, stop)]


class IndexMachine(RuleBasedStateMachine):
    """Beside each index stands a set of the same keys."""

    def __init__(self) -> None:
        super().__init__()
        self.index = KeyIndex()
        self.model: set[bytes] = set()

    @initialize(seed=st.integers(0, 1000), size=st.sampled_from([0, 1, LOAD, MANY]))
    def bulk(self, seed: int, size: int) -> None:
        drawn = random.Random(seed)
        for _ in range(size):
            self.note(drawn.randbytes(2))

    @rule(key=keys)
    def note(self, key: bytes) -> None:
        if key not in self.model:  # its caller notes each key once
            self.index.note(key)
            self.model.add(key)

    @rule(first=st.integers(0, 250), step=st.integers(1, 7))
    def note_a_run(self, first: int, step: int) -> None:
        for low in range(0, 256, step):
            self.note(bytes((first, low)))

    @rule(start=edges, stop=edges, count=counts)
    def page(self, start: bytes, stop: bytes, count: int) -> None:
        expected = between(sorted(self.model), start, stop)
        found = self.index.page(start, stop, count)
        assert found == expected[: len(found)]
        assert len(found) <= count
        assert bool(found) == bool(expected)

    @rule(start=edges, stop=edges, count=counts)
    def page_back(self, start: bytes, stop: bytes, count: int) -> None:
        expected = between(sorted(self.model), start, stop)[::-1]
        found = self.index.page_back(start, stop, count)
        assert found == expected[: len(found)]
        assert len(found) <= count
        assert bool(found) == bool(expected)

    @rule(start=edges, stop=edges)
    def remove(self, start: bytes, stop: bytes) -> None:
        expected = between(sorted(self.model), start, stop)
        assert self.index.remove(start, stop) == expected
        self.model.difference_update(expected)

    @rule()
    def read_all(self) -> None:
        assert everything(self.index) == sorted(self.model)

    @rule(count=counts)
    def prepare(self, count: int) -> None:
        before = self.index.noted()
        assert self.index.prepare(count) == (before > 0)
        assert self.index.noted() == max(before - count, 0)

    @invariant()
    def the_ends_are_the_least_and_the_greatest(self) -> None:
        if len(self.model) % 2:  # looking brings what is new into place: do not look always
            assert self.index.page(b"", LAST, 1) == [min(self.model)]
            assert self.index.page_back(b"", LAST, 1) == [max(self.model)]


TestAgainstASet = IndexMachine.TestCase
TestAgainstASet.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_an_empty_index_has_no_keys() -> None:
    index = KeyIndex()
    assert index.page(b"", b"z", 10) == []
    assert index.page_back(b"", b"z", 10) == []
    assert index.remove(b"", b"z") == []


@pytest.mark.parametrize("size", [1, LOAD - 1, LOAD, LOAD + 1, 2 * LOAD + 1, 5 * LOAD])
def test_keys_noted_in_any_order_are_read_in_order_both_ways(size: int) -> None:
    noted = numbered(range(size))
    random.Random(size).shuffle(noted)
    index = filled(noted)
    assert everything(index) == sorted(noted)
    assert everything_back(index) == sorted(noted, reverse=True)


@pytest.mark.parametrize("order", ["rising", "falling", "drawn"])
def test_single_keys_after_many_find_their_places_and_buckets_split(order: str) -> None:
    """One key between two readings is inserted; so many that buckets grow past their bound."""
    index = filled(numbered(range(0, 40_000, 4)))
    model = numbered(range(0, 40_000, 4))
    assert everything(index) == model
    late = numbered(range(10_001, 10_001 + 4 * 3 * LOAD, 4))
    if order == "falling":
        late.reverse()
    elif order == "drawn":
        random.Random(1).shuffle(late)
    for key in late:
        index.note(key)
        assert index.page(key, key + b"\x00", 5) == [key]
    model = sorted(model + late)
    assert everything(index) == model
    assert everything_back(index) == model[::-1]


@pytest.mark.parametrize("key", [b"0", b"\x00", b"a", b"00000400"])
def test_a_single_key_before_between_or_behind_all_others_is_found(key: bytes) -> None:
    model = numbered(range(1, 4000, 3))
    index = filled(model)
    assert index.page(b"", b"z", 1) == model[:1]
    index.note(key)
    assert index.page(key, key + b"\x00", 1) == [key]
    assert index.page(b"", key, 1) == (model[:1] if key > model[0] else [])
    assert index.page_back(key, key + b"\x00", 1) == [key]
    assert everything(index) == sorted([*model, key])


def test_a_page_holds_no_more_than_was_asked_for_and_starts_where_it_was_asked_to() -> None:
    model = numbered(range(MANY))
    index = filled(model)
    for count in (1, 7, LOAD, LOAD + 1, 2 * LOAD):
        page = index.page(b"%08d" % 500, b"z", count)
        assert page == model[500 : 500 + len(page)]
        assert 0 < len(page) <= count
        back = index.page_back(b"", b"%08d" % 1000, count)
        assert back == model[1000 - len(back) : 1000][::-1]
        assert 0 < len(back) <= count


def test_what_is_removed_is_returned_and_gone_and_may_come_back() -> None:
    model = numbered(range(MANY))
    index = filled(model)
    assert index.remove(model[100], model[-100]) == model[100:-100]
    assert everything(index) == model[:100] + model[-100:]
    index.note(model[300])
    assert everything(index) == [*model[:100], model[300], *model[-100:]]
    assert index.remove(b"", b"\xff") == [*model[:100], model[300], *model[-100:]]
    assert everything(index) == []
    index.note(b"again")
    assert everything(index) == [b"again"]


@given(st.sets(keys, max_size=60), st.sets(keys, max_size=60), edges, edges)
@settings(max_examples=150, deadline=None)
def test_keys_noted_after_a_reading_are_there_at_the_next(
    first: set[bytes], second: set[bytes], start: bytes, stop: bytes
) -> None:
    index = filled(sorted(first, key=lambda key: key[::-1]))
    assert everything(index) == sorted(first)
    for key in sorted(second - first, key=lambda key: key[::-1]):
        index.note(key)
    expected = between(sorted(first | second), start, stop)
    assert index.page(start, stop, 1000) == expected
    assert index.page_back(start, stop, 1000) == expected[::-1]
