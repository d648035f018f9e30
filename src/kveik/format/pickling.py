"""Plain data as a pickle of protocol 4, without a memo. docs/formats/values.md.

What it writes holds no global and nothing that runs; `unpickling` says what plain data are.
Invariant: pieces written one after the other can stand in one list. Called by the framed protocol
and for values that JSON cannot say.
"""

from __future__ import annotations

import struct
from typing import Final

from kveik.errors import LimitError
from kveik.format.coding import BytesWriter, write_i32_le
from kveik.limits import MAX_NESTING
from kveik.native import i32, i64, u8

DEEPEST: Final = 2 * MAX_NESTING  # an answer puts lists around what was stored
HEAD: Final = b"\x80\x04"
STOP: Final = b"."


def dump(value: object) -> bytes:
    """A whole pickle. LimitError past the bounds, TypeError for what is no plain data."""
    out = BytesWriter()
    out.write(HEAD)
    put(out, value)
    out.write(STOP)
    return out.getvalue()


def put(out: BytesWriter, value: object, depth: i64 = 0) -> None:
    """One value."""
    if isinstance(value, str):
        put_text(out, _utf8(value))
    elif isinstance(value, bytes):
        put_bytes(out, value)
    elif value is None:
        out.write(b"N")
    elif isinstance(value, bool):
        out.write(b"\x88" if value else b"\x89")
    elif isinstance(value, int):
        _put_int(out, value)
    elif isinstance(value, float):
        out.write(b"G" + struct.pack(">d", value))
    elif depth >= DEEPEST:
        raise LimitError(f"data are nested at most {DEEPEST} deep")
    else:
        _put_container(out, value, depth + 1)


def put_text(out: BytesWriter, data: bytes) -> None:
    """Text, as its UTF-8."""
    _put_sized(out, b"\x8c", b"X", b"\x8d", data)


def put_bytes(out: BytesWriter, data: bytes) -> None:
    _put_sized(out, b"C", b"B", b"\x8e", data)


def _put_sized(out: BytesWriter, short: bytes, usual: bytes, long: bytes, data: bytes) -> None:
    size: i64 = len(data)
    if size < 256:
        out.write(short)
        out.append(u8(size))
    elif size < 1 << 31:
        out.write(usual)
        write_i32_le(out, i32(size))
    else:
        out.write(long + int(size).to_bytes(8, "little"))
    out.write(data)


def _put_int(out: BytesWriter, number: int) -> None:
    if -(1 << 31) <= number < 1 << 31:
        if 0 <= number < 256:
            out.write(b"K")
            out.append(u8(number))
        else:
            out.write(b"J")
            write_i32_le(out, i32(number))
        return
    size = (number.bit_length() >> 3) + 1  # with room for the sign
    if size < 256:
        out.write(b"\x8a")
        out.append(u8(size))
    else:
        out.write(b"\x8b" + size.to_bytes(4, "little"))
    out.write(number.to_bytes(size, "little", signed=True))


def _put_container(out: BytesWriter, value: object, depth: i64) -> None:
    if isinstance(value, list):
        out.write(b"](")
        for item in value:
            put(out, item, depth)
        out.write(b"e")
    elif isinstance(value, tuple):
        out.write(b"(")
        for item in value:
            put(out, item, depth)
        out.write(b"t")
    elif isinstance(value, dict):
        out.write(b"}(")
        for key, item in value.items():
            put(out, key, depth)
            put(out, item, depth)
        out.write(b"u")
    elif isinstance(value, (set, frozenset)):
        out.write(b"\x8f(" if isinstance(value, set) else b"(")
        for item in list(value):
            put(out, item, depth)
        out.write(b"\x90" if isinstance(value, set) else b"\x91")
    else:
        raise TypeError(f"no plain data: {type(value).__name__}")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a character, which Python's text may hold
        return text.encode("utf-8", "surrogatepass")
