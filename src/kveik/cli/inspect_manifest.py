"""The lines of a manifest: one an edit."""

from __future__ import annotations

import json
from collections.abc import Iterator

from kveik.cli.line import Line, damage
from kveik.cli.told import count
from kveik.disk.api import Disk
from kveik.engine.survey_log import read_whole
from kveik.engine.survey_manifest import ManifestSurvey, SurveyedEdit
from kveik.format.edit import encode_edit
from kveik.format.shown import show_range
from kveik.format.table import TableInfo
from kveik.sizes import show_size


def lines(disk: Disk, name: str, keys: bool, values: bool) -> Iterator[Line]:
    data, problems = read_whole(disk, name)
    survey = ManifestSurvey(data)
    problems += survey.problems
    head = survey.head
    if head is not None:
        fields: dict[str, object] = {"id": head.database_id.hex(), "format": head.version}
        yield Line("manifest", f"manifest of database {head.database_id.hex()}", fields)
    for surveyed in survey.edits:
        while problems and problems[0][0] <= surveyed.offset:
            yield damage(*problems.pop(0))
        yield _edit(surveyed)
        for level, info in surveyed.edit.added:
            yield Line("table", f"              {told(level, info)}", _fields(level, info))
    for offset, what in problems:
        yield damage(offset, what)
    if survey.torn:
        at = len(data) - survey.torn
        what = "bytes behind the last edit: one that was broken off, or damage"
        fields = {"offset": at, "size": survey.torn}
        yield Line("torn", f"{at:>10}  {survey.torn} {what}", fields)


def _edit(surveyed: SurveyedEdit) -> Line:
    edit = surveyed.edit
    words = []
    if edit.removed:
        words.append("tables gone: " + ", ".join(map(str, edit.removed)))
    if edit.added:
        words.append(count(len(edit.added), "table") + " added")
    if edit.log:
        words.append(f"the log is needed from segment {edit.log} on")
    if edit.lsn:
        words.append(f"commits up to {edit.lsn} are in tables")
    if edit.next_table:
        words.append(f"the next table is {edit.next_table}")
    readable = "" if surveyed.intact else " (as far as its text can be made out)"
    text = f"{surveyed.offset:>10}  edit {surveyed.number}{readable}: {'; '.join(words)}"
    fields: dict[str, object] = {
        "offset": surveyed.offset,
        "number": surveyed.number,
        "intact": surveyed.intact,
        "edit": json.loads(encode_edit(edit)),
    }
    return Line("edit", text, fields, counts=True)


def told(level: int, info: TableInfo) -> str:
    """A table in a line."""
    words = f"level {level}  table {info.number:>6}  {show_size(int(info.size)):>8}  "
    words += f"{count(info.entries, 'entry')}"
    if info.tombstones:
        words += f" ({info.tombstones:,} deleted)"
    if info.clears:
        words += f", {count(info.clears, 'cleared range')}"
    return f"{words}  {show_range(info.low, info.high)}"


def _fields(level: int, info: TableInfo) -> dict[str, object]:
    return {
        "level": level,
        "number": info.number,
        "size": info.size,
        "entries": info.entries,
        "low": info.low.hex(),
        "high": info.high.hex(),
    }
