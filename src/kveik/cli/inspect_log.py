"""The lines of a log segment: one a record, with --keys one an entry."""

from __future__ import annotations

from collections.abc import Iterator

from kveik.cli.line import Line, damage, entry
from kveik.cli.told import count
from kveik.disk.api import Disk
from kveik.engine.survey_log import SegmentSurvey
from kveik.format.record import COMMITS, MARK, decode_commits
from kveik.format.segment import HEAD_SIZE
from kveik.format.shown import show_key
from kveik.model import Writes


def lines(disk: Disk, name: str, keys: bool, values: bool) -> Iterator[Line]:
    survey = SegmentSurvey(disk, name)
    yield from _head(survey)
    for offset, what in survey.unreadable:
        yield damage(offset, what)
    at = HEAD_SIZE
    while True:
        end = survey.record_end(at)
        if end >= 0:
            yield from _record(survey, at, end, keys, values)
            at = end
            continue
        following = survey.next_valid(at, 0)
        if following < 0:
            break
        yield damage(at, f"no valid record; the next one is at {following}")
        at = following
    yield from _end(survey, at)


def _head(survey: SegmentSurvey) -> Iterator[Line]:
    head = survey.head
    if head is None:
        yield damage(0, survey.head_error)
        return
    fields: dict[str, object] = {
        "number": head.number,
        "id": head.database_id.hex(),
        "size": head.size,
        "format": head.version,
    }
    text = f"log segment {head.number} of database {head.database_id.hex()}, {head.size:,} bytes"
    yield Line("segment", text, fields)
    if head.size != len(survey.data):
        yield damage(len(survey.data), f"the file ends here, not at {head.size}")


def _record(survey: SegmentSurvey, at: int, end: int, keys: bool, values: bool) -> Iterator[Line]:
    lsn = survey.lsn(at)
    kind = survey.kind(at)
    fields: dict[str, object] = {"offset": at, "size": end - at, "lsn": lsn}
    if kind == MARK:
        yield Line("mark", f"{at:>10}  mark: commits up to {lsn} are synced", fields, counts=True)
        return
    if kind != COMMITS:
        yield damage(at, f"a record of unknown type {kind}")
        return
    try:
        commits = decode_commits(survey.data, at, end)
    except ValueError as error:
        yield damage(at, f"commit {lsn}: {error}")
        return
    last = lsn + len(commits) - 1
    which = f"commit {lsn}" if last == lsn else f"commits {lsn} to {last}"
    entries = sum(writes.count for writes in commits)
    first = show_key(commits[0].keys[0])
    text = f"{at:>10}  {which}: {count(entries, 'entry')}, {end - at:,} bytes, first key {first}"
    fields |= {"commits": len(commits), "entries": entries}
    yield Line("commits", text, fields, counts=not keys)
    if keys:
        for writes in commits:
            yield from _entries(writes, values)


def _entries(writes: Writes, values: bool) -> Iterator[Line]:
    for at in range(writes.count):
        yield entry(writes.keys[at], writes.cells[at], values)


def _end(survey: SegmentSurvey, at: int) -> Iterator[Line]:
    behind = max(survey.used() - at, 0)
    what = f"end of the records, {len(survey.data) - at:,} bytes are left"
    if behind:
        what += ", not all of them zeros: what was broken off, or an earlier life of the file"
    fields: dict[str, object] = {"offset": at, "left": len(survey.data) - at, "not_zeros": behind}
    yield Line("end", f"{at:>10}  {what}", fields)
