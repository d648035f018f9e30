"""The write-ahead log: commits in one order, in segments allocated ahead, written in groups.

`append` encodes a commit and does no I/O; `take` hands what has gathered to whoever does the I/O
(`Group.perform`, in any thread, one group at a time, in order); `settle` takes note of it.

Invariants:
 (1) LSNs rise by one with each commit, over segments too. A record holds the commits that gathered
     between two takes: they become durable together, or were never acknowledged.
 (2) A segment is synced before a byte is written to the next one, at every durability.
 (3) A group starts with a mark if more has been synced than the last mark says, so that recovery
     can tell a torn tail (never acknowledged) from damage (acknowledged, and vouched for).
 (4) A file has its segment's name only once its room and its head are on the disk.
Called by the store on the thread of truth, but for `Group.perform`.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

from kveik.disk.api import Disk, File
from kveik.errors import DiskFullError, LimitError, StorageError
from kveik.format.record import HEADER, MARK_SIZE, RecordWriter, commit_size, encode_mark
from kveik.format.segment import HEAD_SIZE, SegmentHead, encode_head, segment_name
from kveik.limits import MAX_COMMIT
from kveik.model import Writes
from kveik.native import i64

NEW_SUFFIX: Final = ".new"  # of a segment that is not yet part of the log
ZEROS: Final = bytes(1 << 20)
RECORD_BOUND: Final = 1 << 20  # bytes; a larger group becomes several records
OVERHEAD: Final = HEADER + 1 + 2 * MARK_SIZE  # a record's head, a mark before, one at the close
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Spawn = Callable[[Callable[[], "Segment"]], "Future[Segment]"]


class Segment:
    """An open segment file: number, salt (u32), size in bytes."""

    def __init__(self, file: File, number: i64, salt: int, size: i64) -> None:
        self.file = file
        self.number = number
        self.salt = salt
        self.size = size


class Span:
    """Bytes that go to one place of one segment; `seal` ends the segment.

    done: performed as far as it can be for itself. To perform a span twice does no harm.
    """

    def __init__(self, segment: Segment, offset: i64, pieces: list[bytes], seal: bool) -> None:
        self.segment = segment
        self.offset = offset
        self.pieces = pieces
        self.seal = seal
        self.done = False


class Group:
    """What is written, and perhaps synced, at once. lsn: the last commit in it."""

    def __init__(self, spans: list[Span], lsn: i64, sync: bool) -> None:
        self.spans = spans
        self.lsn = lsn
        self.sync = sync

    def perform(self) -> None:
        """Write, and sync if asked to; OSError if the disk fails. Safe in any thread."""
        for span in self.spans:
            if span.done:
                continue
            if span.pieces:
                span.segment.file.write(span.offset, span.pieces)
            if span.seal:
                span.segment.file.sync()
                span.done = True
                span.segment.file.close()
        if self.sync:
            self.spans[-1].segment.file.sync()


def create_segment(disk: Disk, number: i64, size: i64, database_id: bytes) -> Segment:
    """A new, empty segment that has its name; OSError leaves none."""
    salt = secrets.randbits(32)
    name = segment_name(number)
    file = disk.create(name + NEW_SUFFIX)
    try:
        _fill(file, size)
        file.write(0, [encode_head(SegmentHead(number, size, salt, database_id))])
        file.sync()
        disk.rename(name + NEW_SUFFIX, name)
        disk.sync_names()
    except OSError:
        file.close()
        _remove_quietly(disk, name)
        raise
    return Segment(file, number, salt, size)


def _fill(file: File, size: i64) -> None:
    """Reserve the room and write it once: a sync of bytes that were never written costs twice."""
    file.allocate(size)
    at: i64 = 0
    while at < size:
        part: i64 = min(size - at, len(ZEROS))
        file.write(at, [ZEROS if part == len(ZEROS) else ZEROS[:part]])
        at += part


def _remove_quietly(disk: Disk, name: str) -> None:
    for leftover in (name + NEW_SUFFIX, name):
        try:
            disk.remove(leftover)
        except OSError:
            pass  # what is left is removed when the directory is next opened


class Past(Protocol):
    """What recovery found. lsn: the last commit; marked: the last one that a mark vouches for."""

    lsn: i64
    marked: i64


class Log:
    def __init__(
        self,
        disk: Disk,
        database_id: bytes,
        segment_size: i64,
        segment: Segment,
        offset: i64,
        past: Past,
        spawn: Spawn | None = None,
    ) -> None:
        """Go on behind `past` at `offset` of `segment`; everything up to there has been synced.

        spawn runs a function beside this thread, for segments allocated ahead; without it a
        segment is allocated when it is needed.
        """
        self._disk = disk
        self._database_id = database_id
        self._segment_size = segment_size
        self._segment = segment
        self._offset = offset  # where the next record goes
        self._spawn = spawn
        self._ahead: Future[Segment] | None = None
        self._last_number = segment.number
        self._spans: list[Span] = []
        self._pieces: list[bytes] = []  # whole records of the span in the making
        self._record = RecordWriter()
        self._start = offset  # of the pieces
        self._marked: i64 = past.marked
        self.lsn: i64 = past.lsn  # the last commit
        self.synced: i64 = past.lsn
        self.pending: i64 = 0  # bytes appended and not yet taken

    def append(self, writes: Writes) -> i64:
        """Encode one commit and return its LSN. LimitError, DiskFullError: nothing happened."""
        size = commit_size(writes)
        if size > MAX_COMMIT:
            raise LimitError(f"a batch has at most {MAX_COMMIT} bytes, not {size}")
        if self._offset + OVERHEAD + size > self._segment.size:
            self._rotate(OVERHEAD + size)
        record = self._record
        if record.size == 0:
            self._begin_record()
        record.add(writes, size)
        self.lsn += 1
        self._offset += size
        self.pending += size
        if record.size > RECORD_BOUND:
            self._end_record()
        return self.lsn

    def _begin_record(self) -> None:
        if not self._pieces:
            self._start = self._offset
            if self.synced > self._marked:
                self._marked = self.synced
                self._pieces.append(encode_mark(self.synced, self._segment.salt))
                self._offset += MARK_SIZE
        self._record.begin(self.lsn + 1)
        self._offset += self._record.size

    def _end_record(self) -> None:
        if self._record.size > 0:
            self._record.finish(self._pieces, self._segment.salt)

    def take(self, sync: bool) -> Group | None:
        """What has gathered since the last take; None if there is nothing to do."""
        self._allocate_ahead()
        self._end_record()
        if self._pieces:
            self._spans.append(Span(self._segment, self._start, self._pieces, False))
            self._pieces = []
        elif not self._spans:
            if not sync or self.synced == self.lsn:
                return None
            self._spans.append(Span(self._segment, self._offset, [], False))
        spans = self._spans
        self._spans = []
        self.pending = 0
        return Group(spans, self.lsn, sync)

    def put_back(self, group: Group) -> None:
        """The group was not wholly performed (somebody was interrupted): take it again first."""
        self._spans = group.spans + self._spans

    def settle(self, group: Group) -> None:
        """The group has been performed."""
        if group.sync:
            self.synced = group.lsn

    def _rotate(self, room: i64) -> None:
        """End the segment and go on in one that has room for so many bytes."""
        try:
            fresh = self._next_segment(HEAD_SIZE + room)
        except OSError as error:
            if error.errno in FULL:
                raise DiskFullError(f"no room for another log segment: {error.strerror}") from None
            raise StorageError(f"another log segment could not be made: {error}") from error
        self._end_record()
        self._spans.append(Span(self._segment, self._start, self._pieces, True))
        self._pieces = []
        self._segment = fresh
        self._offset = HEAD_SIZE

    def _next_segment(self, room: i64) -> Segment:
        ahead = self._ahead
        self._ahead = None
        if ahead is not None and ahead.exception() is None:  # else: perhaps there is room by now
            segment = ahead.result()
            if segment.size >= room:
                return segment
            segment.file.close()  # stays behind empty: a large record goes past it
        return self._create(max(room, self._segment_size))

    def _create(self, size: i64) -> Segment:
        self._last_number += 1
        return create_segment(self._disk, self._last_number, size, self._database_id)

    def _allocate_ahead(self) -> None:
        if (
            self._ahead is None
            and self._spawn is not None
            and self._offset * 2 > self._segment.size
        ):
            self._last_number += 1
            job = AheadJob(self._disk, self._last_number, self._segment_size, self._database_id)
            try:
                self._ahead = self._spawn(job.run)
            except RuntimeError:
                self._spawn = None  # the interpreter is ending: allocate when needed

    def close(self) -> None:
        """Write and sync what is left, vouch for it with a last mark, close the files."""
        group = self.take(True)
        if group is not None:
            group.perform()
            self.settle(group)
        if self._marked < self.synced:
            self._segment.file.write(self._offset, [encode_mark(self.synced, self._segment.salt)])
            self._segment.file.sync()
        self.abandon()

    def abandon(self) -> None:
        """Close the files as they are."""
        self._segment.file.close()
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.exception() is None:
            ahead.result().file.close()


class AheadJob:
    """Allocates one segment, beside the thread of truth."""

    def __init__(self, disk: Disk, number: i64, size: i64, database_id: bytes) -> None:
        self._disk = disk
        self._number = number
        self._size = size
        self._database_id = database_id

    def run(self) -> Segment:
        return create_segment(self._disk, self._number, self._size, self._database_id)
