"""A table's entries over a range of keys, forwards or backwards, in chunks.

Invariants: a Fault changes nothing, so that the same call can be made again once it has been
settled; what a cursor has handed out it never hands out again. The cursor holds the block it is in,
in the cache or not. Called by whoever merges tables, on the thread of truth.
"""

from __future__ import annotations

from typing import Final

from kveik.engine.cache import Cached
from kveik.engine.table import BlockFault, Fault, Partition, Table
from kveik.format.block import Block
from kveik.format.table import block_size
from kveik.limits import READAHEAD, READAHEAD_BLOCKS
from kveik.native import i64

UNKNOWN: Final = -1  # a block's place that its partition has to be asked for


class TableCursor:
    """Entries from start (included) to stop (excluded); keys and values are the last chunk.

    Keys come without the database's byte; a plain value as its bytes, others as Cells.
    """

    def __init__(self, table: Table, start: bytes, stop: bytes, reverse: bool) -> None:
        self.keys: list[bytes] = []
        self.values: list[object] = []
        self._table = table
        self._start = start
        self._stop = stop
        self._reverse = reverse
        self._begun = False
        self._ended = start >= stop
        self._number: i64 = 0  # of the partition, and the place in it, of the next block
        self._place: i64 = UNKNOWN
        self._block: Block | None = None  # the one that the cursor is in
        self._low: i64 = 0  # its entries that are still to come: from low to high (excluded)
        self._high: i64 = 0
        self._passed: i64 = 0  # blocks that it has been in

    def chunk(self, count: i64) -> bool:
        """Put the next entries, at most count, into keys and values; False if there are none.

        A chunk is shorter where the next block is not in memory, or where it has many bytes.
        Raises Fault where there is nothing to hand out before one is settled.
        """
        keys: list[bytes] = []
        values: list[object] = []
        room: i64 = READAHEAD
        while len(keys) < count and room > 0:
            if self._low >= self._high:
                try:
                    if self._ended or not self._enter():
                        break
                except Fault:
                    if not keys:
                        raise
                    break
                continue
            room -= self._take(min(count - len(keys), self._high - self._low), keys, values)
        self.keys = keys
        self.values = values
        return len(keys) > 0

    def _take(self, count: i64, keys: list[bytes], values: list[object]) -> i64:
        """Append so many entries of the block; about the bytes that they have."""
        block = self._block
        assert block is not None
        if not self._reverse:
            block.read(self._low, self._low + count, keys, values)
            self._low += count
        else:
            some_keys: list[bytes] = []
            some_values: list[object] = []
            block.read(self._high - count, self._high, some_keys, some_values)
            some_keys.reverse()
            some_values.reverse()
            keys.extend(some_keys)
            values.extend(some_values)
            self._high -= count
        return len(block.data) * count // block.count

    def _enter(self) -> bool:
        """Go into the next block; False if there is none. A Fault changes nothing."""
        table = self._table
        root = table.get_root()
        number = self._number
        if not self._begun:
            number = self._seek(root)
        if number < 0 or number >= root.count:
            self._ended = True
            return False
        partition = table.get_partition(number)
        place = self._place
        if place == UNKNOWN:
            place = self._seek(partition)
        block = partition.blocks[place]
        if block is None:
            raise self._fault(partition, place)
        block.used = True
        self._begun = True
        self._block = block
        self._low = block.lower_bound(self._start)
        self._high = block.lower_bound(self._stop)
        self._passed += 1
        self._go_on(root, partition, block, number, place)
        return True

    def _seek(self, index: Block) -> i64:
        """Where in an index the range begins, or ends if it is read backwards."""
        if not self._reverse:
            return index.upper_bound(self._start)
        return min(index.lower_bound(self._stop), index.count - 1)

    def _go_on(
        self, root: Block, partition: Partition, block: Cached, number: i64, place: i64
    ) -> None:
        """Note which block comes next."""
        if not self._reverse:
            self._ended = self._high < block.count or partition.key(place) >= self._stop
            last = place + 1 == partition.count
            self._number = number + 1 if last else number
            self._place = UNKNOWN if last else place + 1
        else:
            self._ended = self._low > 0 or (place > 0 and partition.key(place - 1) <= self._start)
            if place == 0 and (number == 0 or root.key(number - 1) <= self._start):
                self._ended = True
            self._number = number - 1 if place == 0 else number
            self._place = UNKNOWN if place == 0 else place - 1

    def _fault(self, partition: Partition, place: i64) -> Fault:
        """Ask for a block, and for as many behind it as the scan has passed.

        That is twice as many each time. A command that starts again gets as far ahead as before.
        """
        step: i64 = -1 if self._reverse else 1
        border = self._border(partition)
        most: i64 = min(self._passed + 1, READAHEAD_BLOCKS)
        room: i64 = READAHEAD - block_size(partition, place)
        last = place
        count: i64 = 1
        while count < most and last != border and partition.blocks[last + step] is None:
            room -= block_size(partition, last + step)
            if room < 0:
                break
            last += step
            count += 1
        return BlockFault(self._table, partition, min(place, last), max(place, last), place)

    def _border(self, partition: Partition) -> i64:
        """The last block of a partition that the range needs."""
        if self._reverse:
            return partition.upper_bound(self._start)
        return min(partition.lower_bound(self._stop), partition.count - 1)
