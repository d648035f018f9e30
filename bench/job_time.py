"""How fast flush and compaction are: MB/s read in one process, 16 B keys and 100 B values.

python -m bench.job_time [entries of a segment]

Four segments of random keys are flushed, the four tables are compacted into one level, and then one
table is compacted into the ten of the next level that it overlaps. Nothing waits for a worker.
"""

from __future__ import annotations

import random
import sys
import tempfile

from kveik.disk.posix import PosixDisk
from kveik.engine.builder import TableBuilder
from kveik.engine.job import perform
from kveik.engine.segment import create_segment
from kveik.format.codec import NONE
from kveik.format.jobs import CompactJob, FlushJob, Outcome, half_made_end
from kveik.format.record import RecordWriter, commit_size
from kveik.format.segment import HEAD_SIZE
from kveik.format.table import BLOCK_SIZE, TableInfo, table_name
from kveik.limits import MIB
from kveik.model import BYTES, Cell, Writes
from kveik.version import describe

GROUP = 50  # commits of a record
KEY_SPACE = 10**16
TABLE_SIZE = 8 * MIB
ROUNDS = 3


def entry() -> tuple[bytes, bytes]:
    return b"\x00%016d" % random.randrange(KEY_SPACE), random.randbytes(50) * 2


def make_segment(disk: PosixDisk, number: int, lsn: int, entries: int) -> int:
    """A segment of random puts; the last commit's LSN."""
    segment = create_segment(disk, number, HEAD_SIZE + 150 * entries + MIB, bytes(16))
    writer = RecordWriter()
    at = HEAD_SIZE
    for _ in range(entries // GROUP):
        writer.begin(lsn + 1)
        for _ in range(GROUP):
            key, data = entry()
            writes = Writes()
            writes.put(key, Cell(BYTES, data))
            writer.add(writes, commit_size(writes))
            lsn += 1
        pieces: list[bytes] = []
        writer.finish(pieces, segment.salt)
        segment.file.write(at, pieces)
        at += sum(map(len, pieces))
    segment.file.close()
    return lsn


def flush(disk: PosixDisk, number: int, after: int, upto: int) -> Outcome:
    job = FlushJob(
        [number],
        after,
        upto,
        number,
        token=f"{number}",
        bottom=False,
        now=0,
        block_size=BLOCK_SIZE,
        codec=NONE,
    )
    return taken_over(disk, perform(disk, job), job.token)


def compact(disk: PosixDisk, sources: list[list[TableInfo]], first: int) -> Outcome:
    job = CompactJob(
        sources,
        first,
        1000,
        TABLE_SIZE,
        token=f"{first}",
        bottom=True,
        now=0,
        block_size=BLOCK_SIZE,
        codec=NONE,
    )
    return taken_over(disk, perform(disk, job), job.token)


def taken_over(disk: PosixDisk, outcome: Outcome, token: str) -> Outcome:
    for info in outcome.tables:
        name = table_name(info.number)
        disk.rename(name + half_made_end(token), name)
    return outcome


def report(what: str, outcome: Outcome) -> None:
    entries = sum(info.entries for info in outcome.tables)
    speed = int(outcome.read) / 1e6 / outcome.seconds
    each = outcome.seconds / int(entries) * 1e9
    print(f"{what:12} {speed:6.0f} MB/s read {each:6.0f} ns an entry", flush=True)


def table_across(disk: PosixDisk, number: int, tables: list[TableInfo]) -> TableInfo:
    """A table over the range of these, with a tenth of their entries."""
    low, high = tables[0].low, tables[-1].high
    drawn = dict(entry() for _ in range(sum(info.entries for info in tables) // 5))
    builder = TableBuilder(disk.create(table_name(number)), number)
    for key in sorted(drawn):
        if low <= key < high:
            builder.add(key, b"\x01" + drawn[key])
    return builder.finish()


def main() -> None:
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 250_000
    print(describe())
    with tempfile.TemporaryDirectory(prefix="kveik-") as folder:
        disk = PosixDisk(folder)
        sources: list[list[TableInfo]] = []
        lsn = 0
        for number in range(1, 5):
            upto = make_segment(disk, number, lsn, entries)
            outcome = flush(disk, number, lsn, upto)
            report("flush", outcome)
            sources.insert(0, outcome.tables)
            lsn = upto
        for turn in range(ROUNDS):
            outcome = compact(disk, sources, 10_000 * (turn + 1))
            report("four tables", outcome)
        ten = outcome.tables[:10]
        one = table_across(disk, 9_000, ten)
        for turn in range(ROUNDS):
            report("one into ten", compact(disk, [[one], ten], 10_000 * (turn + 11)))


if __name__ == "__main__":
    main()
