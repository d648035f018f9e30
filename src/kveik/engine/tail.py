"""Reading the log while it is written: commits in order, from any that is still in it.

A Tail stands behind one commit; `read` gives the next ones, up to what is safe. It holds no file
between two reads. Invariants: no commit is left out or given twice; where the segment that it
stands in has been used again, or is gone, that is found by its head, and told (LogGone). One
thread at a time; beside the thread of truth. Called for those who follow the changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kveik.disk.api import Disk, File
from kveik.errors import CorruptionError, KveikError
from kveik.format.record import (
    COMMITS,
    MARK_SIZE,
    decode_commits,
    record_end,
    record_lsn,
    record_size,
    record_type,
)
from kveik.format.segment import HEAD_SIZE, decode_head, segment_name, segment_number
from kveik.limits import FEED_COMMIT, FEED_PAGE
from kveik.model import Writes
from kveik.native import i64

FIRST: Final = 4096  # bytes in which the first commit of a segment begins


class LogGone(KveikError):
    """The log does not reach back so far. oldest: the LSN of its first commit, 0 for none."""

    def __init__(self, what: str, oldest: i64) -> None:
        super().__init__(what)
        self.oldest = oldest


class Place:
    """Where the record behind a commit stands. lsn: of that commit; number: of the segment."""

    __slots__ = ("lsn", "number", "offset")

    def __init__(self, lsn: i64, number: i64, offset: i64) -> None:
        self.lsn = lsn
        self.number = number
        self.offset = offset


class Tail:
    """lsn: the last commit that was given, or that it was told to begin behind."""

    def __init__(self, disk: Disk, lsn: i64, place: Place | None = None) -> None:
        """place: where it stands, if that is known; `find` looks for it otherwise."""
        self._disk = disk
        self.lsn = lsn
        self._number: i64 = 0 if place is None else place.number
        self._offset: i64 = 0 if place is None else place.offset
        self._salt = -1  # of the segment; -1 if its head has not been read

    def find(self) -> None:
        """Look for the segment with the next commit; LogGone if it is in none."""
        oldest: i64 = 0
        for number in reversed(self._segments()):
            first, salt = self._first(number)
            if first == 0:
                continue
            oldest = first
            if first <= self.lsn + 1:
                self._number = number
                self._offset = HEAD_SIZE
                self._salt = salt
                return
        raise self._gone(oldest)

    def _gone(self, oldest: i64) -> LogGone:
        what = f"begins at {oldest}" if oldest > 0 else "is empty"
        return LogGone(f"commit {self.lsn + 1} is no longer in the log, which {what}", oldest)

    def _segments(self) -> list[int]:
        return sorted(filter(None, [segment_number(name) for name in self._disk.names()]))

    def _first(self, number: i64) -> tuple[i64, int]:
        """The LSN of a segment's first commit, 0 if there is none, and the segment's salt."""
        try:
            file = self._disk.open(segment_name(number))
        except FileNotFoundError:
            return 0, 0
        try:
            salt = _salt(file, number)
            data = file.read(HEAD_SIZE, FIRST)
            size = _first_size(data)
            if len(data) < size <= FEED_COMMIT:
                data = file.read(HEAD_SIZE, size)
        finally:
            file.close()
        at: i64 = 0
        end = record_end(data, at, salt)
        while salt >= 0 and end >= 0:
            if record_type(data, at) == COMMITS:
                return record_lsn(data, at), salt
            at = end
            end = record_end(data, at, salt)
        return 0, 0

    def read(self, safe: i64, use: Callable[[i64, Writes], None]) -> None:
        """Have the next commits up to `safe` used, about a page of the log.

        LogGone, CorruptionError, LimitError; OSError where the disk fails.
        """
        if self._number == 0:
            self.find()
        try:
            file = self._disk.open(segment_name(self._number))
        except FileNotFoundError:
            raise self._gone(self._oldest()) from None
        try:
            salt = _salt(file, self._number)
            if self._salt < 0:
                self._salt = salt
            data = file.read(self._offset, FEED_PAGE)
            if record_size(data, 0) > len(data):
                data = self._read_long(file, data)
            if salt < 0 or salt != self._salt or _salt(file, self._number) != salt:
                raise self._gone(self._oldest())  # it was used again, perhaps while it was read
        finally:
            file.close()
        before = self.lsn
        used = self._use(data, safe, use)
        self._offset += used
        if used == 0 and self.lsn == before and self.lsn < safe:
            self._next_segment()

    def _read_long(self, file: File, data: bytes) -> bytes:
        """A whole record that is longer than a page."""
        size = record_size(data, 0)
        if size > FEED_COMMIT:
            if self._offset + size > file.size():
                return data  # there is none: these are bytes of another life of the file
            what = f"commit {self.lsn + 1} may have more than {FEED_COMMIT} bytes"
            raise LogGone(f"{what}, the most that is told", self.lsn + 1)
        return file.read(self._offset, size)

    def _use(self, data: bytes, safe: i64, use: Callable[[i64, Writes], None]) -> i64:
        """Use the whole records in data; how many bytes they have."""
        at: i64 = 0
        end = record_end(data, at, self._salt)
        while end >= 0:
            if record_type(data, at) == COMMITS:
                lsn = record_lsn(data, at)
                if lsn > safe:
                    break
                if lsn > self.lsn + 1:
                    raise self._gone(self._oldest())
                if not self._passed(data, end):
                    self._use_record(data, at, end, lsn, use)
            at = end
            end = record_end(data, at, self._salt)
        return at

    def _passed(self, data: bytes, at: i64) -> bool:
        """Whether the record behind another shows that nothing in that one is still wanted."""
        end = record_end(data, at, self._salt)
        while end >= 0 and record_type(data, at) != COMMITS:
            at = end
            end = record_end(data, at, self._salt)
        return end >= 0 and record_lsn(data, at) <= self.lsn + 1

    def _use_record(
        self, data: bytes, at: i64, end: i64, lsn: i64, use: Callable[[i64, Writes], None]
    ) -> None:
        try:
            commits = decode_commits(data, at, end)
        except ValueError as error:
            name = segment_name(self._number)
            raise CorruptionError(name, self._offset + at, f"commit {lsn}: {error}") from None
        for writes in commits:
            if lsn > self.lsn:
                use(lsn, writes)
                self.lsn = lsn
            lsn += 1

    def _next_segment(self) -> None:
        """The segment has ended, though there are later commits: go on in the next one."""
        later = [number for number in self._segments() if number > self._number]
        if not later:
            raise self._gone(self._oldest())
        self._number = later[0]
        self._offset = HEAD_SIZE
        self._salt = -1

    def _oldest(self) -> i64:
        """The LSN of the oldest commit in the log."""
        found = [first for first, _ in map(self._first, self._segments()) if first > 0]
        return min(found, default=0)


def _salt(file: File, number: i64) -> int:
    """The salt of a segment; -1 if the file is not that segment, or no longer."""
    try:
        head = decode_head(file.read(0, HEAD_SIZE))
    except ValueError:
        return -1
    return head.salt if head.number == number else -1


def _first_size(data: bytes) -> i64:
    """Up to where the first commits of a segment reach, behind a mark or none."""
    at: i64 = 0
    if record_size(data, 0) == MARK_SIZE:
        at = MARK_SIZE
    return at + record_size(data, at)
