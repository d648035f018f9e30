"""Is the log what recovery needs? Called by check.

The rules are those of `engine.replay`, which stops at the first damage; this goes on behind it as
far as that makes sense, to tell all there is. Invariant: there is a finding of damage here if, and
only if, replay refuses the log.
"""

from __future__ import annotations

from kveik.disk.api import Disk
from kveik.engine.findings import Findings, Tally, commits
from kveik.engine.survey_log import SegmentSurvey
from kveik.format.record import COMMITS, MARK, decode_commits
from kveik.format.segment import HEAD_SIZE, segment_name
from kveik.native import i64


class LogCheck:
    """One check. After `run`: lsn is the last commit, commits how many there are in the log."""

    def __init__(
        self, disk: Disk, database_id: bytes, lsn: i64, findings: Findings, tally: Tally
    ) -> None:
        """lsn: the last commit that is in tables. An empty database_id is that of no segment."""
        self._disk = disk
        self._database_id = database_id
        self._findings = findings
        self._tally = tally
        self._torn = ""  # the segment behind whose end commits are missing that nobody vouches for
        self.lsn = lsn
        self.commits: i64 = 0

    def run(self, first: i64, numbers: list[int]) -> None:
        """numbers: the segments from `first` on, in order."""
        if numbers[:1] != [first] and (numbers or self.lsn > 0):
            self._findings.damage(segment_name(first), 0, "this part of the log is missing")
            self.lsn = -1
        for number in numbers:
            self._check_segment(number)

    def _check_segment(self, number: int) -> None:
        name = segment_name(number)
        try:
            segment = SegmentSurvey(self._disk, name)
        except OSError as error:
            self._findings.damage(name, 0, f"cannot be opened: {error.strerror}")
            return
        self._tally.add(len(segment.data))
        for offset, what in segment.unreadable:
            self._findings.damage(name, offset, what)
        problem = segment.head_problem(number, self._database_id)
        if problem is not None:
            self._findings.damage(name, problem[0], problem[1])
        if self._torn or self._is_behind_a_gap(segment):
            self._check_behind_gap(segment)
        else:
            self._check_records(segment)

    def _is_behind_a_gap(self, segment: SegmentSurvey) -> bool:
        at: i64 = HEAD_SIZE
        end = segment.record_end(at)
        if self.lsn < 0:  # what comes before is missing, and that was said
            if end >= 0:
                self.lsn = segment.lsn(at) - (0 if segment.kind(at) == MARK else 1)
            return False
        while end >= 0 and segment.kind(at) == MARK:
            if segment.lsn(at) > self.lsn:
                return True
            at = end
            end = segment.record_end(at)
        return end >= 0 and segment.kind(at) == COMMITS and segment.lsn(at) > self.lsn + 1

    def _check_behind_gap(self, segment: SegmentSurvey) -> None:
        """What stands behind a gap counts for nothing, unless somebody vouches for what is gone."""
        mark = segment.find_mark(HEAD_SIZE, self.lsn + 1)
        if mark >= 0:
            what = f"commit {self.lsn + 1} is missing, and a mark says that it was synced"
            self._findings.damage(segment.name, mark, what)
            self._torn = ""
            at = segment.next_valid(HEAD_SIZE - 1, 0)
            self.lsn = segment.lsn(at) - (0 if segment.kind(at) == MARK else 1)
            self._check_records(segment)
        elif not self._torn:
            self._torn = segment.name
        if self._torn:
            what = "it is behind a gap and was never acknowledged; recovery removes it"
            self._findings.leftover(segment.name, what)

    def _check_records(self, segment: SegmentSurvey) -> None:
        at: i64 = HEAD_SIZE
        while True:
            at = self._read_records(segment, at)
            mark = segment.find_mark(at, self.lsn + 1)
            if mark < 0:
                return
            following = segment.next_valid(at, self.lsn + 1)
            self._damaged_record(segment, at, following, mark)
            at = following if following >= 0 else mark

    def _damaged_record(self, segment: SegmentSurvey, at: i64, following: i64, mark: i64) -> None:
        last = segment.lsn(following) - (0 if segment.kind(following) == MARK else 1)
        what = f"a synced record is damaged (offset {mark} vouches for it)"
        if last > self.lsn:
            what = f"{what}: it takes {commits(self.lsn + 1, last)}"
        self._findings.damage(segment.name, at, what)
        self.lsn = max(self.lsn, last)

    def _read_records(self, segment: SegmentSurvey, at: i64) -> i64:
        """Check the records from `at` on; where the last valid one ends."""
        end = segment.record_end(at)
        while end >= 0:
            kind = segment.kind(at)
            lsn = segment.lsn(at)
            if kind == COMMITS:
                self._check_commits(segment, at, end, lsn)
            elif kind != MARK:
                self._findings.damage(segment.name, at, f"unknown record type {kind}")
            elif lsn > self.lsn:
                what = f"commits {self.lsn + 1} to {lsn} are missing"
                self._findings.damage(segment.name, at, what)
                self.lsn = lsn
            at = end
            end = segment.record_end(at)
        return at

    def _check_commits(self, segment: SegmentSurvey, at: i64, end: i64, lsn: i64) -> None:
        if lsn != self.lsn + 1:
            what = f"commit {self.lsn + 1} should stand here, not {lsn}: part of the log is missing"
            self._findings.damage(segment.name, at, what)
        try:
            count: i64 = len(decode_commits(segment.data, at, end))
        except ValueError as error:
            self._findings.damage(segment.name, at, f"commit {lsn}: {error}")
            count = 1
        self.commits += count
        self.lsn = lsn + count - 1
