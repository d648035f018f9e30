"""Stored values <-> bytes: what a table keeps for a key. docs/formats/table.md is the grammar.

    value = kind:u8 | [expires:i64 if the kind's top bit is set] | data

The same kinds and the same bit as in a log record; a tombstone (DELETED) has no data. The helpers
read out of a larger bytes object without slicing it. Called by whoever writes or reads tables.
"""

from __future__ import annotations

from kveik.format.coding import BytesWriter, read_i64_le, write_i64_le
from kveik.format.record import EXPIRES_BIT
from kveik.model import KINDS, Cell
from kveik.native import i64, u8

TOMBSTONE = b"\x00"  # the stored value of a deleted key


def encode_value_of(cell: Cell) -> bytes:
    """The stored value of a cell."""
    kind: i64 = cell.kind
    expires: i64 = cell.expires
    out = BytesWriter()
    if expires == 0:
        out.append(u8(kind))
    else:
        out.append(u8(kind | EXPIRES_BIT))
        write_i64_le(out, expires)
    out.write(cell.data)
    return out.getvalue()


def decode_cell(data: bytes, start: i64, end: i64) -> Cell:
    """The cell of the stored value from start to end; ValueError if it makes no sense."""
    if start >= end:
        raise ValueError("a stored value is empty")
    kind: i64 = data[start]
    expires: i64 = 0
    at: i64 = start + 1
    if kind >= EXPIRES_BIT:
        if at + 8 > end:
            raise ValueError("a stored value breaks off")
        expires = read_i64_le(data, at)
        kind -= EXPIRES_BIT
        at += 8
    if kind not in KINDS:
        raise ValueError(f"unknown content type {kind}")
    return Cell(kind, data[at:end], expires)


def kind_at(data: bytes, start: i64) -> i64:
    """The content type of the stored value at start."""
    kind: i64 = data[start]
    return kind & 127


def expires_at(data: bytes, start: i64) -> i64:
    """The expiry of the stored value at start in Unix milliseconds, 0 for never."""
    kind: i64 = data[start]
    return read_i64_le(data, start + 1) if kind >= EXPIRES_BIT else 0


def data_at(data: bytes, start: i64) -> i64:
    """Where the data of the stored value at start begins."""
    kind: i64 = data[start]
    return start + 9 if kind >= EXPIRES_BIT else start + 1
