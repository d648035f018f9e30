"""A log segment read as far as it goes, damaged or not. Called by check, repair and inspect.

Unlike `engine.replay`, which refuses what is damaged, this says where damage begins and what is
valid behind it.
"""

from __future__ import annotations

from kveik.disk.api import Disk
from kveik.format.coding import read_i32_le
from kveik.format.record import HEADER, find_mark, record_end, record_lsn, record_type
from kveik.format.salt import salt_of
from kveik.format.segment import HEAD_SIZE, VERSION, SegmentHead, decode_head
from kveik.limits import READ_SIZE
from kveik.native import i64


def read_whole(disk: Disk, name: str) -> tuple[bytes, list[tuple[int, str]]]:
    """A file's bytes, zeros where the medium gives none, and where and why that is."""
    problems: list[tuple[int, str]] = []
    pieces: list[bytes] = []
    file = disk.open(name)
    try:
        size: i64 = file.size()
        at: i64 = 0
        while at < size:
            length = min(READ_SIZE, size - at)
            try:
                pieces.append(file.read(at, length))
            except OSError as error:
                problems.append((at, f"cannot be read: {error.strerror}"))
                pieces.append(bytes(length))
            at += length
    finally:
        file.close()
    return b"".join(pieces), problems


class SegmentSurvey:
    """One segment. head: None if it is damaged, and head_error says why.

    unreadable: see read_whole. Without a head the records can mostly be read all the same.
    """

    def __init__(self, disk: Disk, name: str) -> None:
        self.name = name
        self.data, self.unreadable = read_whole(disk, name)
        self.head: SegmentHead | None = None
        self.head_error = ""
        self.salt: int = 0
        try:
            self.head = decode_head(self.data)
            self.salt = self.head.salt
        except ValueError as error:
            self.head_error = str(error)
            if len(self.data) >= HEAD_SIZE:
                self.salt = salt_of(self.data, HEAD_SIZE)

    def head_problem(self, number: i64, database_id: bytes) -> tuple[int, str] | None:
        """(offset, what) is wrong with the head, or with the file by what its head says."""
        head = self.head
        if head is None:
            return 0, self.head_error
        if head.version > VERSION:
            return 0, f"it has log format {head.version}; this Kveik knows up to {VERSION}"
        if head.number != number:
            return 0, f"it is segment {head.number} under another name"
        if database_id and head.database_id != database_id:
            return 0, "it belongs to another database"
        if head.size != len(self.data):
            what = f"the file has {len(self.data)} bytes of the {head.size} it was made with"
            return len(self.data), what
        return None

    def record_end(self, at: i64) -> i64:
        """Behind the valid record at `at`; -1 if there is none."""
        return record_end(self.data, at, self.salt)

    def kind(self, at: i64) -> i64:
        return record_type(self.data, at)

    def lsn(self, at: i64) -> i64:
        return record_lsn(self.data, at)

    def find_mark(self, at: i64, lsn: i64) -> i64:
        """Where a mark at or behind `at` vouches for a commit; -1 if none does."""
        return find_mark(self.data, at, self.salt, lsn)

    def next_valid(self, at: i64, lsn: i64) -> i64:
        """Where the next record behind `at` is, of commits from lsn on or a mark; -1 for none."""
        nearest = self.find_mark(at + 1, 0)
        highs = {lsn >> 32, (lsn >> 32) + 1}
        if nearest >= 0:
            highs.add(self.lsn(nearest) >> 32)
        for high in highs:
            found = self._next_commits(at + 1, lsn, high)
            if found >= 0 and (nearest < 0 or found < nearest):
                nearest = found
        return nearest

    def _next_commits(self, at: i64, lsn: i64, high: i64) -> i64:
        """The next record of commits whose LSN has these upper four bytes."""
        data = self.data
        pattern = int(high).to_bytes(4, "little") + b"\x01"
        found: i64 = data.find(pattern, at + HEADER - 4)
        while found >= 0:
            start: i64 = found + 4 - HEADER
            size: i64 = i64(read_i32_le(data, start + 4))
            fits = 0 < size <= len(data) - start - HEADER
            if fits and record_lsn(data, start) >= lsn and self.record_end(start) >= 0:
                return start
            found = data.find(pattern, found + 1)
        return -1

    def used(self) -> i64:
        """Up to where there is anything but zeros."""
        return len(self.data.rstrip(b"\x00"))
