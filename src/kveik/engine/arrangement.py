"""Which tables a damaged directory has, and which is newer than which. For repair and inspect.

As the manifest says, where it is whole. Where it is not: as far as its edits can be read, and its
damaged text made out; tables of which nothing is known are placed by their numbers. Invariant: a
table of which an intact edit says that it is gone is left out.
"""

from __future__ import annotations

from itertools import pairwise

from kveik.disk.api import Disk
from kveik.engine.check import file_size
from kveik.engine.state import empty_levels
from kveik.engine.survey_manifest import ManifestSurvey
from kveik.format.edit import Edit
from kveik.format.segment import segment_name
from kveik.format.table import (
    FOOTER_SIZE,
    Footer,
    TableInfo,
    decode_footer,
    table_name,
    table_number,
)
from kveik.limits import LEVELS
from kveik.native import i64


class Known:
    """A table. name: of its file, empty if that is missing. info: None if nothing is known."""

    __slots__ = ("info", "level", "name", "number")

    def __init__(self, number: int, level: int, name: str, info: TableInfo | None) -> None:
        self.number = number
        self.level = level
        self.name = name
        self.info = info


class Arrangement:
    """levels: as in a State, of which level 0 has all where the order is a guess.

    unknown: numbers of tables that were placed by their number. guessed: the levels were not to be
    had from an intact manifest. log, lsn, next_table: as in a State; 0 and -1 if unknown.
    """

    def __init__(self, disk: Disk, survey: ManifestSurvey | None) -> None:
        self.levels: list[list[Known]] = []
        self.unknown: list[int] = []
        self.guessed = survey is None or survey.state is None
        self.log: i64 = 0
        self.lsn: i64 = -1
        self.hint = Edit([], [])  # log and lsn as damaged text has them
        self.next_table: i64 = 1
        self._files: dict[int, str] = {}  # by table number
        self._footers: dict[int, Footer] = {}
        self._tables: dict[int, Known] = {}
        self._first: list[int] = []  # level 0, newest first
        self._gone: set[int] = set()
        self._find_files(disk)
        if survey is not None:
            for surveyed in survey.edits:
                self._apply(surveyed.edit, surveyed.intact)
            if survey.torn > 0 and not self._is_complete(disk):
                self.guessed = True  # the last edit is damaged, and did hold
                self._apply(survey.torn_edit, False)
        self._arrange()

    def _is_complete(self, disk: Disk) -> bool:
        """Whether everything is there that is needed."""
        missing = [known for known in self._tables.values() if not known.name]
        return not missing and segment_name(max(self.log, 1)) in disk.names()

    def newest_first(self) -> list[Known]:
        return [known for level in self.levels for known in level]

    def _find_files(self, disk: Disk) -> None:
        misnamed: dict[int, str] = {}
        for name in disk.names():
            number = table_number(name)
            if number == 0:
                continue
            footer = _read_footer(disk, name)
            if footer is not None and footer.number != number:
                misnamed.setdefault(footer.number, name)
                self._footers.setdefault(footer.number, footer)
                continue
            self._files[number] = name
            if footer is not None:
                self._footers[number] = footer
        for number, name in misnamed.items():
            self._files.setdefault(number, name)

    # --- what the edits say ---------------------------------------------------------------------

    def _apply(self, edit: Edit, intact: bool) -> None:
        at = 0
        for place, number in enumerate(self._first):
            if number in edit.removed:
                at = place
                break
        for number in edit.removed:
            self._tables.pop(number, None)
            if intact:
                self._gone.add(number)
        self._first = [number for number in self._first if number not in edit.removed]
        for level, info in edit.added:
            name = self._files.get(info.number, "")
            if not intact and (not name or not self._fits(info)):
                continue  # the text may be damaged just here
            self._gone.discard(info.number)
            self._tables[info.number] = Known(info.number, level, name, info)
            if level == 0:
                self._first.insert(at, info.number)
                at += 1
        if intact:
            self.log = max(self.log, edit.log, 1)
            self.lsn = max(self.lsn, edit.lsn, 0)
            self.next_table = max(self.next_table, edit.next_table)
        elif edit.log > 0:
            self.hint = edit

    def _fits(self, info: TableInfo) -> bool:
        """Whether the table's file says the same of it."""
        footer = self._footers.get(info.number)
        if footer is None:
            return False
        told = (info.root_offset, info.root_size, info.entries)
        return told == (footer.root_offset, footer.root_size, footer.entries)

    # --- the order ------------------------------------------------------------------------------

    def _arrange(self) -> None:
        levels: list[list[Known]] = [[] for _ in empty_levels()]
        levels[0] = [self._tables[number] for number in self._first if number in self._tables]
        for known in self._tables.values():
            if 0 < known.level < LEVELS:
                levels[known.level].append(known)
        for level in levels[1:]:
            level.sort(key=_low)
        if self.guessed:
            known_numbers = self._tables.keys() | self._gone
            self.unknown = sorted([number for number in self._files if number not in known_numbers])
            if self.unknown or _overlap(levels):
                levels = self._flattened(levels)
        self.levels = levels
        for number in self._files:
            self.next_table = max(self.next_table, number + 1)

    def _flattened(self, levels: list[list[Known]]) -> list[list[Known]]:
        """All in level 0; an unknown table stands before the first one with a lower number."""
        flat: list[list[Known]] = [[known] for known in levels[0]]
        flat += [level for level in levels[1:] if level]
        for number in self.unknown:
            unknown = Known(number, 0, self._files[number], None)
            at = 0
            while at < len(flat) and min([known.number for known in flat[at]]) > number:
                at += 1
            flat.insert(at, [unknown])
        every = [known for level in flat for known in level]
        return [every, *[[] for _ in levels[1:]]]


def _low(known: Known) -> bytes:
    return known.info.low if known.info is not None else b""


def _overlap(levels: list[list[Known]]) -> bool:
    for level in levels[1:]:
        for before, behind in pairwise(level):
            if before.info is None or before.info.high > _low(behind):
                return True
    return False


def _read_footer(disk: Disk, name: str) -> Footer | None:
    """The footer of a table's file, None if it is damaged."""
    size = file_size(disk, name)
    try:
        file = disk.open(name)
        try:
            return decode_footer(file.read(max(size - FOOTER_SIZE, 0), FOOTER_SIZE))
        finally:
            file.close()
    except (OSError, ValueError):
        return None


def missing_name(known: Known) -> str:
    """The name that a table's file would have."""
    return known.name or table_name(known.number)
