"""Log records <-> bytes. docs/formats/log.md is the grammar; `engine.log` and `engine.replay` call.

    record  = crc:u32 | length:i32 | lsn:i64 | payload[length]
    payload = 1 | commit+         commits, the first with the LSN `lsn`, each next with one more
            | 2 | MARK            a mark: everything up to `lsn` had been synced when it was written
            | 3 | text            an edit, in the manifest only; `lsn` counts the edits
    commit  = varint entry count | entry+
    entry   = kind:u8 | varint key length | key | [expires:i64] | varint data length | data

Invariants: the crc covers everything behind itself and starts from the segment's salt, so that a
record of another life of the file never validates. The top bit of an entry's kind says that an
expiry follows. Numbers here never change; a new layout is a new payload type.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from kveik.errors import LimitError
from kveik.format.coding import (
    BytesWriter,
    read_i32_le,
    read_i64_le,
    read_varint,
    varint_size,
    write_i32_le,
    write_i64_le,
    write_varint,
)
from kveik.limits import DATABASES
from kveik.model import BYTES, KINDS, Cell, Writes
from kveik.native import i32, i64, u8

HEADER: Final = 16
COMMITS: Final = 1
MARK: Final = 2
EDIT: Final = 3
MARK_MAGIC: Final = b"\xf7KVSAFE\xf8"
MARK_SIZE: Final = HEADER + 1 + 8
EXPIRES_BIT: Final = 128
MAX_EXPIRES: Final = (1 << 63) - 1  # Unix milliseconds
INLINE_DATA: Final = 16384  # longer data is not copied into the record's head but kept as a piece


def commit_size(writes: Writes) -> i64:
    """Bytes that RecordWriter.add will take for one commit; LimitError for a bad expiry."""
    size: i64 = varint_size(writes.count)
    keys = writes.keys
    cells = writes.cells
    at: i64 = 0
    while at < writes.count:
        cell = cells[at]
        key_size: i64 = len(keys[at])
        data_size: i64 = len(cell.data)
        size += 3 + key_size + data_size
        if key_size > 127:
            size += varint_size(key_size) - 1
        if data_size > 127:
            size += varint_size(data_size) - 1
        if cell.expires != 0:
            if not 0 < cell.expires <= MAX_EXPIRES:
                raise LimitError(f"an expiry is 1 to {MAX_EXPIRES}, not {cell.expires}")
            size += 8
        at += 1
    return size


def plain_size(key_size: i64, data_size: i64) -> i64:
    """As commit_size, for one value that never expires."""
    return 2 + varint_size(key_size) + key_size + varint_size(data_size) + data_size


def run_size(keys: list[bytes], values: list[bytes]) -> i64:
    """As plain_size, of each key with its value together."""
    size: i64 = 0
    at: i64 = 0
    while at < len(keys):
        size += plain_size(len(keys[at]), len(values[at]))
        at += 1
    return size


class RecordWriter:
    """One record in the making, after another. size: its bytes so far, 0 before `begin`."""

    def __init__(self) -> None:
        self._lsn: i64 = 0
        self._parts: list[bytes] = []
        self._out = BytesWriter()
        self.size: i64 = 0

    def begin(self, lsn: i64) -> None:
        """Start a record; lsn is that of its first commit."""
        self._lsn = lsn
        self._out.append(COMMITS)
        self.size = HEADER + 1

    def add(self, writes: Writes, size: i64) -> None:
        """Add a commit; size is commit_size(writes)."""
        out = self._out
        write_varint(out, writes.count)
        keys = writes.keys
        cells = writes.cells
        at: i64 = 0
        while at < writes.count:
            cell = cells[at]
            data = cell.data
            _write_entry_head(out, keys[at], cell)
            if len(data) <= INLINE_DATA:
                out.write(data)
            else:
                self._parts.append(out.getvalue())
                self._parts.append(data)
                out.truncate(0)
            at += 1
        self.size += size

    def add_plain(self, key: bytes, data: bytes, size: i64) -> None:
        """As add, for a commit of one value of bytes that never expires; size: its plain_size."""
        out = self._out
        out.append(1)
        out.append(BYTES)
        write_varint(out, len(key))
        out.write(key)
        write_varint(out, len(data))
        if len(data) <= INLINE_DATA:
            out.write(data)
        else:
            self._parts.append(out.getvalue())
            self._parts.append(data)
            out.truncate(0)
        self.size += size

    def add_run(self, keys: list[bytes], values: list[bytes], size: i64) -> None:
        """As add_plain for each key with its value; size: of all of them."""
        at: i64 = 0
        while at < len(keys):
            self.add_plain(keys[at], values[at], 0)
            at += 1
        self.size += size

    def finish(self, pieces: list[bytes], salt: int) -> None:
        """Append the whole record to pieces; the next may begin."""
        self._parts.append(self._out.getvalue())
        self._out.truncate(0)
        out = BytesWriter()
        write_i32_le(out, i32(self.size - HEADER))
        write_i64_le(out, self._lsn)
        head = out.getvalue()
        crc = crc32(head, salt)
        for part in self._parts:
            crc = crc32(part, crc)
        pieces.append(_u32(crc) + head)
        pieces.extend(self._parts)
        self._parts = []
        self.size = 0


def _write_entry_head(out: BytesWriter, key: bytes, cell: Cell) -> None:
    kind: i64 = cell.kind
    expires: i64 = cell.expires
    out.append(u8(kind | EXPIRES_BIT) if expires != 0 else u8(kind))
    write_varint(out, len(key))
    out.write(key)
    if expires != 0:
        write_i64_le(out, expires)
    write_varint(out, len(cell.data))


def encode_mark(lsn: i64, salt: int) -> bytes:
    """The record that says: everything up to lsn is on the disk."""
    return encode_record(MARK, lsn, MARK_MAGIC, salt)


def encode_record(kind: i64, lsn: i64, body: bytes, salt: int) -> bytes:
    """A whole record of a type that has no writer of its own."""
    out = BytesWriter()
    write_i32_le(out, i32(1 + len(body)))
    write_i64_le(out, lsn)
    out.append(u8(kind))
    out.write(body)
    data = out.getvalue()
    return _u32(crc32(data, salt)) + data


def record_end(data: bytes, at: i64, salt: int) -> i64:
    """The position behind the valid record at `at`, or -1 if there is none."""
    end: i64 = len(data)
    if at + HEADER > end:
        return -1
    size: i64 = i64(read_i32_le(data, at + 4))
    stop: i64 = at + HEADER + size
    if size < 1 or stop > end:
        return -1
    crc: i64 = i64(read_i32_le(data, at)) & 0xFFFFFFFF
    computed: i64 = crc32(data[at + 4 : stop], salt)
    return stop if crc == computed else -1


def record_size(data: bytes, at: i64) -> i64:
    """How long the record at `at` says it is, valid or not; 0 if not even that can be read."""
    if at + HEADER > len(data):
        return 0
    return HEADER + i64(read_i32_le(data, at + 4))


def record_lsn(data: bytes, at: i64) -> i64:
    """The LSN of the valid record at `at`."""
    return read_i64_le(data, at + 8)


def record_type(data: bytes, at: i64) -> i64:
    """COMMITS or MARK, of the valid record at `at`."""
    return data[at + HEADER]


def decode_commits(data: bytes, at: i64, end: i64) -> list[Writes]:
    """The commits of the valid record from `at` to `end`; ValueError if they make no sense."""
    commits: list[Writes] = []
    if end <= at + HEADER + 1:
        raise ValueError("no commit")
    position: i64 = at + HEADER + 1
    while position < end:
        count, position = read_varint(data, position, end)
        if count < 1:
            raise ValueError("bad entry count")
        writes = Writes()
        while writes.count < count:
            position = _read_entry(data, position, end, writes)
        commits.append(writes)
    return commits


def _read_entry(data: bytes, position: i64, end: i64, writes: Writes) -> i64:
    """Add the entry at position to writes; the position behind it."""
    if position >= end:
        raise ValueError("a commit breaks off")
    kind: i64 = data[position]
    if kind & 127 not in KINDS:
        raise ValueError(f"unknown content type {kind & 127}")
    key_size, start = read_varint(data, position + 1, end)
    if key_size < 1 or start + key_size > end or data[start] >= DATABASES:
        raise ValueError("bad key")
    position = start + key_size
    key = data[start:position]
    expires: i64 = 0
    if kind >= EXPIRES_BIT:
        if position + 8 > end:
            raise ValueError("an entry breaks off")
        expires = read_i64_le(data, position)
        kind -= EXPIRES_BIT
        position += 8
    data_size, start = read_varint(data, position, end)
    position = start + data_size
    if data_size < 0 or position > end:
        raise ValueError("bad data length")
    writes.put(key, Cell(kind, data[start:position], expires))
    return position


def find_mark(data: bytes, at: i64, salt: int, lsn: i64) -> i64:
    """Where a valid mark at or behind `at` vouches for `lsn`; -1 if none does."""
    found: i64 = data.find(MARK_MAGIC, at)
    while found >= 0:
        start: i64 = found - HEADER - 1
        if start >= at and record_end(data, start, salt) >= 0 and record_lsn(data, start) >= lsn:
            return start
        found = data.find(MARK_MAGIC, found + 1)
    return -1


def _u32(number: i64) -> bytes:
    out = BytesWriter()
    if number > 0x7FFFFFFF:  # as the signed number with the same bits
        number -= 0x100000000
    write_i32_le(out, i32(number))
    return out.getvalue()
