"""What ties the blocks of a table together <-> bytes. docs/formats/table.md is the grammar.

    table     = (data block+ partition)* root footer[64]
    partition = index size:i32 | filter size:i32 | index | filter
    root      = index size:i32 | index | varint clears | (varint size, start, varint size, stop)*
    footer    = "KVEIKTBL" | version:i32 | reserved:i32 | number:i64 | root offset:i64
              | root size:i64 | entries:i64 | zeros[12] | crc:u32

An index is a sorted block: a separator (above every key of its block, not above any of the next)
-> where the block is. Called by the builder, by tables, and by whoever checks or repairs them;
`TableInfo` is also what the manifest keeps of a table.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from kveik.format.block import Block
from kveik.format.block_writer import common_prefix
from kveik.format.coding import (
    BytesWriter,
    read_i32_le,
    read_i64_le,
    read_varint,
    write_i32_le,
    write_i64_le,
    write_varint,
)
from kveik.format.segment import MAX_DIGITS, MAX_NUMBER
from kveik.native import i32, i64

MAGIC: Final = b"KVEIKTBL"
VERSION: Final = 2  # 1: filters have 13 bits a key; since then, as many as their builder chose
FOOTER_SIZE: Final = 64
BLOCK_SIZE: Final = 8192  # bytes of payload at which a data block is cut
PARTITION_BLOCKS: Final = 64  # data blocks that one index and one filter cover
_FOOTER: Final = struct.Struct("<8sIIqqqq12xI")


class TableInfo:
    """What the manifest says of a table. See __init__."""

    __slots__ = (
        "clears",
        "entries",
        "expires",
        "high",
        "low",
        "number",
        "root_offset",
        "root_size",
        "size",
        "tombstones",
    )

    def __init__(
        self,
        number: i64,
        size: i64,
        entries: i64,
        tombstones: i64,
        low: bytes,
        high: bytes,
        root_offset: i64,
        root_size: i64,
        clears: i64 = 0,
        expires: i64 = 0,
    ) -> None:
        self.number = number  # as in the file's name
        self.size = size  # bytes of the file
        self.entries = entries  # tombstones included
        self.tombstones = tombstones  # entries of kind DELETED
        self.low = low  # no key or clear of the table begins below
        self.high = high  # every key is below it, and no clear goes past it
        self.root_offset = root_offset
        self.root_size = root_size
        self.clears = clears  # how many ranges hide older tables' keys
        self.expires = expires  # the earliest expiry of an entry in Unix milliseconds; 0: none


class Footer:
    """What the last bytes of a table's file say of it."""

    __slots__ = ("entries", "number", "root_offset", "root_size", "version")

    def __init__(
        self,
        number: i64,
        root_offset: i64,
        root_size: i64,
        entries: i64,
        version: int = VERSION,
    ) -> None:
        self.number = number
        self.root_offset = root_offset
        self.root_size = root_size
        self.entries = entries
        self.version = version


def encode_footer(footer: Footer) -> bytes:
    places = (footer.number, footer.root_offset, footer.root_size, footer.entries)
    crc = zlib.crc32(_FOOTER.pack(MAGIC, footer.version, 0, *places, 0)[:-4])
    return _FOOTER.pack(MAGIC, footer.version, 0, *places, crc)


def decode_footer(data: bytes) -> Footer:
    """The footer; ValueError says what is wrong with it."""
    if len(data) < FOOTER_SIZE:
        raise ValueError(f"the table's footer breaks off after {len(data)} bytes")
    magic, version, _, number, offset, size, entries, crc = _FOOTER.unpack_from(data)
    if magic != MAGIC:
        raise ValueError("not a table")
    if zlib.crc32(data[: FOOTER_SIZE - 4]) != crc:
        raise ValueError("the checksum of the table's footer does not match")
    return Footer(number, offset, size, entries, version)


def table_name(number: i64) -> str:
    """The file name of a table."""
    return f"{number:010d}.tbl"


def table_number(name: str) -> int:
    """The number in a table's file name, 0 if it is no table's."""
    stem, _, suffix = name.partition(".")
    plain = suffix == "tbl" and stem.isdecimal() and len(stem) <= MAX_DIGITS
    number = min(int(stem), MAX_NUMBER) if plain else 0
    return number if name == table_name(number) else 0


def separator(last: bytes, following: bytes) -> bytes:
    """The shortest bytes above `last` and not above `following`, which is above last."""
    return following[: common_prefix(last, following, len(last)) + 1]


def encode_location(offset: i64, size: i64) -> bytes:
    """What an index says of a block: where it begins in the file, and its bytes on the disk."""
    out = BytesWriter()
    write_i64_le(out, offset)
    write_i32_le(out, i32(size))
    return out.getvalue()


def block_offset(index: Block, at: i64) -> i64:
    """Where the block of entry `at` of an index begins."""
    return read_i64_le(index.data, index.start(at))


def block_size(index: Block, at: i64) -> i64:
    """How many bytes the block of entry `at` of an index has on the disk."""
    return i64(read_i32_le(index.data, index.start(at) + 8))


def encode_partition(index: bytes, bloom: bytes) -> list[bytes]:
    """The pieces of a partition's payload."""
    out = BytesWriter()
    write_i32_le(out, i32(len(index)))
    write_i32_le(out, i32(len(bloom)))
    return [out.getvalue(), index, bloom]


def decode_partition(data: bytes) -> tuple[bytes, bytes]:
    """(index, filter) of a partition's payload; ValueError if the sizes do not add up."""
    if len(data) < 8:
        raise ValueError("a partition breaks off")
    index: i64 = i64(read_i32_le(data, 0))
    bloom: i64 = i64(read_i32_le(data, 4))
    if index < 0 or bloom < 0 or 8 + index + bloom != len(data):
        raise ValueError("the sizes in a partition do not add up")
    return data[8 : 8 + index], data[8 + index :]


def encode_root(index: bytes, clears: list[tuple[bytes, bytes]]) -> list[bytes]:
    """The pieces of the root's payload."""
    out = BytesWriter()
    write_varint(out, len(clears))
    for start, stop in clears:
        write_varint(out, len(start))
        out.write(start)
        write_varint(out, len(stop))
        out.write(stop)
    size = BytesWriter()
    write_i32_le(size, i32(len(index)))
    return [size.getvalue(), index, out.getvalue()]


def decode_root(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """(index, clears) of the root's payload; ValueError if it makes no sense."""
    end: i64 = len(data)
    stop: i64 = 4 + i64(read_i32_le(data, 0)) if end >= 4 else 0
    if stop < 4 or stop > end:
        raise ValueError("the sizes in a root do not add up")
    clears: list[tuple[bytes, bytes]] = []
    count, at = read_varint(data, stop, end)
    while len(clears) < count:
        low, at = _read_bytes(data, at)
        high, at = _read_bytes(data, at)
        clears.append((low, high))
    if count < 0 or at != end:
        raise ValueError("the sizes in a root do not add up")
    return data[4:stop], clears


def _read_bytes(data: bytes, at: i64) -> tuple[bytes, i64]:
    size, start = read_varint(data, at, len(data))
    if size < 0 or start + size > len(data):
        raise ValueError("a range in a root breaks off")
    return data[start : start + size], start + size


def bounds(
    first: bytes, last: bytes, entries: i64, clears: list[tuple[bytes, bytes]]
) -> tuple[bytes, bytes]:
    """(low, high) of a table as in TableInfo, by its first and last key and coalesced clears."""
    low = first
    high = last + b"\x00" if entries > 0 else b""
    if clears:
        low = min(low, clears[0][0]) if entries > 0 else clears[0][0]
        high = max(high, clears[-1][1])
    return low, high


def coalesce(clears: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The same ranges, sorted and without overlaps; empty ones are left out."""
    whole: list[tuple[bytes, bytes]] = []
    for start, stop in sorted(clears):
        if start >= stop:
            continue
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(stop, whole[-1][1]))
        else:
            whole.append((start, stop))
    return whole
