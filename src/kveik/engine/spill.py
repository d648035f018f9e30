"""What a memtable holds, written out for its flush to read in place of the log.

Where the same keys were written again and again this is a small part of what the log's segments
hold. It is written as such a segment, one commit for each entry, under a half-made name. It is no
part of the database: it is not synced, it goes once the table is made, and if it cannot be written
the segments say the same. Called by upkeep, beside the thread of truth.
"""

from __future__ import annotations

from typing import Final

from kveik.disk.api import Disk, File
from kveik.engine.leftovers import remove_quietly
from kveik.engine.memtable import Memtable
from kveik.format.jobs import half_made_end
from kveik.format.record import RecordWriter, commit_size, plain_size
from kveik.format.segment import HEAD_SIZE, SegmentHead, encode_head
from kveik.format.table import table_name
from kveik.model import Cell, Writes
from kveik.native import i64

ENTRIES: Final = 512  # of a record: others have the interpreter in between
RECORD_BYTES: Final = 1 << 20  # after which a record ends earlier


def spill_name(table: i64, token: str) -> str:
    """Of the file for the flush that makes this table."""
    return f"{table_name(table)}{half_made_end(token + '-spill')}"


def write_spill(disk: Disk, name: str, number: i64, memtable: Memtable) -> i64:
    """Write out a memtable that is frozen; how many commits that makes. OSError: no file is left.

    number: that the segment's head is to have.
    """
    file = disk.create(name)
    done = False
    try:
        commits = _write(file, number, memtable)
        done = True
    finally:
        file.close()
        if not done:
            remove_quietly(disk, name)
    return commits


def _write(file: File, number: i64, memtable: Memtable) -> i64:
    writer = RecordWriter()
    size: i64 = HEAD_SIZE
    commits: i64 = 0
    for keys, values in memtable.parts(ENTRIES):
        at: i64 = 0
        while at < len(keys):
            if writer.size == 0:
                writer.begin(commits + 1)
            _add(writer, keys[at], values[at])
            at += 1
            commits += 1
            if writer.size > RECORD_BYTES:
                size += _end_record(writer, file, size)
        if writer.size > 0:
            size += _end_record(writer, file, size)
    file.write(0, [encode_head(SegmentHead(number, size, 0, bytes(16)))])
    return commits


def _add(writer: RecordWriter, key: bytes, value: object) -> None:
    if isinstance(value, bytes):
        writer.add_plain(key, value, plain_size(len(key), len(value)))
        return
    assert isinstance(value, Cell)
    writes = Writes()
    writes.put(key, value)
    writer.add(writes, commit_size(writes))


def _end_record(writer: RecordWriter, file: File, at: i64) -> i64:
    """Write the record; its bytes."""
    size = writer.size
    pieces: list[bytes] = []
    writer.finish(pieces, 0)
    file.write(at, pieces)
    return size
