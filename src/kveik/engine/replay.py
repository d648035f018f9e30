"""Recovery: read the log's segments into a memtable and find where it goes on.

A record that is not valid ends its segment. At the log's end that is a torn tail, cut off and
overwritten with zeros; it is damage, and an error with file and offset, where a later mark vouches
for what is missing or where later segments go on behind a gap. Called by the store when it opens.
"""

from __future__ import annotations

from collections.abc import Callable

from kveik.disk.api import Disk
from kveik.engine.log import NEW_SUFFIX, ZEROS, Segment, create_segment
from kveik.engine.memtable import Memtable
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

    def __init__(self, disk: Disk, database_id: bytes, memtable: Memtable) -> None:
        self._disk = disk
        self._database_id = database_id
        self._memtable = memtable
        self.lsn: i64 = 0
        self.marked: i64 = 0  # the last commit that a mark vouches for
        self._name = ""  # of the last segment that holds a record
        self._end: i64 = 0  # behind its last valid record
        self._garbage: i64 = 0  # bytes behind that which are not zero
        self._head: SegmentHead | None = None
        self._last_number: i64 = 0

    def run(self, progress: Progress | None) -> None:
        numbers = sorted(n for n in map(segment_number, self._disk.names()) if n)
        for count, number in enumerate(numbers):
            self._read_segment(segment_name(number), number)
            self._last_number = number
            if progress is not None:
                progress(count + 1, len(numbers))

    def _read_segment(self, name: str, number: i64) -> None:
        file = self._disk.open(name)
        try:
            data = file.read(0, file.size())
        finally:
            file.close()
        head = self._checked_head(name, number, data)
        end = self._read_records(name, data, head)
        missing = find_mark(data, end, head.salt, self.lsn + 1)
        if missing >= 0:
            what = f"a synced record is damaged (offset {missing} vouches for it)"
            raise CorruptionError(name, end, what)
        if end > HEAD_SIZE or self._head is None:
            self._name = name
            self._head = head
            self._end = end
            self._garbage = len(data[end:].rstrip(b"\x00"))

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
            self._memtable.apply(writes, self.lsn, self.lsn)

    def segment(self, segment_size: i64) -> Segment:
        """The segment where the log goes on, cleaned and synced; made if there is none."""
        self._remove_leftovers()
        if self._head is None:
            return create_segment(self._disk, 1, segment_size, self._database_id)
        head = self._head
        file = self._disk.open(self._name, writable=True)
        at = self._end
        left = self._garbage
        while left > 0:  # a later record must never meet what was torn off here
            part: i64 = min(left, len(ZEROS))
            file.write(at, [ZEROS[:part]])
            at += part
            left -= part
        file.sync()  # what was read may so far be in the page cache only
        return Segment(file, head.number, head.salt, head.size)

    def offset(self) -> i64:
        """Where the next record goes in that segment."""
        return self._end if self._head is not None else HEAD_SIZE

    def _remove_leftovers(self) -> None:
        """Segments behind the tail hold nothing that was acknowledged; half-made ones nothing."""
        tail: i64 = self._head.number if self._head is not None else 0
        stale = [
            name
            for name in self._disk.names()
            if name.endswith(".log" + NEW_SUFFIX) or segment_number(name) > tail
        ]
        for name in stale:
            self._disk.remove(name)
        self._disk.sync_names()  # names, too, may so far be known to this kernel only
