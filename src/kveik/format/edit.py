"""Edits of the manifest <-> bytes. docs/formats/manifest.md is the grammar.

    head   = as a log segment's, with the magic "KVEIKMAN", number 0 and size 0     (64 bytes)
    record = as in the log: crc:u32 | length:i32 | number:i64 | 3 | text
    text   = one JSON object, ASCII

Invariants: what is encoded is the same for the same edit, byte for byte; what is decoded is exactly
what the grammar says, anything else is a ValueError. The checksum keeps damage out, so that what
fails here was written by a program that is wrong, or newer. Called by `engine.manifest`.
"""

from __future__ import annotations

import json
import re
from typing import Final

from kveik.format.record import EDIT, HEADER, encode_record, record_end, record_lsn, record_type
from kveik.format.segment import SegmentHead, decode_head, encode_head
from kveik.format.table import TableInfo
from kveik.limits import LEVELS, MAX_KEY
from kveik.native import i64

NAME: Final = "MANIFEST"
MAGIC: Final = b"KVEIKMAN"
VERSION: Final = 1
MAX_NUMBER: Final = (1 << 63) - 1
START: Final = b"\x03{"  # a payload begins so; no text has the 03, so it is found nowhere else
TEXT: Final = HEADER + 1  # of a record; the JSON begins here

EDIT_FIELDS: Final = frozenset(("added", "removed", "log", "lsn", "next_table"))
COUNTS: Final = (
    "number",
    "size",
    "entries",
    "tombstones",
    "root_offset",
    "root_size",
    "clears",
    "expires",
)
TABLE_TEXT: Final = re.compile(rb'\{"level":\d[^{}]*\}')
REMOVED_TEXT: Final = re.compile(rb'"removed":\[(\d+(?:,\d+)*)\]')
NUMBER_TEXT: Final = re.compile(rb'"(log|lsn|next_table)":(\d{1,18})[,}]')
TABLE_FIELDS: Final = frozenset(("level", "low", "high", *COUNTS))


class Edit:
    """One change of what the directory holds.

    added: (level, table). Those for level 0 stand newest first; they are newer than all that is
    there, or take the place of the newest one of level 0 that the same edit removes.
    removed: table numbers. log: the first log segment that is still needed. lsn: the last commit
    that is in tables. next_table: every lower table number has been used. 0: no change.
    """

    __slots__ = ("added", "log", "lsn", "next_table", "removed")

    def __init__(
        self,
        added: list[tuple[int, TableInfo]],
        removed: list[int],
        log: i64 = 0,
        lsn: i64 = 0,
        next_table: i64 = 0,
    ) -> None:
        self.added = added
        self.removed = removed
        self.log = log
        self.lsn = lsn
        self.next_table = next_table


def encode_manifest_head(salt: int, database_id: bytes) -> bytes:
    return encode_head(SegmentHead(0, 0, salt, database_id, VERSION), MAGIC)


def decode_manifest_head(data: bytes) -> SegmentHead:
    """The head; ValueError says what is wrong with it."""
    return decode_head(data, MAGIC, "manifest")


def encode_edit(edit: Edit) -> bytes:
    """The text of an edit: what changes nothing is left out."""
    fields: dict[str, object] = {}
    if edit.added:
        fields["added"] = [_table_fields(level, info) for level, info in edit.added]
    if edit.removed:
        fields["removed"] = edit.removed
    if edit.log:
        fields["log"] = edit.log
    if edit.lsn:
        fields["lsn"] = edit.lsn
    if edit.next_table:
        fields["next_table"] = edit.next_table
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _table_fields(level: int, info: TableInfo) -> dict[str, object]:
    return {
        "level": level,
        "number": info.number,
        "size": info.size,
        "entries": info.entries,
        "tombstones": info.tombstones,
        "low": info.low.hex(),
        "high": info.high.hex(),
        "root_offset": info.root_offset,
        "root_size": info.root_size,
        "clears": info.clears,
        "expires": info.expires,
    }


def encode_edit_record(number: i64, edit: Edit, salt: int) -> bytes:
    """The whole record of a manifest's nth edit, from 1."""
    return encode_record(EDIT, number, encode_edit(edit), salt)


def decode_edit(data: bytes) -> Edit:
    """The edit that a text says; ValueError for anything else."""
    fields = _parsed(data)
    unknown = fields.keys() - EDIT_FIELDS
    if unknown:
        raise ValueError(f"an edit has no field {min(unknown)!r}")
    removed = [
        _number(number, "removed", 1) for number in _items(fields.get("removed", []), "removed")
    ]
    if len(set(removed)) < len(removed):
        raise ValueError("a table is removed twice")
    return Edit(
        [_decode_table(item) for item in _items(fields.get("added", []), "added")],
        removed,
        _number(fields.get("log", 0), "log", 0),
        _number(fields.get("lsn", 0), "lsn", 0),
        _number(fields.get("next_table", 0), "next_table", 0),
    )


def _parsed(data: bytes) -> dict[str, object]:
    try:
        value = json.loads(data.decode("ascii"), object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("an edit is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("an edit is not ASCII") from None
    if not isinstance(value, dict):
        raise ValueError("an edit is not an object")
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field stands twice")
    return fields


def _items(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is not a list")
    return value


def _number(value: object, name: str, least: int) -> int:
    # True and False are ints to Python, and to JSON they are not.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_NUMBER:
        raise ValueError(f"{name} is not a whole number from {least} to {MAX_NUMBER}")
    return value


def _key(value: object, name: str) -> bytes:
    key = b""
    if isinstance(value, str):
        try:
            key = bytes.fromhex(value)
        except ValueError:
            key = b""
    # A bound is at most a key, its database byte and one byte behind it.
    if not 1 <= len(key) <= MAX_KEY + 2 or key.hex() != value:
        raise ValueError(f"{name} is not the hex of a key")
    return key


def _decode_table(value: object) -> tuple[int, TableInfo]:
    if not isinstance(value, dict) or value.keys() != TABLE_FIELDS:
        raise ValueError("a table has other fields than it should")
    level = _number(value["level"], "level", 0)
    counts = [_number(value[name], name, 0) for name in COUNTS]
    number, size, entries, tombstones, root_offset, root_size, clears, expires = counts
    low = _key(value["low"], "low")
    high = _key(value["high"], "high")
    if level >= LEVELS:
        raise ValueError(f"there is no level {level}")
    if number < 1:
        raise ValueError("a table has the number 0")
    if low >= high:
        raise ValueError(f"table {number} ends before it begins")
    if root_size < 1 or root_offset + root_size > size:
        raise ValueError(f"the root of table {number} is not inside its file")
    if tombstones > entries or entries + clears < 1:
        raise ValueError(f"table {number} has impossible counts")
    return level, TableInfo(
        number, size, entries, tombstones, low, high, root_offset, root_size, clears, expires
    )


def edit_of(data: bytes, at: i64, end: i64) -> Edit:
    """The edit in the valid record from `at` to `end`; ValueError if it is none."""
    if record_type(data, at) != EDIT:
        raise ValueError(f"unknown record type {record_type(data, at)}")
    return decode_edit(data[at + TEXT : end])


def find_edit(data: bytes, at: i64, salt: int, number: i64) -> i64:
    """Where a valid record of edit `number` or a later one stands at or behind `at`; -1 if none."""
    found: i64 = data.find(START, at)
    while found >= 0:
        start: i64 = found - HEADER
        valid = start >= at and record_end(data, start, salt) >= 0
        if valid and record_lsn(data, start) >= number:
            return start
        found = data.find(START, found + 1)
    return -1


def salvage_edit(data: bytes) -> Edit:
    """What can still be made out in the text of a damaged edit, without any warranty."""
    added: list[tuple[int, TableInfo]] = []
    for text in TABLE_TEXT.findall(data):
        try:
            added.append(_decode_table(_parsed(text)))
        except ValueError:
            continue
    removed: list[int] = []
    for text in REMOVED_TEXT.findall(data):
        removed += [int(number) for number in text.split(b",")]
    edit = Edit(added, removed)
    for name, number in NUMBER_TEXT.findall(data):
        if name == b"log":
            edit.log = int(number)
        elif name == b"lsn":
            edit.lsn = int(number)
        else:
            edit.next_table = int(number)
    return edit
