"""Reads tables from front to back, in large pieces. Called by `merge`.

Invariants: every block's checksum is verified, and at a table's end the count of its entries. One
file is open at a time, and of a value past MAX_HELD only its place is kept (`Far`). Nothing goes
through the cache: what is read here is read once.
"""

from __future__ import annotations

from kveik.disk.api import Disk, File
from kveik.engine.output import Far
from kveik.engine.ranges import Ranges
from kveik.errors import CorruptionError
from kveik.format.block import Block
from kveik.format.codec import seed, unseal
from kveik.format.gather import FAR
from kveik.format.table import (
    TableInfo,
    block_offset,
    block_size,
    decode_partition,
    decode_root,
    table_name,
)
from kveik.limits import CHUNK_SIZE, MAX_HELD, READ_SIZE
from kveik.native import i64


class SequentialTable:
    """One open table: `next` gives its data blocks, one behind the other."""

    def __init__(self, disk: Disk, info: TableInfo) -> None:
        self.info = info
        self.name = table_name(info.number)
        self.read: i64 = 0  # bytes
        self._file: File = disk.open(self.name)
        self._buffer = b""
        self._base: i64 = 0  # where the buffer begins in the file
        self._partition: Block | None = None  # the index of the blocks in hand
        self._partitions: i64 = 0  # begun so far
        self._blocks: i64 = 0  # of the partition, given so far
        self._limit: i64 = 0  # where the blocks of the partition end
        self._behind: i64 = 0  # where the last partition ended
        self.offset: i64 = 0  # of the block given last
        self.size: i64 = 0
        try:
            root = self._payload(info.root_offset, info.root_size, info.root_size)
            index, self.clears = decode_root(root)
            self._root = Block(index)
        except ValueError as error:
            self.close()
            raise CorruptionError(self.name, info.root_offset, str(error)) from None

    def next(self) -> Block | None:
        """The next data block, None at the end."""
        partition = self._partition
        while partition is None or self._blocks == partition.count:
            if self._partitions == self._root.count:
                return None
            partition = self._next_partition()
        self.offset = block_offset(partition, self._blocks)
        self.size = block_size(partition, self._blocks)
        self._blocks += 1
        return self.block(self.offset, self.size)

    def _next_partition(self) -> Block:
        offset = block_offset(self._root, self._partitions)
        size = block_size(self._root, self._partitions)
        ahead: i64 = offset + size - self._behind
        if ahead <= 2 * READ_SIZE:  # the usual case: its blocks and it in one piece
            self._fill(self._behind, ahead)
        try:
            index, _ = decode_partition(self._payload(offset, size, size))
            partition = Block(index)
        except ValueError as error:
            raise CorruptionError(self.name, offset, str(error)) from None
        self._partition = partition
        self._partitions += 1
        self._blocks = 0
        self._limit = offset
        self._behind = offset + size
        return partition

    def block(self, offset: i64, size: i64) -> Block:
        try:
            return Block(self._payload(offset, size, min(READ_SIZE, self._limit - offset)))
        except ValueError as error:
            raise CorruptionError(self.name, offset, str(error)) from None

    def _payload(self, offset: i64, size: i64, ahead: i64) -> bytes:
        """The payload of the block there, read with so many bytes from its start on."""
        start: i64 = offset - self._base
        if start < 0 or start + size > len(self._buffer):
            self._fill(offset, max(size, ahead))
            start = 0
        stored = self._buffer[start : start + size]
        if size > MAX_HELD:
            self._buffer = b""
        if len(stored) < size:
            raise ValueError("the file breaks off")
        return unseal(stored, seed(self.info.number, offset))

    def _fill(self, offset: i64, length: i64) -> None:
        self._buffer = b""  # before the next one takes as much memory again
        self._buffer = self._file.read(offset, length)
        self._base = offset
        self.read += len(self._buffer)

    def close(self) -> None:
        self._file.close()


class FarBlock(Far):
    """A large value that waits in its block. rank: of its source, 0 is the newest."""

    def __init__(self, disk: Disk, table: SequentialTable, rank: i64) -> None:
        self._disk = disk
        self._info = table.info
        self._offset = table.offset
        self._size = table.size
        self.rank = rank

    def load(self) -> bytes:
        table = SequentialTable(self._disk, self._info)
        try:
            return table.block(self._offset, self._size).value(0)
        finally:
            table.close()


class Source:
    """Disjoint tables, one behind the other, in chunks.

    keys, values: the chunk in hand, of which the entries from `at` on are still wanted. hidden: the
    ranges that newer sources have deleted. clears: the ranges that this one has deleted.
    """

    def __init__(
        self, disk: Disk, tables: list[TableInfo], rank: i64, hidden: Ranges, far: dict[bytes, Far]
    ) -> None:
        self.keys: list[bytes] = []
        self.values: list[bytes] = []
        self.at: i64 = 0
        self.hidden = hidden
        self.clears = Ranges()
        self.read: i64 = 0  # bytes, of tables that are closed
        self._disk = disk
        self._tables = tables
        self._begun: i64 = 0  # tables
        self._table: SequentialTable | None = None
        self._entries: i64 = 0  # of that table, so far
        self._rank = rank
        self._far = far
        for info in tables:
            if info.clears > 0:
                self._read_clears(info)

    def _read_clears(self, info: TableInfo) -> None:
        table = SequentialTable(self._disk, info)
        table.close()
        for start, stop in table.clears:
            self.clears.add(start, stop)

    def fill(self) -> bool:
        """See to a chunk that is not used up; False at the end."""
        if self.at < len(self.keys):
            return True
        self.keys = []
        self.values = []
        self.at = 0
        size: i64 = 0
        while size < CHUNK_SIZE:
            block = self._next_block()
            if block is None:
                break
            if len(block.data) > MAX_HELD and block.count == 1:
                self._hold_place(block.key(0))
                size += MAX_HELD
            else:
                block.copy(0, block.count, self.keys, self.values)
                size += len(block.data)
        return len(self.keys) > 0

    def _next_block(self) -> Block | None:
        while True:
            if self._table is None:
                if self._begun == len(self._tables):
                    return None
                self._table = SequentialTable(self._disk, self._tables[self._begun])
                self._begun += 1
                self._entries = 0
            block = self._table.next()
            if block is not None:
                self._entries += block.count
                return block
            self._end_table(self._table)

    def _end_table(self, table: SequentialTable) -> None:
        self.close()
        if self._entries != table.info.entries:
            what = f"{self._entries} entries where there should be {table.info.entries}"
            raise CorruptionError(table.name, table.info.root_offset, what)

    def _hold_place(self, key: bytes) -> None:
        """Take in a large value, unless a newer source has one for the key."""
        assert self._table is not None
        place = FarBlock(self._disk, self._table, self._rank)
        other = self._far.get(key)
        if not isinstance(other, FarBlock) or other.rank > self._rank:
            self._far[key] = place
        self.keys.append(key)
        self.values.append(FAR)

    def close(self) -> None:
        table = self._table
        if table is not None:
            self.read += table.read
            table.close()
            self._table = None
