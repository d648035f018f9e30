"""Recovery: read what is in no table from the log's segments, and find where the log goes on.

A record that is not valid ends its segment. That is a torn tail, cut off and overwritten with zeros
with all that stands behind it; it is damage, and an error with file and offset, where a later mark
vouches for what is missing. Called when a directory is opened.
"""

from __future__ import annotations

from collections.abc import Callable

from kveik.disk.api import Disk
from kveik.engine.memtable import Memtable
from kveik.engine.segment import NEW_SUFFIX, ZEROS, Segment, create_segment, sync_segment
from kveik.errors import CorruptionError, NewerFormatError
from kveik.format.record import (
    COMMITS,
    MARK,
    decode_commits,
    find_mark,
    record_end,
    record_lsn,
    record_type,
)
from kveik.format.segment import (
    HEAD_SIZE,
    VERSION,
    SegmentHead,
    decode_head,
    segment_name,
    segment_number,
)
from kveik.native import i64

Progress = Callable[[int, int], None]  # (segments read, segments in all)


class Replay:
    """One recovery. After `run`: lsn is the last commit; `segment` is where the log goes on."""

    def __init__(self, disk: Disk, database_id: bytes, first: i64, lsn: i64, size: i64) -> None:
        """first: the first segment that is needed; lsn: the last commit that is in tables.

        size: of a segment, in bytes; a memtable has room for another, or is frozen.
        """
        self._disk = disk
        self._database_id = database_id
        self._first = first
        self._size = size
        self.memtables = [Memtable(first)]  # newest first
        self.lsn = lsn
        self.marked = lsn  # the last commit that is vouched for
        self._filled: list[i64] = []  # numbers of the segments that hold records
        self._name = ""  # of the last one
        self._end: i64 = 0  # behind its last valid record
        self._garbage: i64 = 0  # bytes behind that which are not zero
        self._head: SegmentHead | None = None

    def run(self, progress: Progress | None) -> None:
        numbers = sorted([segment_number(name) for name in self._disk.names()])
        numbers = [number for number in numbers if number >= self._first]
        if numbers[:1] != [self._first] and (numbers or self.lsn > 0):
            raise CorruptionError(segment_name(self._first), 0, "this part of the log is missing")
        for count, number in enumerate(numbers):
            whole = self._read_segment(segment_name(number), number)
            if progress is not None:
                progress(count + 1, len(numbers))
            if not whole:
                self._refuse_vouched(numbers[count:])
                break

    def _read_segment(self, name: str, number: i64) -> bool:
        """Replay a segment; False, and nothing replayed, if commits before it are missing."""
        data = self._read(name)
        head = self._checked_head(name, number, data)
        if self._is_behind_a_gap(data, head.salt):
            return False
        full = not self.memtables[0].has_room(self._size)
        if full and record_end(data, HEAD_SIZE, head.salt) >= 0:
            self.memtables.insert(0, Memtable(number))
        end = self._read_records(name, data, head)
        missing = find_mark(data, end, head.salt, self.lsn + 1)
        if missing >= 0:
            what = f"a synced record is damaged (offset {missing} vouches for it)"
            raise CorruptionError(name, end, what)
        if end > HEAD_SIZE:
            self._filled.append(number)
        if end > HEAD_SIZE or self._head is None:
            self._name = name
            self._head = head
            self._end = end
            self.memtables[0].logged += end - HEAD_SIZE
            self.memtables[0].last_segment = number
            self._garbage = len(data[end:].rstrip(b"\x00"))
        return True

    def _read(self, name: str) -> bytes:
        file = self._disk.open(name)
        try:
            return file.read(0, file.size())
        finally:
            file.close()

    def _is_behind_a_gap(self, data: bytes, salt: int) -> bool:
        """Whether the first commit, or what a mark before it vouches for, is not the next one."""
        at: i64 = HEAD_SIZE
        end = record_end(data, at, salt)
        while end >= 0 and record_type(data, at) == MARK:
            if record_lsn(data, at) > self.lsn:
                return True
            at = end
            end = record_end(data, at, salt)
        return end >= 0 and record_type(data, at) == COMMITS and record_lsn(data, at) > self.lsn + 1

    def _refuse_vouched(self, numbers: list[i64]) -> None:
        """Behind a gap nothing counts; but if a mark says that it was synced, it is damage."""
        for number in numbers:
            name = segment_name(number)
            data = self._read(name)
            head = self._checked_head(name, number, data)
            mark = find_mark(data, HEAD_SIZE, head.salt, self.lsn + 1)
            if mark >= 0:
                missing = f"commit {self.lsn + 1} is missing, and a mark at offset {mark}"
                what = f"{missing} says that it was synced: part of the log is lost or damaged"
                raise CorruptionError(name, mark, what)

    def _checked_head(self, name: str, number: i64, data: bytes) -> SegmentHead:
        try:
            head = decode_head(data)
        except ValueError as error:
            raise CorruptionError(name, 0, str(error)) from None
        if head.version > VERSION:
            raise NewerFormatError(
                f"{name} has log format {head.version}; this Kveik knows up to {VERSION}"
            )
        if head.number != number:
            raise CorruptionError(name, 0, f"it is segment {head.number} under another name")
        if head.database_id != self._database_id:
            raise CorruptionError(name, 0, "it belongs to another database")
        if head.size != len(data):
            what = f"the file has {len(data)} bytes of the {head.size} it was made with"
            raise CorruptionError(name, len(data), what)
        return head

    def _read_records(self, name: str, data: bytes, head: SegmentHead) -> i64:
        at: i64 = HEAD_SIZE
        salt = head.salt
        end = record_end(data, at, salt)
        while end >= 0:
            kind = record_type(data, at)
            lsn = record_lsn(data, at)
            if kind == COMMITS:
                self._apply(name, data, at, end, lsn)
            elif kind != MARK:
                raise CorruptionError(name, at, f"unknown record type {kind}")
            elif lsn > self.lsn:
                raise CorruptionError(name, at, f"commits {self.lsn + 1} to {lsn} are missing")
            else:
                self.marked = lsn
            at = end
            end = record_end(data, at, salt)
        return at

    def _apply(self, name: str, data: bytes, at: i64, end: i64, lsn: i64) -> None:
        if lsn != self.lsn + 1:
            what = f"commit {self.lsn + 1} should stand here, not {lsn}: part of the log is missing"
            raise CorruptionError(name, at, what)
        try:
            commits = decode_commits(data, at, end)
        except ValueError as error:
            raise CorruptionError(name, at, f"commit {lsn}: {error}") from None
        for writes in commits:
            self.lsn += 1
            self.memtables[0].apply(writes, self.lsn, self.lsn)

    def segment(self, segment_size: i64) -> Segment:
        """The segment where the log goes on, cleaned and synced; made if there is none."""
        self._remove_leftovers()
        if self._head is None:
            return create_segment(self._disk, self._first, segment_size, self._database_id)
        head = self._head
        for number in self._filled[:-1]:  # what was read may so far be in the page cache only
            sync_segment(self._disk, number)
        file = self._disk.open(self._name, writable=True)
        at = self._end
        left = self._garbage
        while left > 0:  # a later record must never meet what was torn off here
            part: i64 = min(left, len(ZEROS))
            file.write(at, [ZEROS[:part]])
            at += part
            left -= part
        file.sync()
        return Segment(file, head.number, head.salt, head.size)

    def offset(self) -> i64:
        """Where the next record goes in that segment."""
        return self._end if self._head is not None else HEAD_SIZE

    def _remove_leftovers(self) -> None:
        """Segments behind the tail hold nothing that was acknowledged; half-made ones nothing.

        Those before the first one are tables by now.
        """
        tail: i64 = self._head.number if self._head is not None else 0
        stale = [name for name in self._disk.names() if self._is_stale(name, tail)]
        for name in stale:
            self._disk.remove(name)
        self._disk.sync_names()  # names, too, may so far be known to this kernel only

    def _is_stale(self, name: str, tail: i64) -> bool:
        number: i64 = segment_number(name)
        if number > 0:
            return number < self._first or number > tail
        return name.endswith(".log" + NEW_SUFFIX)
