"""Stored keys, key ranges and values as a person reads them: for messages, not to be read back."""

from __future__ import annotations

import time
from typing import Final

from kveik.format.entry import decode_cell
from kveik.limits import DATABASES
from kveik.model import BYTES, CLEARED, DELETED, JSON, PICKLE, TEXT, Cell
from kveik.native import i64

LONGEST: Final = 48  # characters of a key or value; what is longer is cut
KIND_NAMES: Final = {
    DELETED: "deleted",
    BYTES: "bytes",
    TEXT: "text",
    JSON: "json",
    PICKLE: "pickle",
    CLEARED: "range deleted",
}


def show_bytes(data: bytes, most: i64 = LONGEST) -> str:
    """Text in quotes where it is printable UTF-8, otherwise hex; cut if it is long."""
    behind = "" if len(data) <= most else f"... ({len(data)} bytes)"
    text = _text(data[:most], len(data) > most)
    if text is not None and text.isprintable():
        return repr(text) + behind
    return f"0x{data[:most].hex()}{behind}"


def _text(data: bytes, cut: bool) -> str | None:
    """What UTF-8 says; the last character may be broken off where the bytes were cut."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if cut and error.start > 0 and len(data) - error.start < 4:
            return _text(data[: error.start], False)
        return None


def show_key(key: bytes) -> str:
    """A stored key: its database, then the key."""
    if not key or key[0] >= DATABASES:
        return "the end" if key else "the beginning"
    return f"{key[0]}:{show_bytes(key[1:])}"


def show_range(low: bytes, high: bytes) -> str:
    """The stored keys from low (included) to high (excluded)."""
    if low and high == low + b"\x00":
        return f"key {show_key(low)}"
    if high.endswith(b"\x00") and len(high) > 2:  # the first key that is not in it any more
        return f"keys {show_key(low)} to {show_key(high[:-1])}"
    return f"keys from {show_key(low)} to below {show_key(high)}"


def show_time(milliseconds: i64) -> str:
    """A moment in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(milliseconds // 1000))


def show_cell(cell: Cell) -> str:
    """A value, shortened, with its kind and expiry."""
    if cell.kind == DELETED:
        return "deleted"
    if cell.kind == CLEARED:
        return f"deletes up to {show_key(cell.data)}"
    shown = f"{KIND_NAMES[cell.kind]} {show_bytes(cell.data)}"
    return f"{shown} until {show_time(cell.expires)}" if cell.expires else shown


def show_value(stored: bytes) -> str:
    """A stored value, shortened; what makes no sense is said so."""
    try:
        return show_cell(decode_cell(stored, 0, len(stored)))
    except ValueError as error:
        return f"({error})"
