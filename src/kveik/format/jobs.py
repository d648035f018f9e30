"""Jobs and their outcomes <-> a line of JSON each. Called by `engine.lanes` and `engine.compactor`.

A line goes from a process to the worker that it started itself, never to a disk: both are always
the same Kveik, and there is no format to keep.
"""

from __future__ import annotations

import json
from typing import Any, Final, cast

from kveik.errors import (
    CorruptionError,
    DiskFullError,
    KveikError,
    NewerFormatError,
    StorageError,
)
from kveik.format.table import TableInfo
from kveik.native import i64

HALF_MADE: Final = ".new"  # ends the names of tables that nobody has taken over


class Job:
    """What flush and compaction have in common.

    token: makes the names of half-made tables this job's own. bottom: nothing older lies below
    what is made. now: Unix milliseconds. block_size, codec: as the table builder takes them.
    """

    def __init__(self, token: str, bottom: bool, now: i64, block_size: i64, codec: i64) -> None:
        self.token = token
        self.bottom = bottom
        self.now = now
        self.block_size = block_size
        self.codec = codec


class FlushJob(Job):
    """Make one table, with the number `table`, of the commits behind `after` and up to `upto`.

    segments: the numbers of the log segments that hold them, in order. spill: a file that holds
    what they leave, as so many commits; "" if there is none.
    """

    def __init__(
        self,
        segments: list[int],
        after: i64,
        upto: i64,
        table: i64,
        *,
        token: str,
        bottom: bool,
        now: i64,
        block_size: i64,
        codec: i64,
        spill: str = "",
        spilled: i64 = 0,
    ) -> None:
        super().__init__(token, bottom, now, block_size, codec)
        self.segments = segments
        self.after = after
        self.upto = upto
        self.table = table
        self.spill = spill
        self.spilled = spilled


class CompactJob(Job):
    """Make tables of about table_size bytes of the sources, the newest first.

    A source is a list of tables, disjoint and ascending. The tables made get the numbers from
    `first` on, of which `reserved` may be used.
    """

    def __init__(
        self,
        sources: list[list[TableInfo]],
        first: i64,
        reserved: i64,
        table_size: i64,
        *,
        token: str,
        bottom: bool,
        now: i64,
        block_size: i64,
        codec: i64,
    ) -> None:
        super().__init__(token, bottom, now, block_size, codec)
        self.sources = sources
        self.first = first
        self.reserved = reserved
        self.table_size = table_size


class Outcome:
    """tables: made, under half-made names, ascending; read, written: bytes; seconds."""

    def __init__(self, tables: list[TableInfo], read: i64, written: i64, seconds: float) -> None:
        self.tables = tables
        self.read = read
        self.written = written
        self.seconds = seconds


def half_made_end(token: str) -> str:
    """How the names of the tables end that a job makes: behind the name they will have."""
    return f"-{token}{HALF_MADE}"


def encode_job(job: Job) -> bytes:
    fields: dict[str, Any] = {
        "token": job.token,
        "bottom": job.bottom,
        "now": job.now,
        "block_size": job.block_size,
        "codec": job.codec,
    }
    if isinstance(job, FlushJob):
        fields["segments"] = job.segments
        fields["after"] = job.after
        fields["upto"] = job.upto
        fields["table"] = job.table
        fields["spill"] = job.spill
        fields["spilled"] = job.spilled
    else:
        assert isinstance(job, CompactJob)
        fields["sources"] = [[_table_fields(info) for info in source] for source in job.sources]
        fields["first"] = job.first
        fields["reserved"] = job.reserved
        fields["table_size"] = job.table_size
    return _line(fields)


def decode_job(line: bytes) -> Job:
    fields: dict[str, Any] = json.loads(line)
    if "segments" in fields:
        return FlushJob(**fields)
    fields["sources"] = [[_table(info) for info in source] for source in fields["sources"]]
    return CompactJob(**fields)


def encode_outcome(outcome: Outcome) -> bytes:
    fields = {
        "tables": [_table_fields(info) for info in outcome.tables],
        "read": outcome.read,
        "written": outcome.written,
        "seconds": outcome.seconds,
    }
    return _line(fields)


def encode_error(error: KveikError) -> bytes:
    """Why there is no outcome."""
    fields: dict[str, Any] = {"error": "storage", "what": str(error)}
    if isinstance(error, CorruptionError):
        what = str(error).removeprefix(f"{error.file}: offset {error.offset}: ")
        fields = {"error": "corruption", "what": what, "file": error.file, "offset": error.offset}
    elif isinstance(error, NewerFormatError):
        fields["error"] = "newer"
    elif isinstance(error, DiskFullError):
        fields["error"] = "full"
    return _line(fields)


def decode_outcome(line: bytes) -> Outcome:
    """The outcome; or raises the error that was sent in its place."""
    fields: dict[str, Any] = json.loads(line)
    kind = fields.get("error")
    if kind is None:
        tables = [_table(info) for info in fields["tables"]]
        return Outcome(tables, fields["read"], fields["written"], fields["seconds"])
    what = cast(str, fields["what"])
    if kind == "corruption":
        raise CorruptionError(fields["file"], fields["offset"], what)
    if kind == "newer":
        raise NewerFormatError(what)
    if kind == "full":
        raise DiskFullError(what)
    raise StorageError(what)


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _table_fields(info: TableInfo) -> list[object]:
    return [
        info.number,
        info.size,
        info.entries,
        info.tombstones,
        info.low.hex(),
        info.high.hex(),
        info.root_offset,
        info.root_size,
        info.clears,
        info.expires,
    ]


def _table(fields: list[Any]) -> TableInfo:
    fields[4] = bytes.fromhex(fields[4])
    fields[5] = bytes.fromhex(fields[5])
    return TableInfo(*fields)
