"""Is a directory whole? Reads all of it and changes nothing. Called by the command line and repair.

Invariants: a directory without damage opens and gives everything that was put into it; each finding
names file and offset. What is to be found elsewhere too: `check_table`, `check_log`, `survey_*`.
"""

from __future__ import annotations

from itertools import pairwise

from kveik.disk.api import Disk
from kveik.engine.check_log import LogCheck
from kveik.engine.check_table import TableCheck
from kveik.engine.findings import Findings, Progress, Tally
from kveik.engine.segment import NEW_SUFFIX
from kveik.engine.state import State, empty_levels
from kveik.engine.survey_log import read_whole
from kveik.engine.survey_manifest import ManifestSurvey
from kveik.errors import CorruptionError, NewerFormatError, NotKveikError
from kveik.format import edit, identity
from kveik.format.segment import HEAD_SIZE, segment_number
from kveik.format.table import TableInfo, table_name, table_number
from kveik.native import i64


class Report:
    """What a check has found out. state: what the manifest says; None if it is damaged."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.version = 0  # of the directory's format; 0 if its identity is damaged
        self.database_id = b""
        self.state: State | None = None
        self.tables: i64 = 0  # looked at
        self.segments: i64 = 0
        self.entries: i64 = 0  # in those tables
        self.commits: i64 = 0  # in those segments
        self.bytes: i64 = 0


def check_directory(disk: Disk, progress: Progress | None = None) -> Report:
    """Check a directory that nobody writes to. NotKveikError, LockedError, NewerFormatError."""
    refuse_strange(disk)
    disk.lock(shared=True)
    check = Check(disk, progress)
    check.run()
    return check.report


def refuse_strange(disk: Disk) -> None:
    """NotKveikError if there is no sign of a database."""
    names = disk.names()
    ours = [name for name in names if segment_number(name) or table_number(name)]
    if identity.NAME not in names and edit.NAME not in names and not ours:
        raise NotKveikError(f"{disk.path} holds no database")


class Check:
    def __init__(self, disk: Disk, progress: Progress | None) -> None:
        self.report = Report()
        self._disk = disk
        self._names = disk.names()
        self._findings = self.report.findings
        total: i64 = 0
        for name in self._names:
            total += file_size(disk, name)
        self._tally = Tally(total, progress)

    def run(self) -> None:
        report = self.report
        self._check_identity()
        state = self._read_state()
        report.state = state
        named: set[str] = set()
        if state is not None:
            self._check_levels(state)
            for number, level in enumerate(state.levels):
                for info in level:
                    named.add(table_name(info.number))
                    self._check_table(number, info)
            self._check_log(state)
        else:
            self._check_unnamed()
        self._name_others(state, named)
        report.bytes = self._tally.done
        self._tally.finish()

    def _check_identity(self) -> None:
        report = self.report
        try:
            report.version, report.database_id = read_identity(self._disk)
        except CorruptionError as error:
            self._findings.damage(error.file, error.offset, error.what)
        tables = [name for name in self._names if table_number(name)]
        if report.version == identity.WITHOUT_MANIFEST and tables:
            what = f"it knows of no tables, and there is {tables[0]}"
            self._findings.damage(identity.NAME, 0, what)
            report.version = 0

    def _read_state(self) -> State | None:
        """What the manifest says, None if it cannot be relied upon."""
        if edit.NAME not in self._names:
            if self.report.version == identity.WITHOUT_MANIFEST:
                return State(empty_levels())
            self._findings.damage(edit.NAME, 0, "the file is missing")
            return None
        if self.report.version == identity.WITHOUT_MANIFEST:
            self._findings.leftover(edit.NAME, "an upgrade that was broken off has left it")
            return State(empty_levels())
        data, problems = read_whole(self._disk, edit.NAME)
        survey = ManifestSurvey(data)
        for offset, what in problems + survey.problems:
            self._findings.damage(edit.NAME, offset, what)
        head = survey.head
        if head is not None and self.report.database_id not in (b"", head.database_id):
            self._findings.damage(edit.NAME, 0, "it belongs to another database")
        if survey.torn > 0:
            what = f"{survey.torn} bytes behind the last edit: one that was broken off, or damage"
            self._findings.leftover(edit.NAME, what)
        return survey.state

    def _check_levels(self, state: State) -> None:
        for number, level in enumerate(state.levels[1:], 1):
            for before, behind in pairwise(level):
                if before.high > behind.low:
                    what = f"tables {before.number} and {behind.number} of level {number} overlap"
                    self._findings.damage(edit.NAME, HEAD_SIZE, what, behind.low, before.high)

    def _check_table(self, level: int, info: TableInfo) -> None:
        name = table_name(info.number)
        if name not in self._names:
            what = f"the file is missing: {info.entries} entries of level {level}"
            self._findings.damage(name, 0, what, info.low, info.high)
            return
        self._look_into(name, info)

    def _look_into(self, name: str, info: TableInfo | None) -> None:
        report = self.report
        try:
            check = TableCheck(self._disk, name, info, self._findings, self._tally)
        except OSError as error:
            self._findings.damage(name, 0, f"cannot be read: {error.strerror}")
            return
        try:
            check.run()
        finally:
            check.survey.close()
        report.tables += 1
        report.entries += check.measured().entries

    def _check_log(self, state: State) -> None:
        report = self.report
        numbers = [number for number in self._segments() if number >= state.log]
        check = LogCheck(self._disk, report.database_id, state.lsn, self._findings, self._tally)
        check.run(state.log, numbers)
        report.segments = len(numbers)
        report.commits = check.commits

    def _check_unnamed(self) -> None:
        """Without a manifest: whatever tables and segments there are."""
        for name in self._names:
            if table_number(name):
                self._look_into(name, None)
        numbers = self._segments()
        check = LogCheck(self._disk, self.report.database_id, -1, self._findings, self._tally)
        if numbers:
            check.run(numbers[0], numbers)
        self.report.segments = len(numbers)
        self.report.commits = check.commits

    def _segments(self) -> list[int]:
        return sorted([segment_number(name) for name in self._names if segment_number(name)])

    def _name_others(self, state: State | None, named: set[str]) -> None:
        """Files that are no part of the database."""
        findings = self._findings
        for name in self._names:
            number = segment_number(name)
            if number:
                if state is not None and number < state.log:
                    findings.leftover(name, "all of it is in tables; the next opening removes it")
            elif table_number(name):
                if state is not None and name not in named:
                    what = "the manifest does not name it; the next opening removes it"
                    findings.leftover(name, what)
            elif name.endswith(NEW_SUFFIX):
                findings.leftover(name, "it was never finished; the next opening removes it")
            elif name not in (identity.NAME, edit.NAME):
                findings.leftover(name, "a stranger: no file of Kveik's")
        for name in self._disk.others():
            if name != "lost+found":
                findings.leftover(name, "a stranger: no file at all")


def read_identity(disk: Disk) -> tuple[int, bytes]:
    """(format version, database id). CorruptionError, NewerFormatError."""
    if identity.NAME not in disk.names():
        raise CorruptionError(identity.NAME, 0, "the file is missing")
    data, problems = read_whole(disk, identity.NAME)
    if problems:
        raise CorruptionError(identity.NAME, problems[0][0], problems[0][1])
    try:
        version, database_id = identity.decode_identity(data)
    except ValueError as error:
        raise CorruptionError(identity.NAME, 0, str(error)) from None
    if version > identity.VERSION:
        raise NewerFormatError(
            f"{disk.path} has format {version}; this Kveik knows up to {identity.VERSION}: upgrade"
        )
    return version, database_id


def file_size(disk: Disk, name: str) -> i64:
    """Bytes of a file, 0 if it cannot be opened."""
    try:
        file = disk.open(name)
    except OSError:
        return 0
    try:
        return file.size()
    finally:
        file.close()
