"""Log segments made of plain commits, as the log writes them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.engine.support.sources import ENDING, NOW, Entries
from tests.format.records import Commit, writes_of

from kveik.disk.api import Disk
from kveik.engine.segment import create_segment
from kveik.format.jobs import FlushJob
from kveik.format.record import RecordWriter, commit_size, encode_mark
from kveik.format.segment import HEAD_SIZE, segment_name
from kveik.model import CLEARED, DELETED

SIZE = 1 << 20
DATABASE_ID = bytes(16)


def make_segment(
    disk: Disk, number: int, lsn: int, groups: Sequence[Sequence[Commit]], *, size: int = SIZE
) -> int:
    """A segment with one record a group, and a mark between them; the last commit's LSN."""
    segment = create_segment(disk, number, size, DATABASE_ID)
    writer = RecordWriter()
    at: int = HEAD_SIZE
    for group in groups:
        pieces = [encode_mark(lsn - 1, segment.salt)] if lsn > 1 else []
        writer.begin(lsn)
        for commit in group:
            writes = writes_of(commit)
            writer.add(writes, commit_size(writes))
            lsn += 1
        writer.finish(pieces, segment.salt)
        segment.file.write(at, pieces)
        at += sum(map(len, pieces))
    assert at <= size
    segment.file.sync()
    segment.file.close()
    return lsn - 1


def end_of_records(disk: Disk, number: int) -> int:
    file = disk.open(segment_name(number))
    return len(file.read(0, file.size()).rstrip(b"\x00"))


def flush_job(
    segments: list[int], upto: int, *, after: int = 0, bottom: bool = False, codec: int = 0
) -> FlushJob:
    return FlushJob(
        segments,
        after,
        upto,
        7,
        token=ENDING,
        bottom=bottom,
        now=NOW,
        block_size=8192,
        codec=codec,
    )


def contents_after(commits: Sequence[Commit]) -> Entries:
    """The newest stored value of each key, tombstones included, once these have been done."""
    left: Entries = {}
    for commit in commits:
        for key, kind, data, expires in commit:
            if kind == CLEARED:
                left = {other: left[other] for other in left if not key <= other < data}
            elif kind == DELETED:
                left[key] = b"\x00"
            elif expires:
                left[key] = bytes((kind | 128,)) + expires.to_bytes(8, "little") + data
            else:
                left[key] = bytes((kind,)) + data
    return left
