"""Log segments, damaged or not -> a table of level 0 each. Called by repair.

Invariants: commits are taken whole and in their order. What recovery would drop, as nobody was told
that it is safe, is dropped here, too, and is no loss.
"""

from __future__ import annotations

from kveik.disk.api import Disk
from kveik.engine.findings import Findings, Tally, commits
from kveik.engine.flush import FarData, settle
from kveik.engine.output import Far, Output
from kveik.engine.survey_log import SegmentSurvey
from kveik.errors import StorageError
from kveik.format.codec import NONE
from kveik.format.filter import MANY_BITS
from kveik.format.gather import Gathered, gather
from kveik.format.jobs import FlushJob, half_made_end
from kveik.format.record import COMMITS, MARK
from kveik.format.segment import HEAD_SIZE, segment_name
from kveik.format.table import BLOCK_SIZE, TableInfo, table_name
from kveik.native import i64

ENDING = "repair"  # of half-made names; the directory is ours alone


class LogSalvage:
    """After `run`: tables, newest first; lsn: the last commit; commits: how many were saved."""

    def __init__(
        self,
        disk: Disk,
        target: Disk,
        database_id: bytes,
        lsn: i64,
        behind: bool,
        losses: Findings,
        mended: Findings,
        tally: Tally,
    ) -> None:
        """lsn: the last commit in tables, -1 if unknown. behind: go on behind damage."""
        self.tables: list[TableInfo] = []
        self.lsn = lsn
        self.commits: i64 = 0
        self.left: i64 = 0  # bytes of records behind damage that could be read, and were left
        self._disk = disk
        self._target = target
        self._database_id = database_id
        self._behind = behind
        self._losses = losses
        self._mended = mended
        self._tally = tally
        self._stopped = False
        self._gathered = Gathered()

    def run(self, first: i64, numbers: list[int], next_table: i64) -> i64:
        """Save what the segments hold; the next table number. OSError.

        first: the segment that should be the first; 0 if that is unknown.
        """
        if first > 0 and numbers[:1] != [first] and (numbers or self.lsn > 0):
            self._damage(segment_name(first), 0, "this part of the log is missing")
            self.lsn = -1 if self._behind else self.lsn
        for at, number in enumerate(numbers):
            segment = self._open(number)
            if segment is None:
                continue
            self._gathered = Gathered()
            if self._stopped:
                self._count_left(segment, HEAD_SIZE)
            elif self._goes_on(segment, numbers[at + 1 :]):
                self._take_records(segment)
                if self._make_table(segment.name, next_table):
                    next_table += 1
        return next_table

    def _damage(self, name: str, offset: i64, what: str) -> None:
        self._losses.damage(name, offset, what)
        self._stopped = not self._behind

    def _open(self, number: int) -> SegmentSurvey | None:
        name = segment_name(number)
        try:
            segment = SegmentSurvey(self._disk, name)
        except OSError as error:
            self._damage(name, 0, f"cannot be opened: {error.strerror}")
            return None
        self._tally.add(len(segment.data))
        head = segment.head
        problem = segment.head_problem(number, self._database_id)
        other = head is not None and self._database_id not in (b"", head.database_id)
        if problem is not None and (other or segment.next_valid(HEAD_SIZE - 1, 0) < 0):
            self._damage(name, problem[0], problem[1])
            return None
        if problem is not None:
            self._mended.damage(name, problem[0], problem[1])
        return segment

    # --- records --------------------------------------------------------------------------------

    def _goes_on(self, segment: SegmentSurvey, later: list[int]) -> bool:
        """Whether the segment is to be read: not behind a gap that nobody vouches for."""
        start = segment.next_valid(HEAD_SIZE - 1, 0)
        if start < 0 or self.lsn < 0:
            return True
        mark = segment.kind(start) == MARK
        if segment.lsn(start) <= self.lsn + (0 if mark else 1):
            return True
        if segment.find_mark(HEAD_SIZE, self.lsn + 1) < 0 and not self._vouched(later):
            return False
        if segment.record_end(HEAD_SIZE) < 0:
            return True  # its first record is damaged, and is reported as such
        last = segment.lsn(start) - (0 if mark else 1)
        self._damage(segment.name, start, f"missing: {commits(self.lsn + 1, last)}")
        if self._stopped:
            self._count_left(segment, HEAD_SIZE)
        self.lsn = last if self._behind else self.lsn
        return self._behind

    def _vouched(self, numbers: list[int]) -> bool:
        """Whether a later segment says that what is missing was synced."""
        for number in numbers:
            try:
                segment = SegmentSurvey(self._disk, segment_name(number))
            except OSError:
                continue
            if segment.find_mark(HEAD_SIZE, self.lsn + 1) >= 0:
                return True
        return False

    def _take_records(self, segment: SegmentSurvey) -> None:
        at: i64 = HEAD_SIZE
        while True:
            end = segment.record_end(at)
            if end >= 0:
                if not self._take(segment, at, end):
                    self._count_left(segment, at)
                    return
                at = end
                continue
            following = segment.next_valid(at, max(self.lsn + 1, 0))
            mark = segment.find_mark(at, max(self.lsn + 1, 0))
            if mark < 0 or following < 0:
                return
            last = segment.lsn(following) - (0 if segment.kind(following) == MARK else 1)
            what = f"a damaged record: {commits(self.lsn + 1, last)}"
            self._damage(segment.name, at, what)
            if self._stopped:
                self._count_left(segment, following)
                return
            self.lsn = max(self.lsn, last)
            at = following

    def _take(self, segment: SegmentSurvey, at: i64, end: i64) -> bool:
        """Take a valid record in; False if nothing is to be read any further."""
        lsn = segment.lsn(at)
        kind = segment.kind(at)
        if kind != COMMITS and kind != MARK:
            self._damage(segment.name, at, f"unknown record type {kind}")
            return self._behind
        last = lsn if kind == MARK else lsn - 1
        if self.lsn < 0:
            self.lsn = last
        if last > self.lsn:
            self._damage(segment.name, at, f"missing: {commits(self.lsn + 1, last)}")
            if self._stopped:
                return False
            self.lsn = last
        if kind == COMMITS:
            self._gather(segment, at, end, lsn)
        return True

    def _gather(self, segment: SegmentSurvey, at: i64, end: i64, lsn: i64) -> None:
        skip = self.lsn + 1 - lsn  # commits that are in tables
        try:
            count = gather(segment.data, at, end, 0, skip, 1 << 62, self._gathered)
        except ValueError as error:
            self._damage(segment.name, at, f"commit {lsn}: {error}")
            return
        if count > skip:
            self.commits += count - skip
            self.lsn += count - skip

    def _count_left(self, segment: SegmentSurvey, at: i64) -> None:
        """Add up the valid records from `at` on."""
        while True:
            end = segment.record_end(at)
            if end < 0:
                at = segment.next_valid(at, max(self.lsn + 1, 0))
                if at < 0:
                    return
                continue
            self.left += end - at if segment.kind(at) == COMMITS else 0
            at = end

    # --- tables ---------------------------------------------------------------------------------

    def _make_table(self, name: str, number: i64) -> bool:
        """Make a table of what was gathered from a segment; False if that is nothing."""
        gathered = self._gathered
        job = FlushJob(
            [], 0, 0, number, token=ENDING, bottom=False, now=0, block_size=BLOCK_SIZE, codec=NONE
        )
        output = Output(self._target, job, number, 1, table_size=0, filter_bits=MANY_BITS)
        done = False
        try:
            values = settle(gathered, output.clears)
            keys = sorted(values)
            far: dict[bytes, Far] = {}
            for key, place in gathered.far.items():
                far[key] = FarData(self._disk, name, place)
            output.add(keys, [values[key] for key in keys], far)
            output.finish()
            done = True
        finally:
            if not done:
                output.discard()
        if not output.tables:
            return False
        if len(output.tables) > 1:
            raise StorageError("one segment has become several tables")
        self._target.rename(table_name(number) + half_made_end(ENDING), table_name(number))
        self.tables.insert(0, output.tables[0])
        return True
