"""What DUMP gives and RESTORE takes: a string as Redis writes it in its files.

    payload = type:u8 | string | version:u16le | crc64 of all before it:u64le
    string  = length | bytes                                 (raw)
            | C0 i8 | C1 i16le | C2 i32le                    (an integer, for its digits)
            | C3 | length packed | length unpacked | packed  (LZF)
    length  = 00xxxxxx | 01xxxxxx xxxxxxxx | 80 u32be | 81 u64be

The checksum is CRC-64/Jones, reflected, from 0. Only strings are known. Pure; called by commands.
"""

from __future__ import annotations

from typing import Final

from kveik.format.coding import read_i64_le
from kveik.limits import MAX_VALUE
from kveik.native import i64

STRING: Final = 0  # the type; others are lists, hashes and so on
TYPES: Final = 22  # types that some version of Redis writes
WRITTEN_VERSION: Final = 10  # Redis 7.0's, so that 7.0 and newer take what is written
NEWEST_VERSION: Final = 12  # strings have not changed since version 1
FOOTER: Final = 10  # bytes

RAW_6: Final = 0
RAW_14: Final = 1
RAW_32: Final = 0x80
RAW_64: Final = 0x81
INT_8: Final = 0xC0
INT_16: Final = 0xC1
INT_32: Final = 0xC2
LZF: Final = 0xC3

BROKEN: Final = "the payload makes no sense"


def pack(data: bytes) -> bytes:
    """The payload of a string: digits as an integer where that is shorter, else raw."""
    body = bytes((STRING,)) + (_integer(data) or _length(len(data)) + data)
    body += WRITTEN_VERSION.to_bytes(2, "little")
    return body + checksum(body)


def intact(payload: bytes) -> bool:
    """Whether version and checksum are right."""
    if len(payload) < FOOTER:
        return False
    version = int.from_bytes(payload[-FOOTER:-8], "little")
    if version > NEWEST_VERSION:
        return False
    return payload[-8:] == checksum(payload[:-8])


def unpack(payload: bytes) -> bytes:
    """The string in an intact payload; ValueError if there is none."""
    if len(payload) <= FOOTER or payload[0] != STRING:
        raise ValueError(BROKEN)
    return _Reader(payload[1:-FOOTER]).string()


def kind(payload: bytes) -> int:
    """The type in an intact payload; -1 if there is nothing."""
    return payload[0] if len(payload) > FOOTER else -1


def checksum(data: bytes) -> bytes:
    crc: i64 = 0
    at: i64 = 0
    table = _TABLE
    while at < len(data):
        place: i64 = (crc ^ data[at]) & 255
        crc = ((crc >> 8) & 0x00FFFFFFFFFFFFFF) ^ read_i64_le(table, 8 * place)
        at += 1
    return int(crc).to_bytes(8, "little", signed=True)


def _make_table() -> bytes:
    """The checksum of each single byte, eight bytes each."""
    polynomial = 0x95AC9329AC4BC9B5  # Jones' 0xAD93D23594C935A9, lowest power first
    table = b""
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ polynomial if crc & 1 else crc >> 1
        table += crc.to_bytes(8, "little")
    return table


_TABLE: Final = _make_table()


def _length(size: int) -> bytes:
    if size < 1 << 6:
        return bytes((size,))
    if size < 1 << 14:
        return (size | 1 << 14).to_bytes(2, "big")
    return bytes((RAW_32,)) + size.to_bytes(4, "big")


def _integer(data: bytes) -> bytes:
    """A string that is the digits of a 32-bit integer; nothing if it is not."""
    if len(data) > 11 or not data.removeprefix(b"-").isdigit():
        return b""
    number = int(data)
    if b"%d" % number != data or not -(1 << 31) <= number < 1 << 31:
        return b""
    for code, size in ((INT_8, 1), (INT_16, 2)):
        if -(1 << (8 * size - 1)) <= number < 1 << (8 * size - 1):
            return bytes((code,)) + number.to_bytes(size, "little", signed=True)
    return bytes((INT_32,)) + number.to_bytes(4, "little", signed=True)


class _Reader:
    """Bytes from left to right; ValueError past their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def string(self) -> bytes:
        lead = self._data[self._at] if self._at < len(self._data) else 0
        if lead in (INT_8, INT_16, INT_32):
            self._at += 1
            size = 1 << (lead - INT_8)
            return b"%d" % int.from_bytes(self._take(size), "little", signed=True)
        if lead == LZF:
            self._at += 1
            packed = self._length()
            unpacked = self._length()
            return unpack_lzf(self._take(packed), unpacked)
        return self._take(self._length())

    def _length(self) -> int:
        lead = self._take(1)[0]
        if lead >> 6 == RAW_6:
            return lead
        if lead >> 6 == RAW_14:
            return (lead & 63) << 8 | self._take(1)[0]
        if lead not in (RAW_32, RAW_64):
            raise ValueError(BROKEN)
        return int.from_bytes(self._take(4 if lead == RAW_32 else 8), "big")

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise ValueError(BROKEN)
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken


def unpack_lzf(packed: bytes, size: int) -> bytes:
    """What LZF has packed, `size` bytes; ValueError if it makes no sense."""
    if size > MAX_VALUE:
        raise ValueError(BROKEN)
    out = bytearray()
    end: i64 = len(packed)
    at: i64 = 0
    while at < end:
        control: i64 = packed[at]
        at += 1
        if control < 32:  # so many bytes and one more, as they are
            if at + control + 1 > end:
                raise ValueError(BROKEN)
            out += packed[at : at + control + 1]
            at += control + 1
        else:  # again what stands a distance before the end
            length: i64 = control >> 5
            if at + (length == 7) >= end:
                raise ValueError(BROKEN)
            if length == 7:
                length += packed[at]
                at += 1
            distance: i64 = ((control & 31) << 8 | packed[at]) + 1
            at += 1
            _repeat(out, distance, length + 2)
        if len(out) > size:
            raise ValueError(BROKEN)
    if len(out) != size:
        raise ValueError(BROKEN)
    return bytes(out)


def _repeat(out: bytearray, distance: i64, length: i64) -> None:
    """Append so many bytes from a distance before the end; it may run into what it appends."""
    start: i64 = len(out) - distance
    if start < 0:
        raise ValueError(BROKEN)
    piece = bytes(out[start : start + length])
    while len(piece) < length:
        piece += piece
    out += piece[:length]
