"""Sorted blocks <-> bytes: a table's data blocks and indexes. docs/formats/table.md, the grammar.

    block = count:i32 | prefix size:i32 | heads: u32be * count | ends: i32 * count
          | prefix | entry * count | zeros[8]
    entry = varint suffix size | suffix | value           (a key is the block's prefix and a suffix)

Invariants: keys are strictly ascending; a head is the first four bytes of a suffix (short ones
filled up with zeros), so that a search reads a few neighbouring lines of memory and looks at an
entry only where heads are equal; the zeros let an 8-byte read at any suffix stay inside.
A block trusts its inside: whoever makes one has verified its checksum (`format.codec`).
"""

from __future__ import annotations

from typing import Final

from kveik.format.coding import (
    read_i32_be,
    read_i32_le,
    read_i64_be,
    read_varint,
)
from kveik.format.entry import decode_cell
from kveik.model import BYTES
from kveik.native import i64

FIXED: Final = 8  # bytes before the heads
PER_ENTRY: Final = 8  # bytes of an entry's head and end
ABSENT: Final = -1
NO_ENTRY: Final = "an entry of a block makes no sense"
SHORT: Final = 128  # a suffix below this has its size in one byte
HEAD: Final = 4  # bytes
HEAD_BITS: Final = 0xFFFFFFFF
ALL_BITS: Final = (1 << 62) - 1  # the most that is a machine number as it stands
WIDE: Final = 16  # heads that fill a line of memory
LINE: Final = 64  # bytes of memory that are fetched together


def head_of(key: bytes, at: i64) -> i64:
    """The four bytes of a key from `at` on, as an unsigned number; zeros stand for what lacks."""
    lack: i64 = at + HEAD - len(key)
    if lack <= 0:
        return i64(read_i32_be(key, at)) & HEAD_BITS
    if len(key) >= HEAD:  # no bytes are made for it
        return (i64(read_i32_be(key, len(key) - HEAD)) << (8 * lack)) & HEAD_BITS
    return i64(read_i32_be(key[at:] + bytes(HEAD), 0)) & HEAD_BITS


class Block:
    """A payload, searched where it stands. ValueError if its sizes do not add up."""

    def __init__(self, data: bytes) -> None:
        size: i64 = len(data)
        if size < FIXED + 8:
            raise ValueError("a block breaks off")
        count: i64 = i64(read_i32_le(data, 0))
        prefix: i64 = i64(read_i32_le(data, 4))
        if count < 0 or prefix < 0 or FIXED + count * PER_ENTRY + prefix + 8 > size:
            raise ValueError("the sizes in a block do not add up")
        self._ends: i64 = FIXED + HEAD * count
        self._entries: i64 = FIXED + PER_ENTRY * count + prefix
        stop: i64 = self._entries
        if count > 0:
            stop += i64(read_i32_le(data, self._ends + 4 * (count - 1)))
        if stop + 8 != size:
            raise ValueError("the sizes in a block do not add up")
        self.data = data
        self.count = count
        self._prefix_size = prefix
        # What keys are compared with: reading the prefix would fetch another line of memory.
        start: i64 = self._entries - prefix
        self._opening: i64 = read_i64_be(data, start)
        self._closing: i64 = 0
        self._fetched: i64 = 0  # what is read only so that it is in the caches
        if prefix >= 8:
            self._closing = read_i64_be(data, start + prefix - 8)
        elif prefix > 0:
            self._opening >>= 64 - 8 * prefix

    def lower_bound(self, key: bytes) -> i64:
        """The first entry whose key is not below `key`; count if there is none."""
        side = self._beside_prefix(key)
        if side != 0:
            return self.count if side > 0 else 0
        return self._search(key, 0)

    def upper_bound(self, key: bytes) -> i64:
        """The first entry whose key is above `key`; count if there is none."""
        side = self._beside_prefix(key)
        if side != 0:
            return self.count if side > 0 else 0
        return self._search(key, 1)

    def find(self, key: bytes) -> tuple[i64, i64]:
        """Where the value of a key begins and ends in `data`; (-1, -1) if the key is not here."""
        if self._beside_prefix(key) != 0:
            return ABSENT, ABSENT
        self._fetch_places()
        at = self._with_head(head_of(key, self._prefix_size))
        if at < 0:
            return ABSENT, ABSENT
        end = self.end(at)
        self._fetch_value(end)
        start = self._value_of(at, key)
        if start < 0:  # several may have this head
            at = self._search(key, 0)
            if at == self.count or self.key(at) != key:
                return ABSENT, ABSENT
            start = self.start(at)
            end = self.end(at)
        return start, end

    def _search(self, key: bytes, behind: i64) -> i64:
        """The first entry above `key`, or, where behind is 0, not below it.

        `key` must begin with the prefix.
        """
        head = head_of(key, self._prefix_size)
        low = self._with_head(head)
        if low < 0:
            return ~low
        self._fetched = self.data[self.end(low) - 1]
        if self._order(low, key) >= behind:
            return low
        low += 1
        high = self._first(head + 1)
        while low < high:
            middle: i64 = (low + high) >> 1
            if self._order(middle, key) >= behind:
                high = middle
            else:
                low = middle + 1
        return low

    def _fetch_places(self) -> None:
        """Have heads and ends fetched into the processor's caches, all at once.

        The search would wait for one line of memory after the other.
        """
        data = self.data
        stop: i64 = self._ends + 4 * self.count
        step: i64 = stop >> 4
        if step < LINE:
            step = LINE
        fetched: i64 = 0
        at: i64 = LINE >> 1
        while at < stop:
            fetched += data[at]
            at += step
        self._fetched = fetched

    def _fetch_value(self, end: i64) -> None:
        """Have what lies before `end` fetched with the entry's beginning, which is read next."""
        self._fetched = self.data[end - 1]
        if end > LINE:
            self._fetched += self.data[end - 1 - LINE]

    def _with_head(self, head: i64) -> i64:
        """The first entry that has this head; ~ the first that has a higher one if there is none.

        That is negative, and the count stands for an entry that is not there.
        """
        at = self._first(head)
        if at < self.count and i64(read_i32_be(self.data, FIXED + HEAD * at)) & HEAD_BITS == head:
            return at
        return ~at

    def _first(self, head: i64) -> i64:
        """The first entry whose head is not below this one; count if there is none.

        Without branches that a processor could guess wrong, and with heads fetched side by side
        where they are not in its caches.
        """
        data = self.data
        low: i64 = 0
        size: i64 = self.count  # it is among so many from low on, or right behind them
        while size > WIDE:
            step: i64 = size >> 2
            at: i64 = FIXED + HEAD * (low + step - 1)
            one: i64 = (i64(read_i32_be(data, at)) & HEAD_BITS) - head
            at += HEAD * step
            two: i64 = (i64(read_i32_be(data, at)) & HEAD_BITS) - head
            at += HEAD * step
            three: i64 = (i64(read_i32_be(data, at)) & HEAD_BITS) - head
            low -= step * ((one >> 63) + (two >> 63) + (three >> 63))
            size -= 3 * step
        while size > 0:
            half: i64 = (size + 1) >> 1
            at = FIXED + HEAD * (low + half - 1)
            low += half & (((i64(read_i32_be(data, at)) & HEAD_BITS) - head) >> 63)
            size -= half
        return low

    def _beside_prefix(self, key: bytes) -> i64:
        """0 if the key begins with the prefix; else whether it is below (-1) or above (1) it."""
        prefix: i64 = self._prefix_size
        size: i64 = len(key)
        if prefix == 0:
            return 0
        if prefix <= 16 and prefix <= size and size >= 8:  # as nearly always
            opening: i64 = read_i64_be(key, 0)
            if prefix < 8:
                if opening >> (64 - 8 * prefix) == self._opening:
                    return 0
            elif opening == self._opening and read_i64_be(key, prefix - 8) == self._closing:
                return 0
        start: i64 = self._entries - prefix
        return compare(self.data, start, prefix, key, 0, size if size < prefix else prefix)

    def _value_of(self, at: i64, key: bytes) -> i64:
        """Where the value of entry `at` begins if its key is `key`; else a negative number.

        `key` must begin with the prefix, and the heads must be equal.
        """
        data = self.data
        start = self._start(at)
        suffix: i64 = data[start]
        start += 1
        if suffix >= SHORT:
            suffix, start = read_varint(data, start - 1, len(data))
        skip: i64 = self._prefix_size + HEAD
        if suffix != len(key) - skip + HEAD:
            return ABSENT
        rest: i64 = suffix - HEAD
        if rest > 0 and compare(data, start + HEAD, rest, key, skip, rest) != 0:
            return ABSENT
        return start + suffix

    def _order(self, at: i64, key: bytes) -> i64:
        """Whether the entry's key is below (-1), is (0) or is above (1) `key`.

        `key` must begin with the prefix, and the heads must be equal.
        """
        start = self._start(at)
        data = self.data
        suffix: i64 = data[start]
        start += 1
        if suffix >= SHORT:
            suffix, start = read_varint(data, start - 1, len(data))
        skip: i64 = self._prefix_size
        rest: i64 = len(key) - skip
        if suffix > HEAD and rest > HEAD:
            start += HEAD
            return 0 - compare(data, start, suffix - HEAD, key, skip + HEAD, rest - HEAD)
        if suffix == rest:  # what one is longer by is zeros in both heads
            return 0
        return -1 if suffix < rest else 1

    def _start(self, at: i64) -> i64:
        """Where entry `at` begins."""
        if at == 0:
            return self._entries
        return self._entries + i64(read_i32_le(self.data, self._ends + 4 * (at - 1)))

    def key(self, at: i64) -> bytes:
        """The key of entry `at`."""
        start = self._start(at)
        suffix, start = read_varint(self.data, start, len(self.data))
        _check_order(start, start + suffix)
        return self.prefix() + self.data[start : start + suffix]

    def value(self, at: i64) -> bytes:
        """The value of entry `at`."""
        start = self.start(at)
        end = self.end(at)
        _check_order(start, end)
        return self.data[start:end]

    def start(self, at: i64) -> i64:
        """Where the value of entry `at` begins in `data`."""
        start = self._start(at)
        suffix: i64 = self.data[start]
        start += 1
        if suffix >= SHORT:
            suffix, start = read_varint(self.data, start - 1, len(self.data))
        return start + suffix

    def end(self, at: i64) -> i64:
        """Where the value of entry `at` ends in `data`."""
        return self._entries + i64(read_i32_le(self.data, self._ends + 4 * at))

    def prefix(self) -> bytes:
        """What all keys begin with."""
        return self.data[self._entries - self._prefix_size : self._entries]

    def keys(self) -> list[bytes]:
        """All keys, in order."""
        keys: list[bytes] = []
        self.copy(0, self.count, keys, None)
        return keys

    def values(self) -> list[bytes]:
        """All values, in order."""
        values: list[bytes] = []
        self.copy(0, self.count, None, values)
        return values

    def copy(
        self, first: i64, last: i64, keys: list[bytes] | None, values: list[bytes] | None
    ) -> None:
        """Append the keys and the values of the entries from first to last (excluded)."""
        data = self.data
        prefix = self.prefix()
        at = first
        while at < last:
            start = self._start(at)
            suffix: i64 = data[start]
            start += 1
            if suffix >= SHORT:
                suffix, start = read_varint(data, start - 1, len(data))
            stop: i64 = start + suffix
            end = self.end(at)
            if start > stop or stop > end:
                raise ValueError(NO_ENTRY)
            if keys is not None:
                keys.append(prefix + data[start:stop])
            if values is not None:
                values.append(data[stop:end])
            at += 1

    def read(self, first: i64, last: i64, keys: list[bytes], values: list[object]) -> None:
        """Append the entries from first to last (excluded) as readers know them.

        Keys without their first byte, the database's; a plain value as its bytes, others as Cells.
        """
        data = self.data
        most: i64 = len(data)
        prefix = self.prefix()[1:]
        skip: i64 = 0 if self._prefix_size > 0 else 1
        start = self._start(first) if first < last else 0
        ends: i64 = self._ends + 4 * first
        at = first
        while at < last:
            end: i64 = self._entries + i64(read_i32_le(data, ends))
            suffix: i64 = data[start]
            start += 1
            if suffix >= SHORT:
                suffix, start = read_varint(data, start - 1, most)
            stop: i64 = start + suffix
            if start + skip > stop or stop >= end:
                raise ValueError(NO_ENTRY)
            key = data[start + skip : stop]
            keys.append(prefix + key if prefix else key)
            if data[stop] == BYTES:
                values.append(data[stop + 1 : end])
            else:
                values.append(decode_cell(data, stop, end))
            start = end
            ends += 4
            at += 1


def _check_order(start: i64, end: i64) -> None:
    if start > end:
        raise ValueError(NO_ENTRY)


def compare(data: bytes, start: i64, size: i64, key: bytes, at: i64, key_size: i64) -> i64:
    """-1, 0 or 1: `key` from `at` on (key_size bytes) against `size` bytes of data from `start`.

    -1 where the key is below. Nothing is sliced. Eight bytes must be readable at every place up to
    start + size, and the key must go on for key_size bytes.
    """
    common: i64 = size if size < key_size else key_size
    done: i64 = 0
    while done + 8 <= common:
        ours: i64 = read_i64_be(key, at + done)
        theirs: i64 = read_i64_be(data, start + done)
        if ours != theirs:
            return _order_unsigned(ours, theirs)
        done += 8
    rest: i64 = common - done
    if rest > 0 and at + common >= 8:  # the last bytes in one step
        mask: i64 = ALL_BITS >> (62 - 8 * rest)
        ours = read_i64_be(key, at + common - 8) & mask
        theirs = (read_i64_be(data, start + done) >> (64 - 8 * rest)) & mask
        if ours != theirs:
            return _order_unsigned(ours, theirs)
        done = common
    while done < common:
        byte: i64 = key[at + done]
        other: i64 = data[start + done]
        if byte != other:
            return _order_unsigned(byte, other)
        done += 1
    return _order_unsigned(key_size, size)


def _order_unsigned(one: i64, other: i64) -> i64:
    """-1, 0 or 1: where the top bits differ, the negative one is the larger."""
    if one == other:
        return 0
    if (one < 0) == (other < 0):
        if one < other:
            return -1
        return 1
    if other < 0:
        return -1
    return 1
