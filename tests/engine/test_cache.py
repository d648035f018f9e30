"""The cache: bounded in bytes; what is used stays, what is pinned stays longer."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from tests.format.blocks import payload

from kveik.engine.cache import OVERHEAD, Cache, Cached

EMPTY = payload({})
COST = len(EMPTY) + OVERHEAD


def item(extra: int = 0, parent: Cached | None = None) -> Cached:
    return Cached(EMPTY, parent, extra)


class Shelf:
    """A home for blocks, and a cache for so many of the smallest."""

    def __init__(self, room: int) -> None:
        self.cache = Cache(room * COST)
        self.home: list[Cached | None] = [None] * 100
        self.free = iter(range(100))

    def put(self, block: Cached | None = None) -> Cached:
        block = block or item()
        self.cache.insert(block, self.home, next(self.free))
        return block

    def has(self, block: Cached) -> bool:
        assert (block in self.home) == (block.place >= 0)
        return block in self.home


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """Room for three; afterwards the books must balance."""
    shelf = Shelf(3)
    yield shelf
    present = [block for block in shelf.home if block is not None]
    assert shelf.cache.size == sum(block.cost for block in present)
    for block in present:
        shelf.cache.forget(block)
    assert shelf.cache.size == 0


def test_a_block_is_found_in_its_home() -> None:
    cache, home = Cache(10 * COST), [None, item()]
    block = item()
    cache.insert(block, home, 0)
    assert home[0] is block
    assert (cache.size, cache.misses, cache.evictions) == (COST, 1, 0)


def test_where_there_is_no_room_the_oldest_unused_goes(shelf: Shelf) -> None:
    first, second, third = shelf.put(), shelf.put(), shelf.put()
    fourth = shelf.put()
    assert [shelf.has(block) for block in (first, second, third, fourth)] == [0, 1, 1, 1]
    shelf.put()
    assert not shelf.has(second)
    assert shelf.cache.evictions == 2


def test_what_is_used_stays_for_one_more_round(shelf: Shelf) -> None:
    first, second, third = shelf.put(), shelf.put(), shelf.put()
    first.used = True
    shelf.put()
    assert shelf.has(first)
    assert not shelf.has(second)
    assert not first.used
    shelf.put()
    shelf.put()
    assert not shelf.has(first)
    assert not shelf.has(third)


def test_what_is_used_again_and_again_always_stays(shelf: Shelf) -> None:
    kept = shelf.put()
    for _ in range(50):
        kept.used = True
        shelf.put()
        assert shelf.has(kept)


def test_where_everything_is_used_something_goes_all_the_same(shelf: Shelf) -> None:
    blocks = [shelf.put() for _ in range(3)]
    for block in blocks:
        block.used = True
    shelf.put()
    assert sum(shelf.has(block) for block in blocks) == 2


def test_what_is_pinned_stays_and_goes_once_it_is_not(shelf: Shelf) -> None:
    pinned = [shelf.put() for _ in range(3)]
    for block in pinned:
        block.pins += 1
    fourth, fifth = shelf.put(), shelf.put()
    assert all(shelf.has(block) for block in pinned)
    assert not shelf.has(fourth)  # the only one that could go
    assert shelf.cache.size == 4 * COST
    for block in pinned:
        block.pins -= 1
    shelf.put()
    assert shelf.cache.size == 3 * COST
    assert sum(shelf.has(block) for block in [*pinned, fifth]) == 2


def test_a_block_larger_than_the_cache_goes_with_the_next_that_comes(shelf: Shelf) -> None:
    small = shelf.put()
    large = shelf.put(item(10 * COST))
    assert shelf.has(large)
    assert not shelf.has(small)
    shelf.put()
    assert not shelf.has(large)
    assert shelf.cache.size == COST


def test_a_large_block_makes_as_many_go_as_it_takes(shelf: Shelf) -> None:
    first, second, third = shelf.put(), shelf.put(), shelf.put()
    shelf.put(item(COST))
    assert [shelf.has(block) for block in (first, second, third)] == [0, 0, 1]
    assert shelf.cache.size == 3 * COST


def test_a_parent_stays_as_long_as_a_child_does(shelf: Shelf) -> None:
    parent = shelf.put()
    child = shelf.put(item(parent=parent))
    assert parent.children == 1
    other = shelf.put()
    shelf.put()
    assert shelf.has(parent)
    assert not shelf.has(child)
    assert parent.children == 0
    shelf.put()
    shelf.put()
    assert not shelf.has(parent)
    assert not shelf.has(other)


def test_a_child_that_comes_never_drives_its_own_parent_out(shelf: Shelf) -> None:
    parent = shelf.put()
    child = shelf.put(item(5 * COST, parent))
    assert shelf.has(parent)
    assert shelf.has(child)
    shelf.cache.forget(child)
    shelf.cache.forget(parent)


def test_what_is_forgotten_is_gone_pinned_or_not(shelf: Shelf) -> None:
    parent = shelf.put()
    child = shelf.put(item(parent=parent))
    child.pins += 1
    shelf.cache.forget(child)
    shelf.cache.forget(child)  # which changes nothing
    shelf.cache.forget(parent)
    assert shelf.home[:2] == [None, None]
    assert (shelf.cache.size, shelf.cache.evictions, parent.children) == (0, 0, 0)


def test_the_books_balance_whatever_comes_and_goes() -> None:
    chance = Random(5)
    cache = Cache(20 * COST)
    home: list[Cached | None] = [None] * 300
    for _ in range(3000):
        slot = chance.randrange(300)
        block = home[slot]
        if block is None:
            cache.insert(item(chance.randrange(3 * COST)), home, slot)
        elif chance.random() < 0.2:
            cache.forget(block)
        else:
            block.used = True
        present = [block for block in home if block is not None]
        assert cache.size == sum(block.cost for block in present) <= cache.capacity
        assert len({block.place for block in present}) == len(present)
