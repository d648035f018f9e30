"""The lines of a whole directory: identity, levels with their tables, log, what else is there."""

from __future__ import annotations

from collections.abc import Iterator

from kveik.cli.inspect_manifest import told
from kveik.cli.line import Line, damage
from kveik.cli.told import count
from kveik.disk.api import Disk
from kveik.disk.posix import PosixDisk
from kveik.engine.arrangement import Arrangement, Known, missing_name
from kveik.engine.check import file_size, read_identity, refuse_strange
from kveik.engine.survey_log import SegmentSurvey, read_whole
from kveik.engine.survey_manifest import ManifestSurvey
from kveik.errors import CorruptionError
from kveik.format import edit, identity
from kveik.format.record import COMMITS, decode_commits
from kveik.format.segment import HEAD_SIZE, segment_number
from kveik.format.table import table_number
from kveik.sizes import show_size


def lines(path: str) -> Iterator[Line]:
    disk = PosixDisk(path, create=False, read_only=True)
    try:
        refuse_strange(disk)
        disk.lock(shared=True)
        yield from identity_lines(disk, identity.NAME, False, False)
        yield from _tables(disk)
        yield from _log(disk)
        yield from _others(disk)
    finally:
        disk.close()


def identity_lines(disk: Disk, name: str, keys: bool, values: bool) -> Iterator[Line]:
    try:
        version, database_id = read_identity(disk)
    except CorruptionError as error:
        yield Line(
            "damage",
            f"DAMAGED: {error}",
            {"file": error.file, "offset": error.offset, "error": error.what},
            damaged=True,
        )
        return
    text = f"{disk.path}: format {version}, id {database_id.hex()}"
    yield Line("database", text, {"format": version, "id": database_id.hex()})


def _tables(disk: Disk) -> Iterator[Line]:
    survey: ManifestSurvey | None = None
    if edit.NAME in disk.names():
        survey = ManifestSurvey(read_whole(disk, edit.NAME)[0])
        text = f"manifest: {count(len(survey.edits), 'edit')}"
        if survey.state is not None:
            text += f"; the log is needed from segment {survey.state.log} on"
            text += f"; commits up to {survey.state.lsn} are in tables"
        yield Line("manifest", text, {"edits": len(survey.edits)})
        for offset, what in survey.problems:
            yield damage(offset, what)
    arrangement = Arrangement(disk, survey)
    for number, level in enumerate(arrangement.levels):
        if level:
            size = sum(int(known.info.size) for known in level if known.info is not None)
            text = f"level {number}: {count(len(level), 'table')}, {show_size(size)}"
            fields: dict[str, object] = {"level": number, "tables": len(level), "bytes": size}
            yield Line("level", text, fields)
        for known in level:
            yield _table(number, known)


def _table(level: int, known: Known) -> Line:
    name = missing_name(known)
    fields: dict[str, object] = {"level": level, "file": name}
    text = f"  {name}: level unknown"
    info = known.info
    if info is not None:
        text = "  " + told(level, info)
        fields |= {"size": info.size, "entries": info.entries}
        fields |= {"low": info.low.hex(), "high": info.high.hex()}
    if not known.name:
        text += "  MISSING"
    return Line("table", text, fields, counts=True, damaged=not known.name)


def _log(disk: Disk) -> Iterator[Line]:
    names = [name for name in disk.names() if segment_number(name)]
    if names:
        yield Line("log", f"log: {count(len(names), 'segment')}", {"segments": len(names)})
    for name in names:
        yield _segment(SegmentSurvey(disk, name))


def _segment(survey: SegmentSurvey) -> Line:
    first = last = 0
    at = HEAD_SIZE
    while (end := survey.record_end(at)) >= 0:
        if survey.kind(at) == COMMITS:
            first = first or survey.lsn(at)
            last = survey.lsn(at) + len(decode_commits(survey.data, at, end)) - 1
        at = end
    which = f"commits {first} to {last}" if first else "no commits"
    size = len(survey.data)
    fields: dict[str, object] = {
        "file": survey.name,
        "size": size,
        "used": at,
        "first_lsn": first,
        "last_lsn": last,
    }
    text = f"  {survey.name}  {show_size(size):>8}  {100 * at // max(size, 1)} % used  {which}"
    if survey.head is None:
        text += f"  DAMAGED: {survey.head_error}"
    return Line("segment", text, fields, counts=True, damaged=survey.head is None)


def _others(disk: Disk) -> Iterator[Line]:
    ours = (identity.NAME, edit.NAME)
    for name in disk.names():
        if name not in ours and not segment_number(name) and not table_number(name):
            size = file_size(disk, name)
            text = f"beside it: {name}, {show_size(int(size))}"
            yield Line("other", text, {"file": name, "size": size}, counts=True)
    for name in disk.others():
        yield Line("other", f"beside it: {name}, no plain file", {"file": name}, counts=True)
