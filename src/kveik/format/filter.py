"""Bloom filters: whether a partition of a table may hold a key. docs/formats/table.md.

    filter = line[64] * n             a key has all of its bits within one line of memory

Readers take any n; whoever builds one chooses the bits a key.

A key's hash is its CRC-32. It chooses the line; multiplied by SPREAD (the product stays below
2**63) it gives PROBES numbers of nine bits, which are the key's bits in the line.
Invariant: a key that was put in is never denied.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from kveik.format.coding import BytesWriter, read_i32_le, signed, write_i32_le
from kveik.native import i64, u8

LINE: Final = 64  # bytes; a processor fetches as much at once
BITS_PER_KEY: Final = 13  # one absent key in 200 passes
MANY_BITS: Final = 20  # one in 2,000; for a flushed table, as all of level 0 may be asked for a key
PROBES: Final = 7
SPREAD: Final = 0x7FB5D329  # an odd number below 2**31


def hash_key(key: bytes) -> i64:
    """The hash of a key, 0 to 2**32 - 1."""
    return crc32(key)


def hash_keys(keys: list[bytes], hashes: BytesWriter) -> None:
    """Append the hash of each key, four bytes each, as `build` takes them."""
    for number in map(crc32, keys):
        write_i32_le(hashes, signed(number))


def filter_lines(count: i64, bits_per_key: i64) -> i64:
    """How many lines the filter over so many keys has."""
    return (count * bits_per_key + 8 * LINE - 1) // (8 * LINE)


def build(hashes: bytes, bits_per_key: i64) -> bytes:
    """The filter over keys with these hashes (see hash_keys)."""
    count: i64 = len(hashes) // 4
    lines: i64 = filter_lines(count, bits_per_key)
    bits = BytesWriter()
    bits.write(bytes(lines * LINE))
    at: i64 = 0
    while at < count:
        hashed: i64 = i64(read_i32_le(hashes, 4 * at)) & 0xFFFFFFFF
        line: i64 = ((hashed * lines) >> 32) * LINE
        spread: i64 = hashed * SPREAD
        probe: i64 = 0
        while probe < PROBES:
            place: i64 = line + ((spread & 511) >> 3)
            bits[place] = u8(i64(bits[place]) | (1 << (spread & 7)))
            spread >>= 9
            probe += 1
        at += 1
    return bits.getvalue()


def may_contain(data: bytes, hashed: i64) -> bool:
    """False if no key with this hash was put into the filter."""
    lines: i64 = len(data) // LINE
    line: i64 = ((hashed * lines) >> 32) * LINE
    spread: i64 = hashed * SPREAD
    probe: i64 = 0
    while probe < PROBES and lines > 0:
        byte: i64 = data[line + ((spread & 511) >> 3)]
        if (byte >> (spread & 7)) & 1 == 0:
            return False
        spread >>= 9
        probe += 1
    return lines > 0
