"""Does one job: flush or compaction. Called in a worker process, or in a lane's thread.

Invariant: the tables are on the disk under half-made names when it returns; when it raises, nothing
is left. Who gave the job renames them, syncs the names and tells the manifest.
"""

from __future__ import annotations

from time import perf_counter

from kveik.disk.api import Disk
from kveik.engine.flush import flush
from kveik.engine.log import FULL
from kveik.engine.merge import compact
from kveik.engine.output import Output
from kveik.errors import DiskFullError, StorageError
from kveik.format.filter import BITS_PER_KEY, MANY_BITS
from kveik.format.jobs import CompactJob, FlushJob, Job, Outcome
from kveik.native import i64


def perform(disk: Disk, job: Job) -> Outcome:
    """CorruptionError, NewerFormatError, DiskFullError or another StorageError: nothing is left."""
    began = perf_counter()
    output = _output(disk, job)
    done = False
    try:
        read = _run(disk, job, output)
        output.finish()
        done = True
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"no room for another table: {error.strerror}") from None
        raise StorageError(f"a table could not be made: {error}") from error
    finally:
        if not done:
            output.discard()
    written: i64 = 0
    for info in output.tables:
        written += info.size
    return Outcome(output.tables, read, written, perf_counter() - began)


def _output(disk: Disk, job: Job) -> Output:
    if isinstance(job, FlushJob):
        return Output(disk, job, job.table, 1, table_size=0, filter_bits=MANY_BITS)
    assert isinstance(job, CompactJob)
    size = job.table_size
    return Output(disk, job, job.first, job.reserved, table_size=size, filter_bits=BITS_PER_KEY)


def _run(disk: Disk, job: Job, output: Output) -> i64:
    if isinstance(job, FlushJob):
        return flush(disk, job, output)
    assert isinstance(job, CompactJob)
    return compact(disk, job, output)
