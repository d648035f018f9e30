"""A sorted block in the making (docs/formats/table.md has the grammar, `format.block` reads it).

Invariants: keys are strictly ascending; the prefix is the longest that all of a block's keys share.
Called by the table builder, and by whoever makes an index.
"""

from __future__ import annotations

from typing import Final

from kveik.format.block import FIXED, PER_ENTRY, SHORT, head_of
from kveik.format.coding import (
    BytesWriter,
    read_i64_le,
    signed,
    varint_size,
    write_i32_be,
    write_i32_le,
    write_varint,
)
from kveik.native import i32, i64, u8

PADDING: Final = bytes(8)
INLINE: Final = 16384  # bytes; a longer value is not copied while its block is made


class BlockWriter:
    """One block in the making, after another.

    keys, values: its entries so far, count of them. size: bytes of its payload so far, but for a
    byte or two a key where suffixes have 128 bytes and more.
    """

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[bytes] = []
        self.count: i64 = 0
        self.size: i64 = FIXED + 8
        self._prefix: i64 = 0  # bytes that all keys begin with

    def add(self, key: bytes, value: bytes) -> None:
        """Add an entry; ValueError if its key is not behind the last."""
        self.fill([key], [value], 0, 1 << 62)

    def fill(self, keys: list[bytes], values: list[bytes], at: i64, bound: i64) -> i64:
        """Add entries from position `at` on, as many as stay within bound bytes of payload.

        The first entry of a block is always added. Returns the position of the first that was not.
        ValueError if a key is not behind the one before it; what comes before is in.
        """
        count: i64 = len(keys)
        if self.count == 0 and at < count:
            self._begin(keys[at], values[at])
            at += 1
        if at >= count:
            return at
        own_keys = self.keys
        own_values = self.values
        first = own_keys[0]
        last = own_keys[self.count - 1]
        prefix: i64 = self._prefix
        size: i64 = self.size
        taken: i64 = self.count
        while at < count:
            key = keys[at]
            if key <= last:
                raise ValueError("keys must ascend")
            value = values[at]
            shared: i64 = common_prefix(first, key, prefix)
            suffix: i64 = len(key) - shared
            # What the prefix loses, each suffix gains.
            grown: i64 = size + (taken - 1) * (prefix - shared)
            grown += PER_ENTRY + varint_size(suffix) + suffix + len(value)
            if grown > bound:
                break
            own_keys.append(key)
            own_values.append(value)
            last = key
            taken += 1
            prefix = shared
            size = grown
            at += 1
        self._prefix = prefix
        self.size = size
        self.count = taken
        return at

    def _begin(self, key: bytes, value: bytes) -> None:
        self.keys.append(key)
        self.values.append(value)
        self.count = 1
        self.size = FIXED + 8 + PER_ENTRY + 1 + len(key) + len(value)
        self._prefix = len(key)

    def finish(self) -> list[bytes]:
        """The pieces of the payload; the writer is empty again."""
        start = BytesWriter()  # what stands before the entries, but for their ends
        ends = BytesWriter()
        entries = BytesWriter()
        pieces: list[bytes] = [b""]
        size: i64 = 0  # of the entries that are in pieces
        prefix: i64 = self._prefix
        keys = self.keys
        values = self.values
        write_i32_le(start, i32(self.count))
        write_i32_le(start, i32(prefix))
        at: i64 = 0
        while at < self.count:
            key = keys[at]
            value = values[at]
            suffix: i64 = len(key) - prefix
            write_i32_be(start, signed(head_of(key, prefix)))
            if suffix < SHORT:
                entries.append(u8(suffix))
            else:
                write_varint(entries, suffix)
            entries.write(key[prefix:] if prefix > 0 else key)
            if len(value) <= INLINE:
                entries.write(value)
            else:
                size += len(entries) + len(value)
                pieces.append(entries.getvalue())
                pieces.append(value)
                entries.truncate(0)
            write_i32_le(ends, i32(size + len(entries)))
            at += 1
        start.write(ends.getvalue())
        if prefix > 0:
            start.write(keys[0][:prefix])
        entries.write(PADDING)
        pieces[0] = start.getvalue()
        pieces.append(entries.getvalue())
        self._reset()
        return pieces

    def _reset(self) -> None:
        self.keys = []
        self.values = []
        self.count = 0
        self.size = FIXED + 8
        self._prefix = 0


def common_prefix(first: bytes, second: bytes, bound: i64) -> i64:
    """How many bytes both begin with; at most bound, which may not pass the end of `first`."""
    if len(second) < bound:
        bound = len(second)
    at: i64 = 0
    while at + 8 <= bound and read_i64_le(first, at) == read_i64_le(second, at):
        at += 8
    while at < bound and first[at] == second[at]:
        at += 1
    return at
