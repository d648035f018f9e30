"""One table, read: find a key, or say which block has to be fetched first.

    root (held once it is loaded) -> partition: index and filter -> data block

Nothing here waits for the disk but `Fault.load`. A search that needs what is not in memory raises
a Fault; whoever runs it calls `load`, on any thread, then `settle` on the thread of truth, searches
again, and calls `release` once it is done. Until then what it loaded stays, so that a command that
needs several blocks ends even in the smallest cache.
Invariants: a table never changes; its blocks are verified when they are loaded.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from kveik.engine.cache import Cache, Cached
from kveik.engine.files import TableFiles
from kveik.errors import CorruptionError
from kveik.format.block import Block
from kveik.format.codec import seed, unseal
from kveik.format.entry import decode_cell
from kveik.format.filter import hash_key, may_contain
from kveik.format.table import (
    TableInfo,
    block_offset,
    block_size,
    decode_partition,
    decode_root,
    table_name,
)
from kveik.model import Cell
from kveik.native import i64

UNKNOWN: Final = -1  # in place of a hash


class Hit:
    """Where a stored value (format.entry) was found: from start to end in data."""

    __slots__ = ("blocks", "data", "end", "missed", "searches", "start")

    def __init__(self) -> None:
        self.data = b""
        self.start: i64 = 0
        self.end: i64 = 0
        self.searches: i64 = 0  # of a key in tables, ever
        self.blocks: i64 = 0  # data blocks that were looked into for them
        self.missed: i64 = 0  # of these had to be loaded first

    def cell(self) -> Cell:
        return decode_cell(self.data, self.start, self.end)


class Root(Block):
    """The index of a table's partitions, and its clears in order."""

    def __init__(self, payload: bytes) -> None:
        index, clears = decode_root(payload)
        super().__init__(index)
        self.starts = [start for start, _ in clears]
        self.stops = [stop for _, stop in clears]


class Partition(Cached):
    """The index of some data blocks, the filter over their keys, and those that are in memory."""

    def __init__(self, payload: bytes) -> None:
        index, bloom = decode_partition(payload)
        super().__init__(index, None, len(bloom))
        self.filter = bloom
        self.blocks: list[Cached | None] = [None] * self.count


class Table:
    """info: what the manifest says of it. root: None until it is loaded."""

    def __init__(self, files: TableFiles, info: TableInfo) -> None:
        self.info = info
        self.name = table_name(info.number)
        self.root: Root | None = None
        self.partitions: list[Cached | None] = []
        self.versions: i64 = 0  # that name it, and readers of its file
        self._files = files

    def find(self, key: bytes, hashed: i64, hit: Hit) -> bool:
        """Whether the table has the key; if so, hit says where.

        hashed: its hash_key, or UNKNOWN where no other table is asked: the filter then only spares
        the disk. Raises Fault if a block is missing that is needed to tell.
        """
        root = self.root
        if root is None:
            raise RootFault(self)
        number = root.upper_bound(key)
        if number == root.count or (number == 0 and key < self.info.low):
            return False
        partition = self.get_partition(number)
        if hashed != UNKNOWN and not may_contain(partition.filter, hashed):
            return False
        place = partition.upper_bound(key)
        block = partition.blocks[place]
        if block is None:
            if hashed == UNKNOWN and not may_contain(partition.filter, hash_key(key)):
                return False
            hit.missed += 1
            raise BlockFault(self, partition, place, place, place)
        block.used = True
        hit.blocks += 1
        start, end = block.find(key)
        if start < 0:
            return False
        hit.data = block.data
        hit.start = start
        hit.end = end
        return True

    def hidden(self, key: bytes) -> bool:
        """Whether a clear of this table hides the key from older tables. May raise Fault."""
        if self.info.clears == 0:
            return False
        root = self.get_root()
        at = bisect_right(root.starts, key)
        return at > 0 and key < root.stops[at - 1]

    def get_root(self) -> Root:
        """The root, or a Fault that fetches it."""
        root = self.root
        if root is None:
            raise RootFault(self)
        return root

    def get_partition(self, number: i64) -> Partition:
        """A partition, or a Fault that fetches it."""
        partition = self.partitions[number]
        if partition is None:
            raise PartitionFault(self, self.get_root(), number)
        assert isinstance(partition, Partition)
        partition.used = True
        return partition

    def read(self, offset: i64, size: i64, now: bool) -> bytes | None:
        """Bytes of the file; None if now is set and they would have to be waited for."""
        if not now:
            return self._files.get(self.name).read(offset, size)
        file = self._files.opened(self.name)
        return None if file is None else file.read_now(offset, size)

    def unseal(self, data: bytes, offset: i64, size: i64) -> bytes:
        """The payload of the stored block at offset; CorruptionError names file and offset."""
        if len(data) < size:
            what = f"the file ends inside a block of {size} bytes"
            raise CorruptionError(self.name, offset, what)
        try:
            return unseal(data, seed(self.info.number, offset))
        except ValueError as error:
            raise CorruptionError(self.name, offset, str(error)) from None

    def forget(self, cache: Cache) -> None:
        """No reader is left: take all blocks out of the cache and let go of the file."""
        for partition in self.partitions:
            if isinstance(partition, Partition):
                for block in partition.blocks:
                    if block is not None:
                        cache.forget(block)
                cache.forget(partition)
        self.root = None
        self.partitions = []
        self._files.drop(self.name)


class Fault(Exception):
    """Something of a table that is needed and not in memory."""

    def __init__(self, table: Table, offset: i64, size: i64) -> None:
        super().__init__("a block is not in memory")
        self.table = table
        self.pinned: list[Cached] = []
        self._offset = offset
        self._size = size

    def load(self, now: bool) -> bool:
        """Fetch and verify it; on any thread. With now set False says that it would have to wait.

        CorruptionError if it is not what was written, OSError if the disk fails.
        """
        data = self.table.read(self._offset, self._size, now)
        if data is None:
            return False
        self.decode(data)
        return True

    def decode(self, data: bytes) -> None:
        """Verify and keep what was read."""
        raise NotImplementedError

    def settle(self, cache: Cache) -> None:
        """Put what was loaded into its place and pin it; on the thread of truth."""
        raise NotImplementedError

    def release(self) -> None:
        """The search is done: what was pinned may go when its time comes."""
        for item in self.pinned:
            item.pins -= 1
        self.pinned = []

    def keep(self, cache: Cache, item: Cached, home: list[Cached | None], slot: i64) -> None:
        """Pin what is in a place; put the item there if nothing is."""
        present = home[slot]
        if present is None:
            cache.insert(item, home, slot)
            present = item
        present.pins += 1
        self.pinned.append(present)


class RootFault(Fault):
    def __init__(self, table: Table) -> None:
        super().__init__(table, table.info.root_offset, table.info.root_size)
        self._root: Root | None = None

    def decode(self, data: bytes) -> None:
        payload = self.table.unseal(data, self._offset, self._size)
        try:
            self._root = Root(payload)
        except ValueError as error:
            raise CorruptionError(self.table.name, self._offset, str(error)) from None

    def settle(self, cache: Cache) -> None:
        table = self.table
        root = self._root
        if table.root is None and root is not None:
            table.partitions = [None] * root.count
            table.root = root


class PartitionFault(Fault):
    def __init__(self, table: Table, root: Root, number: i64) -> None:
        super().__init__(table, block_offset(root, number), block_size(root, number))
        self._number = number
        self._partition: Partition | None = None

    def decode(self, data: bytes) -> None:
        payload = self.table.unseal(data, self._offset, self._size)
        try:
            self._partition = Partition(payload)
        except ValueError as error:
            raise CorruptionError(self.table.name, self._offset, str(error)) from None

    def settle(self, cache: Cache) -> None:
        partition = self._partition
        if partition is not None:
            self.keep(cache, partition, self.table.partitions, self._number)


class BlockFault(Fault):
    """The data blocks from first to last of a partition, of which only `wanted` is needed now."""

    def __init__(
        self, table: Table, partition: Partition, first: i64, last: i64, wanted: i64
    ) -> None:
        offset = block_offset(partition, first)
        end = block_offset(partition, last) + block_size(partition, last)
        super().__init__(table, offset, end - offset)
        self._partition = partition
        self._first = first
        self._last = last
        self._wanted = wanted
        self._blocks: list[Cached | None] = []

    def decode(self, data: bytes) -> None:
        blocks: list[Cached | None] = []
        at = self._first
        while at <= self._last:
            try:
                blocks.append(self._decode_one(data, at))
            except CorruptionError:
                if at == self._wanted:
                    raise
                blocks.append(None)  # whoever needs it will ask again
            at += 1
        self._blocks = blocks

    def _decode_one(self, data: bytes, at: i64) -> Cached:
        table = self.table
        offset = block_offset(self._partition, at)
        size = block_size(self._partition, at)
        if self._first < self._last:
            data = data[offset - self._offset : offset - self._offset + size]
        payload = table.unseal(data, offset, size)
        try:
            return Cached(payload, self._partition)
        except ValueError as error:
            raise CorruptionError(table.name, offset, str(error)) from None

    def settle(self, cache: Cache) -> None:
        partition = self._partition
        if partition.place < 0:
            return  # it was evicted meanwhile; the next search fetches, and pins, it again
        home = partition.blocks
        at = self._first
        for block in self._blocks:
            if block is not None and at == self._wanted:
                self.keep(cache, block, home, at)
            elif block is not None and home[at] is None:
                cache.insert(block, home, at)
            at += 1
