"""Integers in bytes: little-endian fixed width, and varints. Called by every other format module.

`librt.strings` is compiled to a few machine instructions (1 ns against 200 ns for struct); where it
is not installed the stand-ins of `portable` do the same in plain Python.
"""

from __future__ import annotations

try:
    from librt.strings import (
        BytesWriter,
        read_i16_be,
        read_i32_be,
        read_i32_le,
        read_i64_be,
        read_i64_le,
        write_i32_be,
        write_i32_le,
        write_i64_le,
    )
except ImportError:
    from kveik.format.portable import (  # type: ignore[assignment]
        BytesWriter,
        read_i16_be,
        read_i32_be,
        read_i32_le,
        read_i64_be,
        read_i64_le,
        write_i32_be,
        write_i32_le,
        write_i64_le,
    )

from kveik.native import i32, i64, u8

__all__ = [
    "BytesWriter",
    "read_i16_be",
    "read_i32_be",
    "read_i32_le",
    "read_i64_be",
    "read_i64_le",
    "read_varint",
    "signed",
    "varint_size",
    "write_i32_be",
    "write_i32_le",
    "write_i64_le",
    "write_varint",
]

MAX_VARINT_BYTES = 5  # lengths fit 31 bits


def signed(number: i64) -> i32:
    """An unsigned number of 32 bits, as the writers take it."""
    return i32(number - 0x100000000 if number > 0x7FFFFFFF else number)


def write_varint(out: BytesWriter, number: i64) -> None:
    """Append 0 <= number < 2**31: seven bits a byte, low bits first, the top bit says "more"."""
    while number > 127:
        out.append(u8((number & 127) | 128))
        number >>= 7
    out.append(u8(number))


def varint_size(number: i64) -> i64:
    """How many bytes write_varint takes."""
    size: i64 = 1
    while number > 127:
        number >>= 7
        size += 1
    return size


def read_varint(data: bytes, position: i64, end: i64) -> tuple[i64, i64]:
    """The number at position and the position behind it; (-1, position) where there is none."""
    number: i64 = 0
    shift: i64 = 0
    at = position
    while at < end and shift < 7 * MAX_VARINT_BYTES:
        byte: i64 = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    return -1, position
