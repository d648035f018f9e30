"""The blocks of all tables that are in memory, bounded in bytes.

A block's home is a place in a list of its table, where readers find it without a search; a
partition is the parent of its data blocks. Blocks that nobody used since the hand last passed them
lose their home (the CLOCK algorithm).
Invariants: a block is in its home exactly while it is in the cache; a pinned block stays; a parent
stays as long as a child does. Only on the thread of truth.
"""

from __future__ import annotations

from typing import Final

from kveik.format.block import Block
from kveik.native import i64

OVERHEAD: Final = 256  # bytes of a block's objects beside its data
NOWHERE: Final = -1  # the place of a block that is not in the cache


class Cached(Block):
    """A block that the cache may hold. used: set by every reader; pins: readers that need it."""

    def __init__(self, data: bytes, parent: Cached | None, extra: i64 = 0) -> None:
        super().__init__(data)
        self.used = False
        self.pins: i64 = 0
        self.cost: i64 = len(data) + OVERHEAD + extra  # bytes
        self.parent = parent
        self.children: i64 = 0  # of them are in the cache
        self.home: list[Cached | None] = []
        self.slot: i64 = 0
        self.place: i64 = NOWHERE  # in the cache's ring


class Cache:
    """size: bytes in it, which pinned blocks can lift above capacity. misses: blocks put in."""

    def __init__(self, capacity: i64) -> None:
        self.capacity = capacity
        self.size: i64 = 0
        self.misses: i64 = 0
        self.evictions: i64 = 0
        self._ring: list[Cached | None] = []
        self._holes: list[int] = []  # places in the ring, the one behind the hand last
        self._hand: i64 = 0

    def insert(self, item: Cached, home: list[Cached | None], slot: i64) -> None:
        """Put a block into its home, in place of others if need be."""
        if item.parent is not None:
            item.parent.children += 1  # before anything else could make it go
        self._make_room(item.cost)
        item.home = home
        item.slot = slot
        home[slot] = item
        if self._holes:
            item.place = self._holes.pop()
            self._ring[item.place] = item
        else:
            item.place = len(self._ring)
            self._ring.append(item)
        self.size += item.cost
        self.misses += 1

    def _make_room(self, cost: i64) -> None:
        """Evict until there is room, or until nothing is left that may go."""
        idle: i64 = 0  # places passed in vain; in the second round nobody counts as used any more
        while self.size + cost > self.capacity and idle <= 2 * len(self._ring):
            if self._hand >= len(self._ring):
                self._hand = 0
            item = self._ring[self._hand] if self._ring else None
            idle += 1
            if item is not None and item.pins == 0 and item.children == 0:
                if item.used:
                    item.used = False
                else:
                    self._remove(item)
                    self.evictions += 1
                    idle = 0
            self._hand += 1

    def forget(self, item: Cached) -> None:
        """Take a block out, if it is in, pinned or not; a parent after its children."""
        if item.place != NOWHERE:
            self._remove(item)

    def _remove(self, item: Cached) -> None:
        item.home[item.slot] = None
        self._ring[item.place] = None
        self._holes.append(item.place)
        item.place = NOWHERE
        if item.parent is not None:
            item.parent.children -= 1
        self.size -= item.cost
