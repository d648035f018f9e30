"""Writes one table: sorted entries in, a synced file and what the manifest is to say of it out.

Invariants: keys ascend strictly; the file is written from front to back, in pieces of about a
megabyte, and never read; nothing of it counts before `finish` has returned. An OSError goes up as
it is: whoever made the file removes it. Called by flush and compaction, in whatever process they
run; one thread at a time.
"""

from __future__ import annotations

from typing import Final

from kveik.disk.api import File
from kveik.format.block_writer import BlockWriter
from kveik.format.codec import NONE, seal, seed
from kveik.format.coding import BytesWriter, read_i64_le
from kveik.format.filter import BITS_PER_KEY, build, hash_keys
from kveik.format.record import EXPIRES_BIT
from kveik.format.table import (
    BLOCK_SIZE,
    PARTITION_BLOCKS,
    Footer,
    TableInfo,
    bounds,
    coalesce,
    encode_footer,
    encode_location,
    encode_partition,
    encode_root,
    separator,
)
from kveik.model import DELETED
from kveik.native import i64

WRITE_SIZE: Final = 1 << 20  # bytes gathered before they are written


class TableBuilder:
    """size: bytes of the table so far, but for the block in the making.

    clears: ranges (start, stop) that hide keys of older tables; may be set until finish.
    """

    def __init__(
        self,
        file: File,
        number: i64,
        *,
        block_size: i64 = BLOCK_SIZE,
        codec: i64 = NONE,
        filter_bits: i64 = BITS_PER_KEY,
    ) -> None:
        self.size: i64 = 0
        self.entries: i64 = 0
        self.clears: list[tuple[bytes, bytes]] = []
        self._file = file
        self._number = number
        self._block_size = block_size
        self._codec = codec
        self._filter_bits = filter_bits  # a key
        self._block = BlockWriter()
        self._index = BlockWriter()  # of the partition in the making
        self._hashes = BytesWriter()  # of its keys
        self._root = BlockWriter()
        self._pieces: list[bytes] = []
        self._written: i64 = 0
        self._tombstones: i64 = 0
        self._expires: i64 = 0
        self._low = b""
        self._last = b""

    def add(self, key: bytes, value: bytes) -> None:
        """Add one entry: a stored key and a stored value (format.entry)."""
        self.add_many([key], [value])

    def add_many(self, keys: list[bytes], values: list[bytes]) -> None:
        """Add entries, in order. ValueError if a key is not behind the one before it."""
        if len(keys) != len(values):
            raise ValueError("there must be one value for each key")
        if not keys:
            return
        if self.entries == 0 and self._block.count == 0:
            self._low = keys[0]
        at: i64 = 0
        while True:
            at = self._block.fill(keys, values, at, self._block_size)
            if at == len(keys):
                return
            self._end_block(keys[at])

    def _end_block(self, following: bytes) -> None:
        """Write the block in the making; following is the next key, empty if there is none."""
        block = self._block
        self._last = block.keys[block.count - 1]
        self._note(block.values)
        hash_keys(block.keys, self._hashes)
        self.entries += block.count
        border = separator(self._last, following) if following else self._last + b"\x00"
        offset = self.size
        size = self._write(block.finish(), self._codec)
        self._index.add(border, encode_location(offset, size))
        if self._index.count == PARTITION_BLOCKS or not following:
            self._end_partition(border)

    def _note(self, values: list[bytes]) -> None:
        """Count tombstones, and find the earliest expiry."""
        for value in values:
            kind: i64 = value[0]
            if kind == DELETED:
                self._tombstones += 1
            elif kind >= EXPIRES_BIT:
                expires: i64 = read_i64_le(value, 1)
                if self._expires == 0 or expires < self._expires:
                    self._expires = expires

    def _end_partition(self, border: bytes) -> None:
        bloom = build(self._hashes.getvalue(), self._filter_bits)
        pieces = encode_partition(b"".join(self._index.finish()), bloom)
        self._hashes.truncate(0)
        offset = self.size
        size = self._write(pieces, NONE)
        self._root.add(border, encode_location(offset, size))

    def _write(self, pieces: list[bytes], codec: i64) -> i64:
        """Seal a payload and write it behind the rest; its size on the disk."""
        size = seal(pieces, codec, seed(self._number, self.size))
        self._pieces.extend(pieces)
        self.size += size
        if self.size - self._written >= WRITE_SIZE:
            self._flush()
        return size

    def _flush(self) -> None:
        self._file.write(self._written, self._pieces)
        self._written = self.size
        self._pieces = []

    def finish(self) -> TableInfo:
        """Write what is left, sync the file, and say what the table is."""
        if self._block.count > 0:
            self._end_block(b"")
        clears = coalesce(self.clears)
        offset = self.size
        size = self._write(encode_root(b"".join(self._root.finish()), clears), NONE)
        self._pieces.append(encode_footer(Footer(self._number, offset, size, self.entries)))
        self.size += len(self._pieces[-1])
        self._flush()
        self._file.sync()
        low, high = bounds(self._low, self._last, self.entries, clears)
        return TableInfo(
            self._number,
            self.size,
            self.entries,
            self._tombstones,
            low,
            high,
            offset,
            size,
            len(clears),
            self._expires,
        )
