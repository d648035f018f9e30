"""The write-ahead log: commits in one order, in segments allocated ahead, written in groups.

`append` encodes a commit and does no I/O; `take` hands what has gathered to whoever does the I/O
(`Group.perform`, in any thread); `settle` takes note of it, in the order in which they were taken.
Groups are performed one after the other, or several at once in lanes where none `goes_alone`.

Invariants:
 (1) LSNs rise by one with each commit, over segments too. A record holds the commits that gathered
     between two takes: they become durable together, or were never acknowledged.
 (2) A segment is synced before a byte is written to the next one. Where nobody asks for syncs
     (`lazy`) it is synced before a later group is, or before it is made a table.
 (3) A group starts with a mark if more has been synced than the last mark says, so that recovery
     can tell a torn tail (never acknowledged) from damage (acknowledged, and vouched for).
Called by the store on the thread of truth, but for `Group.perform`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

from kveik.disk.api import Disk
from kveik.engine.segment import Segment, SegmentJob, sync_segment
from kveik.errors import DiskFullError, LimitError, StorageError
from kveik.format.record import (
    HEADER,
    MARK_SIZE,
    RecordWriter,
    commit_size,
    encode_mark,
    run_size,
)
from kveik.format.segment import HEAD_SIZE
from kveik.limits import MAX_COMMIT, MAX_SPAN
from kveik.model import Writes
from kveik.native import i64

RECORD_BOUND: Final = 1 << 20  # bytes; a larger group becomes several records
AHEAD_SHARE: Final = 4  # the next segment is made once a quarter of this one is full
MAX_SPARES: Final = MAX_SPAN  # ended segments kept to be used again, the oldest first
OVERHEAD: Final = HEADER + 1 + 2 * MARK_SIZE  # a record's head, a mark before, one at the close
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Spawn = Callable[[Callable[[], Segment]], "Future[Segment]"]


class Span:
    """Bytes that go to one place of one segment; `seal` ends the segment.

    done: performed as far as it can be for itself; loose: without the sync that a segment's end
    asks for elsewhere. To perform a span twice does no harm.
    """

    def __init__(self, segment: Segment, offset: i64, pieces: list[bytes], seal: bool) -> None:
        self.segment = segment
        self.offset = offset
        self.pieces = pieces
        self.seal = seal
        self.done = False
        self.loose = False


class Group:
    """What is written, and perhaps synced, at once. lsn: the last commit in it.

    lazy: segments that end are not synced. loose: numbers of earlier segments that were not.
    """

    def __init__(
        self, disk: Disk, spans: list[Span], lsn: i64, sync: bool, lazy: bool, loose: list[i64]
    ) -> None:
        self._disk = disk
        self.spans = spans
        self.lsn = lsn
        self.sync = sync
        self.lazy = lazy
        self.loose = loose
        self.number: i64 = 0  # of the segment, and the place in it, where the next record goes
        self.offset: i64 = 0
        self._file = spans[len(spans) - 1].segment.file  # that is synced

    def ends_segment(self) -> bool:
        """Whether a segment is wholly written with it."""
        return any([span.seal for span in self.spans])

    def goes_alone(self) -> bool:
        """Whether no other may be performed meanwhile: not where a segment ends, nor for others."""
        return len(self.spans) > 1 or self.ends_segment() or not self.sync or len(self.loose) > 0

    def take_lane(self, lane: i64) -> bool:
        """Let it be performed beside others that have other lanes, from 0 on; False: it cannot."""
        file = self.spans[0].segment.opened(self._disk, lane)
        if file is None:
            return False
        self._file = file
        return True

    def perform(self) -> None:
        """Write, and sync if asked to; OSError if the disk fails. Safe in any thread."""
        for number in self.loose:
            sync_segment(self._disk, number)
        for span in self.spans:
            if not span.done:
                self._perform(span)
            elif span.loose and not self.lazy:  # a lazy group was interrupted, and is this one now
                sync_segment(self._disk, span.segment.number)
                span.loose = False
        last = self.spans[-1]
        if self.sync and not last.seal:  # the end of a segment has been synced
            self._file.sync()

    def _perform(self, span: Span) -> None:
        file = span.segment.file
        if span.pieces:
            file.write(span.offset, span.pieces)
        if span.seal:
            if not self.lazy:
                file.sync()
            span.loose = self.lazy
            span.done = True
            span.segment.close()


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
        self._spares: list[str] = []  # files of segments that became tables
        self._loose: list[i64] = []  # ended segments that were not synced
        self.history: i64 = 0  # ended segments that are kept, for whoever follows the changes
        self.lazy = False  # nobody asks for syncs: a segment that ends is not synced either
        self.ended: i64 = segment.number - 1  # the last segment that is wholly written
        self._spans: list[Span] = []
        self._pieces: list[bytes] = []  # whole records of the span in the making
        self._record = RecordWriter()
        self._start = offset  # of the pieces
        self._marked: i64 = past.marked
        self._sealed: i64 = 0  # the last commit of the segment before, if it ends with a sync
        self.lsn: i64 = past.lsn  # the last commit
        self.synced: i64 = past.lsn
        self.pending: i64 = 0  # bytes appended and not yet taken

    def number(self) -> i64:
        """Of the segment that is being written."""
        return self._segment.number

    def offset(self) -> i64:
        """Where the next record goes in it."""
        return self._offset

    def filled(self) -> float:
        """How full that segment is, from 0 to 1."""
        return float(self._offset) / float(self._segment.size)

    def append(self, writes: Writes) -> i64:
        """Encode one commit and return its LSN. LimitError, DiskFullError: nothing happened."""
        size = commit_size(writes)
        if size > MAX_COMMIT:
            raise LimitError(f"a batch has at most {MAX_COMMIT} bytes, not {size}")
        self._make_room(size)
        self._record.add(writes, size)
        return self._count(size)

    def append_plain(self, key: bytes, data: bytes, size: i64) -> i64:
        """As append, for one value that never expires; size is its plain_size."""
        self._make_room(size)
        self._record.add_plain(key, data, size)
        return self._count(size)

    def append_run(self, keys: list[bytes], values: list[bytes]) -> i64:
        """As append_plain for each of them; how many bytes, 0 if the segment has no room."""
        size = run_size(keys, values)
        if self._offset + OVERHEAD + size > self._segment.size:
            return 0
        if self._record.size == 0:
            self._begin_record()
        self._record.add_run(keys, values, size)
        self.lsn += len(keys) - 1
        self._count(size)
        return size

    def _make_room(self, size: i64) -> None:
        if self._offset + OVERHEAD + size > self._segment.size:
            self._rotate(OVERHEAD + size)
        if self._record.size == 0:
            self._begin_record()

    def _count(self, size: i64) -> i64:
        """Take note of a commit that is in the record, the last of several perhaps."""
        self.lsn += 1
        self._offset += size
        self.pending += size
        if self._record.size > RECORD_BOUND:
            self._end_record()
        return self.lsn

    def _begin_record(self) -> None:
        if not self._pieces:
            self._start = self._offset
            vouched = max(self.synced, self._sealed)
            if vouched > self._marked:
                self._marked = vouched
                self._pieces.append(encode_mark(vouched, self._segment.salt))
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
        loose = self._loose[:] if sync else []
        group = Group(self._disk, spans, self.lsn, sync, self.lazy and not sync, loose)
        group.number = self._segment.number
        group.offset = self._offset
        return group

    def put_back(self, group: Group) -> None:
        """The group was not wholly performed (somebody was interrupted): take it again first."""
        self._spans = group.spans + self._spans

    def settle(self, group: Group) -> None:
        """The group has been performed."""
        if group.sync:
            self.synced = group.lsn
            self._loose = [number for number in self._loose if number not in group.loose]
        for span in group.spans:
            if span.seal:
                self.ended = span.segment.number
                if group.lazy:
                    self._loose.append(self.ended)

    def forget(self, number: i64) -> None:
        """The segments up to a number are no longer needed."""
        self._loose = [loose for loose in self._loose if loose > number]

    def reuse(self, name: str) -> bool:
        """Whether a segment that is no longer needed is kept, to be used again."""
        if len(self._spares) >= MAX_SPARES + self.history:
            return False
        self._spares.append(name)
        return True

    def rotate(self) -> None:
        """End the segment, however little is in it. DiskFullError, StorageError: it goes on."""
        self._rotate(0)

    def _rotate(self, room: i64) -> None:
        """End the segment and go on in one that has room for so many bytes."""
        try:
            fresh = self._next_segment(HEAD_SIZE + room)
        except OSError as error:
            if error.errno in FULL:
                raise DiskFullError(f"no room for another log segment: {error.strerror}") from None
            raise StorageError(f"another log segment could not be made: {error}") from error
        self._end_record()
        if not self.lazy:  # nothing is written to the next one before this one is synced
            self._sealed = self.lsn
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
            segment.close()  # stays behind empty: a large record goes past it
        return self._create(max(room, self._segment_size))

    def _create(self, size: i64) -> Segment:
        return self._job(size).run()

    def _job(self, size: i64) -> SegmentJob:
        self._last_number += 1
        used = size == self._segment_size and len(self._spares) > self.history
        spare = self._spares.pop(0) if used else ""
        return SegmentJob(
            self._disk, self._last_number, size, self._database_id, spare, not self.lazy
        )

    def _allocate_ahead(self) -> None:
        if (
            self._ahead is None
            and self._spawn is not None
            and self._offset * AHEAD_SHARE > self._segment.size
        ):
            try:
                self._ahead = self._spawn(self._job(self._segment_size).run)
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
        self._segment.close()
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.exception() is None:
            ahead.result().close()
