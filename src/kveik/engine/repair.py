"""Whatever can be saved of a damaged directory -> a new database. Called by the command line.

Whole tables are copied as they are, damaged ones written anew, level by level, so that what is
newer stays newer; the log becomes tables of level 0. Invariants: the damaged directory is only
read; the new one becomes a database by its identity, which is written last; nothing is saved that
was never there.
"""

from __future__ import annotations

import secrets

from kveik.disk.api import Disk
from kveik.engine.arrangement import Arrangement, Known, missing_name
from kveik.engine.builder import TableBuilder
from kveik.engine.check import Check, Report, file_size, read_identity, refuse_strange
from kveik.engine.check_table import TableCheck
from kveik.engine.findings import Findings, Progress, Tally
from kveik.engine.manifest import write_manifest
from kveik.engine.opening import write_identity
from kveik.engine.salvage_log import LogSalvage
from kveik.engine.salvage_table import CERTAIN, DEFAULT, Older, TableSalvage
from kveik.engine.segment import NEW_SUFFIX, create_segment
from kveik.engine.state import State, empty_levels
from kveik.engine.survey_log import SegmentSurvey, read_whole
from kveik.engine.survey_manifest import ManifestSurvey
from kveik.engine.survey_table import TableSurvey
from kveik.errors import CorruptionError, OpenError
from kveik.format import edit, identity
from kveik.format.record import MARK
from kveik.format.segment import HEAD_SIZE, segment_name, segment_number
from kveik.format.table import TableInfo, table_name, table_number
from kveik.limits import MIN_SEGMENT, READ_SIZE
from kveik.native import i64


class Saved:
    """What a repair has done.

    losses: what could not be saved. mended: what was damaged and cost nothing. doubtful: ranges of
    stored keys in which an older version, or a deleted key, may have come back.
    """

    def __init__(self) -> None:
        self.losses = Findings()
        self.mended = Findings()
        self.notes: list[str] = []
        self.doubtful: list[tuple[bytes, bytes]] = []
        self.unsure = False  # which table is newer had to be guessed
        self.copied: i64 = 0  # tables
        self.rewritten: i64 = 0
        self.entries: i64 = 0  # in tables, those made of the log included
        self.bytes: i64 = 0
        self.commits: i64 = 0  # of the log
        self.lsn: i64 = 0
        self.hidden: i64 = 0  # outdated versions of lost entries that were left out
        self.left: i64 = 0  # bytes of records behind damage in the log that were left
        self.report = Report()  # of the check of what was made


def repair_directory(
    source: Disk,
    target: Disk,
    *,
    salvage_log: bool = False,
    mode: int = DEFAULT,
    progress: Progress | None = None,
) -> Saved:
    """Save what can be saved of source into target, which must be empty.

    OpenError: one of them cannot be used. OSError: the new database is not finished.
    """
    refuse_strange(source)
    found = target.names() + target.others()
    if found:
        raise OpenError(f"{target.path} is not empty: it holds {found[0]!r}")
    source.lock(shared=True)
    target.lock()
    repair = Repair(source, target, salvage_log, mode, progress)
    repair.run()
    return repair.saved


class Repair:
    def __init__(
        self, source: Disk, target: Disk, salvage_log: bool, mode: int, progress: Progress | None
    ) -> None:
        self.saved = Saved()
        self._source = source
        self._target = target
        self._salvage_log = salvage_log
        self._mode = mode
        self._progress = progress
        self._next: i64 = 1  # table number
        total: i64 = 0
        for name in source.names():
            total += file_size(source, name)
        self._tally = Tally(2 * total, progress)

    def run(self) -> None:
        version, database_id = self._identity()
        arrangement = self._arrangement(version)
        levels = self._save_tables(arrangement)
        first, numbers = self._segments(arrangement)
        salvage = LogSalvage(
            self._source,
            self._target,
            database_id,
            arrangement.lsn,
            self._salvage_log,
            self.saved.losses,
            self.saved.mended,
            self._tally,
        )
        self._next = salvage.run(first, numbers, self._next)
        levels[0] = salvage.tables + levels[0]
        self._finish(levels, salvage)
        self._tally.finish()
        check = Check(self._target, self._progress)
        check.run()
        self.saved.report = check.report

    # --- what there is --------------------------------------------------------------------------

    def _identity(self) -> tuple[int, bytes]:
        """(format version, database id); where that is damaged, what most segments say."""
        try:
            version, database_id = read_identity(self._source)
            tables = [name for name in self._source.names() if table_number(name)]
            if version == identity.WITHOUT_MANIFEST and tables:
                what = f"it knows of no tables, and there is {tables[0]}"
                self.saved.mended.damage(identity.NAME, 0, what)
                version = identity.VERSION
            return version, database_id
        except CorruptionError as error:
            self.saved.mended.damage(error.file, error.offset, error.what)
        ids: list[bytes] = []
        for name in self._source.names():
            if segment_number(name):
                head = SegmentSurvey(self._source, name).head
                if head is not None:
                    ids.append(head.database_id)
        database_id = max(ids, key=ids.count) if ids else b""
        return identity.VERSION, database_id

    def _arrangement(self, version: int) -> Arrangement:
        saved = self.saved
        survey: ManifestSurvey | None = None
        there = edit.NAME in self._source.names()
        if there and version != identity.WITHOUT_MANIFEST:
            data, problems = read_whole(self._source, edit.NAME)
            survey = ManifestSurvey(data)
            for offset, what in problems + survey.problems:
                saved.mended.damage(edit.NAME, offset, what)
        elif version != identity.WITHOUT_MANIFEST:
            saved.mended.damage(edit.NAME, 0, "the file is missing")
        arrangement = Arrangement(self._source, survey)
        if version == identity.WITHOUT_MANIFEST and not arrangement.unknown:
            arrangement.lsn = 0
        elif arrangement.guessed:
            saved.notes.append("the levels are not known for certain: the manifest is damaged")
        if arrangement.unknown:
            saved.unsure = True
            names = ", ".join([table_name(number) for number in arrangement.unknown])
            saved.notes.append(
                f"of unknown level, the highest number taken for the newest: {names}; "
                "where they overlap, an older version or a deleted key may have come back"
            )
        self._next = arrangement.next_table
        return arrangement

    def _segments(self, arrangement: Arrangement) -> tuple[i64, list[int]]:
        """(the first segment that should be there, those that are)"""
        names = self._source.names()
        numbers = sorted([segment_number(name) for name in names if segment_number(name)])
        hint = arrangement.hint
        if arrangement.guessed and self._begins(hint.log, hint.lsn):
            arrangement.log = hint.log
            arrangement.lsn = hint.lsn
        elif arrangement.guessed and not self._begins(arrangement.log, arrangement.lsn):
            arrangement.log = 0
            arrangement.lsn = -1
        return arrangement.log, [number for number in numbers if number >= arrangement.log]

    def _begins(self, log: i64, lsn: i64) -> bool:
        """Whether the log's segment of this number begins behind this commit."""
        name = segment_name(log)
        if name not in self._source.names():
            return False
        segment = SegmentSurvey(self._source, name)
        at = segment.next_valid(HEAD_SIZE - 1, 0)
        if at < 0:
            return False
        return segment.lsn(at) == (lsn if segment.kind(at) == MARK else lsn + 1)

    # --- tables ---------------------------------------------------------------------------------

    def _save_tables(self, arrangement: Arrangement) -> list[list[TableInfo]]:
        levels = empty_levels()
        newest_first = arrangement.newest_first()
        place = 0
        for number, level in enumerate(arrangement.levels):
            for known in level:
                place += 1
                info = self._save_table(known, newest_first[place:])
                if info is not None:
                    levels[number].append(info)
        return levels

    def _save_table(self, known: Known, older: list[Known]) -> TableInfo | None:
        if not known.name:
            return self._replace_missing(known)
        findings = Findings()
        try:
            check = TableCheck(self._source, known.name, known.info, findings, self._tally)
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
            return self._replace_missing(known, what)
        try:
            check.run()
            measured = check.measured()
            if not findings.items and measured.entries + measured.clears > 0:
                return self._copy(known.name, measured)
            if known.name != table_name(known.number) and len(findings.items) == 1:
                self.saved.mended.items += findings.items
                return self._copy(known.name, measured)
            return self._rewrite(check.survey, known, older, findings)
        finally:
            check.survey.close()

    def _copy(self, name: str, info: TableInfo) -> TableInfo:
        """Copy a whole table's file, byte for byte."""
        own = table_name(info.number)
        file = self._source.open(name)
        copy = self._target.create(own + NEW_SUFFIX)
        try:
            at: i64 = 0
            while at < info.size:
                data = file.read(at, min(READ_SIZE, info.size - at))
                copy.write(at, [data])
                at += len(data)
                self._tally.add(len(data))
            copy.sync()
        finally:
            file.close()
            copy.close()
        self._target.rename(own + NEW_SUFFIX, own)
        self.saved.copied += 1
        self._count(info)
        return info

    def _rewrite(
        self, survey: TableSurvey, known: Known, older: list[Known], findings: Findings
    ) -> TableInfo | None:
        saved = self.saved
        before = len(saved.losses.items)
        older_tables = Older(self._source, older)
        salvage = TableSalvage(survey, known.info, older_tables, self._mode, saved.losses)
        info = salvage.run(self._target, self._next)
        self._next += 1
        saved.hidden += salvage.hidden
        saved.doubtful += salvage.doubtful
        lost = {finding.offset for finding in saved.losses.items[before:]}
        saved.mended.items += [one for one in findings.items if one.offset not in lost]
        if info is not None:
            saved.rewritten += 1
            self._count(info)
            saved.entries -= salvage.hidden
        return info

    def _replace_missing(self, known: Known, what: str = "the file is missing") -> TableInfo | None:
        saved = self.saved
        info = known.info
        if info is None:
            saved.losses.damage(missing_name(known), 0, what)
            return None
        what = f"{what}: {info.entries} entries of level {known.level}"
        saved.losses.damage(missing_name(known), 0, what, info.low, info.high)
        if self._mode != CERTAIN:
            saved.doubtful.append((info.low, info.high))
            return None
        return self._clear(info)

    def _clear(self, lost: TableInfo) -> TableInfo:
        """A table that hides whatever is older than a lost one."""
        name = table_name(self._next)
        file = self._target.create(name + NEW_SUFFIX)
        try:
            builder = TableBuilder(file, self._next)
            builder.clears = [(lost.low, lost.high)]
            info = builder.finish()
        finally:
            file.close()
        self._target.rename(name + NEW_SUFFIX, name)
        self._next += 1
        return info

    def _count(self, info: TableInfo) -> None:
        self.saved.entries += info.entries
        self.saved.bytes += info.size

    # --- the end --------------------------------------------------------------------------------

    def _finish(self, levels: list[list[TableInfo]], salvage: LogSalvage) -> None:
        """Make a database of the tables."""
        saved = self.saved
        for info in salvage.tables:
            self._count(info)
        saved.commits = salvage.commits
        saved.lsn = max(salvage.lsn, 0)
        saved.left = salvage.left
        database_id = secrets.token_bytes(identity.ID_SIZE)
        create_segment(self._target, 1, MIN_SEGMENT, database_id).file.close()
        state = State(levels, 1, saved.lsn, self._next)
        write_manifest(self._target, database_id, state).close()
        write_identity(self._target, database_id)
