"""The head of a log segment <-> bytes. docs/formats/log.md is the grammar.

    head = "KVEIKLOG" | version:i32 | salt:i32 | number:i64 | size:i64 | database id[16]
         | zeros[12] | crc:i32                                                   (64 bytes)

Called by `engine.log` and `engine.replay`; `format.edit` has the manifest's head laid out the same,
under a magic of its own. A head is written and synced before its file gets its
name, so every file named as a segment has a whole one.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from kveik.native import i64

HEAD_SIZE: Final = 64
MAX_NUMBER: Final = (1 << 63) - 1  # of a segment or a table
MAX_DIGITS: Final = 19  # of such a number in the name of a file
MAGIC: Final = b"KVEIKLOG"
VERSION: Final = 1
_LAYOUT: Final = struct.Struct("<8sIIqq16s12xI")


class SegmentHead:
    """What a segment says of itself: salt (u32), number (from 1), size (bytes, head included)."""

    __slots__ = ("database_id", "number", "salt", "size", "version")

    def __init__(
        self, number: i64, size: i64, salt: int, database_id: bytes, version: int = VERSION
    ) -> None:
        self.number = number
        self.size = size
        self.salt = salt
        self.database_id = database_id
        self.version = version


def encode_head(head: SegmentHead, magic: bytes = MAGIC) -> bytes:
    fields = (magic, head.version, head.salt, head.number, head.size, head.database_id)
    crc = zlib.crc32(_LAYOUT.pack(*fields, 0)[:-4])
    return _LAYOUT.pack(*fields, crc)


def decode_head(data: bytes, magic: bytes = MAGIC, what: str = "log segment") -> SegmentHead:
    """The head; ValueError says what is wrong with it."""
    if len(data) < HEAD_SIZE:
        raise ValueError(f"the {what}'s head breaks off after {len(data)} bytes")
    found, version, salt, number, size, database_id, crc = _LAYOUT.unpack_from(data)
    if found != magic:
        raise ValueError(f"not a {what}")
    if zlib.crc32(data[: HEAD_SIZE - 4]) != crc:
        raise ValueError(f"the checksum of the {what}'s head does not match")
    return SegmentHead(number, size, salt, database_id, version)


def segment_name(number: i64) -> str:
    """The file name of a segment."""
    return f"{number:010d}.log"


def segment_number(name: str) -> int:
    """The number in a segment's file name, 0 if it is no segment's."""
    stem, _, suffix = name.partition(".")
    plain = suffix == "log" and stem.isdecimal() and len(stem) <= MAX_DIGITS
    number = min(int(stem), MAX_NUMBER) if plain else 0
    return number if name == segment_name(number) else 0
