"""Values of single keys kept in memory, in front of the tables: what was read or flushed lately.

Layers, newest first: memtables that have become tables but are kept, and between them what was read
from the tables since. A layer is right as long as all newer ones are kept, as these hide what has
been written since it was made; so it is the oldest that goes when there is no room.
Invariants: bounded in bytes; only the live view looks here, as a snapshot may be older. Called by
the view and by upkeep, on the thread of truth.
"""

from __future__ import annotations

from typing import Final

from kveik.engine.memtable import Memtable
from kveik.model import DELETED, Cell
from kveik.native import i64

ENTRY: Final = 226  # bytes of the objects that hold a key and a value, and of their place in a dict
LAYERS: Final = 6  # a miss asks all of them


class RowCache:
    def __init__(self, capacity: i64) -> None:
        """capacity: bytes."""
        self.capacity = capacity
        self.layers = [Memtable(0)]  # the first one takes what is read
        self._costs: list[i64] = [0]

    def add(self, key: bytes, cell: Cell) -> None:
        """Keep what was found in the tables."""
        if cell.kind == DELETED:
            return
        size: i64 = len(key) + len(cell.data) + ENTRY
        if size > self.capacity // 16:
            return
        if self._costs[0] + size > self.capacity // 2:
            self._push(Memtable(0), 0)
        self.layers[0].keep(key, cell)
        self._costs[0] += size

    def flushed(self, memtables: list[Memtable], size: i64) -> None:
        """Memtables, newest first, have become a table of so many bytes."""
        entries: i64 = sum([len(memtable) for memtable in memtables])
        cost = size + entries * ENTRY
        if cost > self.capacity // 2:
            self.layers = [Memtable(0)]
            self._costs = [0]
            return
        for memtable in reversed(memtables):
            self._push(memtable, 0)
        self._costs[0] = cost
        self._push(Memtable(0), 0)

    def _push(self, layer: Memtable, cost: i64) -> None:
        if len(self.layers[0]) == 0 and self.layers[0].clears.empty():
            del self.layers[0]
            del self._costs[0]
        self.layers.insert(0, layer)
        self._costs.insert(0, cost)
        while len(self.layers) > LAYERS or (len(self.layers) > 1 and self._total() > self.capacity):
            self.layers.pop()
            self._costs.pop()

    def _total(self) -> i64:
        return sum(self._costs)
