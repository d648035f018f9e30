"""Jobs in real worker processes: what they make, and what is left when one of them dies."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from tests.engine.support.made import flush_job, make_segment
from tests.engine.support.sources import (
    Entries,
    compact_job,
    make_table,
    plain,
    read_tables,
)
from tests.engine.support.stores import flip
from tests.support.tools import environment, until

from kveik.disk.memory import MemoryDisk
from kveik.disk.posix import PosixDisk
from kveik.disk.process import NICE
from kveik.engine.lanes import ProcessLane, ThreadLane
from kveik.errors import ClosedError, CorruptionError, DiskFullError, StorageError
from kveik.format.jobs import CompactJob, Job, Outcome
from kveik.format.table import table_name
from kveik.limits import MAX_ATTEMPTS
from kveik.version import flavour

ENTRIES = {b"\x00%04d" % at: plain(bytes((at & 255,)) * 100) for at in range(2_000)}
LARGE = {b"\x00%04d" % at: plain(bytes((at & 255,)) * 100_000) for at in range(800)}


@pytest.fixture
def disk(tmp_path: Path) -> PosixDisk:
    return PosixDisk(tmp_path / "data")


@pytest.fixture
def lane(disk: PosixDisk) -> Iterator[ProcessLane]:
    lane = ProcessLane(disk)
    yield lane
    lane.close()


def job_over(disk: PosixDisk, entries: Entries, *, codec: int = 0) -> CompactJob:
    """A compaction of one table."""
    return compact_job([[make_table(disk, 1, entries)]], table_size=1 << 30, codec=codec)


def in_thread(lane: ProcessLane, job: Job) -> Future[Outcome]:
    future: Future[Outcome] = Future()

    def run() -> None:
        try:
            future.set_result(lane.run(job))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def half_made(disk: PosixDisk) -> list[str]:
    return [name for name in disk.names() if name.endswith(".new")]


def stop_in_the_middle(lane: ProcessLane, disk: PosixDisk, future: Future[Outcome]) -> int:
    """The pid of the worker, which stands still and has begun its table."""
    until(lambda: half_made(disk) or future.done(), "a table is begun")
    pid = lane.pid
    os.kill(pid, signal.SIGSTOP)
    assert not future.done(), "the job was done before it could be disturbed"
    return pid


def state(pid: int) -> str:
    """The letter that the system has for a process: Z is dead, and so is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def test_a_worker_flushes_and_compacts(lane: ProcessLane, disk: PosixDisk) -> None:
    lsn = make_segment(disk, 1, 1, [[[(key, 1, ENTRIES[key][1:], 0)] for key in ENTRIES]])
    flushed = lane.run(flush_job([1], lsn))
    assert read_tables(disk, flushed.tables).entries == ENTRIES
    worker = lane.pid
    compacted = lane.run(compact_job([flushed.tables], table_size=50_000))
    assert len(compacted.tables) > 2
    assert read_tables(disk, compacted.tables).entries == ENTRIES
    assert lane.pid == worker


def test_a_thread_makes_what_a_worker_makes() -> None:
    disk = MemoryDisk()
    lane = ThreadLane(disk)
    outcome = lane.run(compact_job([[make_table(disk, 1, ENTRIES)]]))
    assert read_tables(disk, outcome.tables).entries == ENTRIES
    lane.close()


def test_a_worker_is_nice_and_runs_the_same_code(lane: ProcessLane, disk: PosixDisk) -> None:
    lane.run(job_over(disk, ENTRIES))
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, lane.pid) == min(own + NICE, 19)
    mapped = Path(f"/proc/{lane.pid}/maps").read_text()
    assert ("/kveik/" in mapped) == (flavour() == "compiled")


def test_a_worker_that_is_killed_in_a_job_is_replaced_and_the_job_done_again(
    lane: ProcessLane, disk: PosixDisk
) -> None:
    future = in_thread(lane, job_over(disk, LARGE))
    killed = stop_in_the_middle(lane, disk, future)
    os.kill(killed, signal.SIGKILL)
    outcome = future.result(60)
    assert lane.pid != killed
    assert len(half_made(disk)) == len(outcome.tables)
    assert read_tables(disk, outcome.tables).entries == LARGE
    assert half_made(disk) == []


def test_a_worker_that_is_killed_between_jobs_is_replaced(
    lane: ProcessLane, disk: PosixDisk
) -> None:
    job = job_over(disk, ENTRIES)
    read_tables(disk, lane.run(job).tables)
    killed = lane.pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: state(killed) == "Z", "the worker is dead")
    disk.remove(table_name(1000))
    assert read_tables(disk, lane.run(job).tables).entries == ENTRIES


def test_a_job_that_every_worker_dies_of_is_given_up(lane: ProcessLane, disk: PosixDisk) -> None:
    future = in_thread(lane, job_over(disk, LARGE))
    killed = set()
    for _ in range(MAX_ATTEMPTS):
        until(lambda: lane.pid not in {0, *killed} or future.done(), "the next worker is started")
        killed.add(lane.pid)
        os.kill(stop_in_the_middle(lane, disk, future), signal.SIGKILL)
        last = max(half_made(disk), default="")
        until(lambda last=last: not half_made(disk) or future.done(), f"{last} is removed")
    with pytest.raises(StorageError, match="ended 3 times over one job, with status -9"):
        future.result(60)
    assert len(killed) == MAX_ATTEMPTS
    assert disk.names() == [table_name(1)]


def test_closing_a_lane_ends_its_job(lane: ProcessLane, disk: PosixDisk) -> None:
    future = in_thread(lane, job_over(disk, LARGE))
    worker = stop_in_the_middle(lane, disk, future)
    lane.close()
    with pytest.raises(ClosedError, match="is being closed"):
        future.result(60)
    assert state(worker) == "Z"
    assert disk.names() == [table_name(1)]
    with pytest.raises(ClosedError):
        lane.run(compact_job([]))


def test_ctrl_c_is_no_affair_of_the_worker(lane: ProcessLane, disk: PosixDisk) -> None:
    lane.run(job_over(disk, ENTRIES))
    worker = lane.pid
    os.kill(worker, signal.SIGINT)
    disk.remove(half_made(disk)[0])
    disk.remove(table_name(1))
    lane.run(job_over(disk, ENTRIES))
    assert lane.pid == worker


def test_corruption_comes_back_with_file_and_offset(lane: ProcessLane, disk: PosixDisk) -> None:
    job = job_over(disk, ENTRIES)
    flip(disk, table_name(1), 50_000)
    with pytest.raises(CorruptionError, match="checksum") as caught:
        lane.run(job)
    assert caught.value.file == table_name(1)
    assert 40_000 < caught.value.offset <= 50_000
    assert disk.names() == [table_name(1)]


def test_a_full_disk_comes_back_as_such(disk: PosixDisk) -> None:
    job = job_over(disk, LARGE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, hard))  # of what the worker may write
    lane = ProcessLane(disk)
    try:
        with pytest.raises(DiskFullError, match=os.strerror(errno.EFBIG)):
            lane.run(job)
    finally:
        lane.close()
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert disk.names() == [table_name(1)]


def test_a_table_that_is_gone_is_the_disks_fault(lane: ProcessLane, disk: PosixDisk) -> None:
    job = job_over(disk, ENTRIES)
    disk.remove(table_name(1))
    with pytest.raises(StorageError, match=r"a table could not be made: .* No such file"):
        lane.run(job)


def test_a_fault_of_ours_in_a_worker_comes_back_and_leaves_it_running(
    lane: ProcessLane, disk: PosixDisk, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StorageError, match="a worker failed: ValueError"):
        lane.run(job_over(disk, ENTRIES, codec=77))
    assert disk.names() == [table_name(1)]
    worker = lane.pid
    disk.remove(table_name(1))
    lane.run(job_over(disk, ENTRIES))
    assert lane.pid == worker
    assert "unknown codec 77" in capfd.readouterr().err


@pytest.mark.parametrize("program", ["", "/bin/false", "/bin/echo", "/nowhere/python"])
def test_where_no_worker_can_be_started_the_job_is_done_in_the_thread(
    lane: ProcessLane, disk: PosixDisk, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    job = job_over(disk, ENTRIES)
    monkeypatch.setattr(sys, "executable", program)
    outcome = lane.run(job)
    assert lane.pid == 0
    assert read_tables(disk, outcome.tables).entries == ENTRIES


PARENT = """
import os, sys, time
from kveik.disk.posix import PosixDisk
from kveik.engine.lanes import ProcessLane
from kveik.format.jobs import decode_job
lane = ProcessLane(PosixDisk(sys.argv[1]))
lane.run(decode_job(sys.argv[2].encode()))
heir = os.fork() if sys.argv[3] == "heir" else 0
if heir or sys.argv[3] != "heir":
    print(lane.pid, heir, flush=True)
    if sys.argv[3] == "busy":
        lane.run(decode_job(sys.argv[4].encode()))
time.sleep(60)
"""


@pytest.mark.parametrize("case", ["idle", "busy", "heir"])
def test_a_worker_ends_when_its_parent_is_killed(disk: PosixDisk, case: str) -> None:
    """Also in the middle of a job, and when somebody else holds the pipe to it."""
    from kveik.format.jobs import encode_job

    idle = compact_job([[]])
    job = job_over(disk, LARGE)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, disk.path, encode_job(idle), case, encode_job(job)],
        env=environment(),
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    worker, heir = map(int, parent.stdout.readline().split())
    try:
        if case == "busy":
            until(lambda: half_made(disk), "a table is begun")
        assert state(worker) != "Z"
        parent.kill()
        parent.wait()
        until(lambda: state(worker) == "Z", "the worker has ended")
        if case == "busy":
            assert len(half_made(disk)) == 1
    finally:
        if heir:
            os.kill(heir, signal.SIGKILL)
        parent.stdout.close()
