"""Where jobs are done: in a worker process beside this one, or in the thread that calls.

A lane does one job at a time, for one thread; only `close` may come from another. The worker has
a GIL of its own, and a crash of it harms nobody: the job is done again.
"""

from __future__ import annotations

from typing import Final

from kveik.disk.api import Disk
from kveik.disk.worker import END, Worker
from kveik.engine.compactor import GREETING
from kveik.engine.job import perform
from kveik.errors import ClosedError, StorageError
from kveik.format.jobs import Job, Outcome, decode_outcome, encode_job, half_made_end
from kveik.limits import MAX_ATTEMPTS
from kveik.native import i64, mypyc_attr

MODULE: Final = "kveik.engine.compactor"


@mypyc_attr(allow_interpreted_subclasses=True)
class Lane:
    """Raises what `engine.job.perform` does, and ClosedError where it was closed meanwhile."""

    def run(self, job: Job) -> Outcome:
        raise NotImplementedError

    def close(self) -> None:
        """End the job that is under way, if that is possible. A second call does nothing."""


class ThreadLane(Lane):
    """Does a job in the calling thread."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def run(self, job: Job) -> Outcome:
        return perform(self._disk, job)


class ProcessLane(Lane):
    """Does jobs in a worker process, started with the first one.

    The disk is a directory, disk.path, that the worker opens for itself. Where no process can be
    started the job is done in the calling thread.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._worker: Worker | None = None
        self._busy = False
        self._closed = False

    @property
    def pid(self) -> int:
        """The worker's, 0 if there is none."""
        worker = self._worker
        return 0 if worker is None else worker.pid

    def run(self, job: Job) -> Outcome:
        self._busy = True
        try:
            return self._run(job)
        finally:
            self._busy = False
            if self._closed:
                self._let_go()

    def _run(self, job: Job) -> Outcome:
        line = encode_job(job)
        status = 0
        attempt: i64 = 0
        while attempt < MAX_ATTEMPTS:
            worker = self._started()
            if worker is None:
                return perform(self._disk, job)
            answer = worker.ask(line)
            if answer != END:
                return decode_outcome(answer)
            status = worker.kill()
            self._let_go()
            self._remove_leftovers(half_made_end(job.token))
            attempt += 1
        raise StorageError(f"the worker ended {attempt} times over one job, with status {status}")

    def _started(self) -> Worker | None:
        """The worker; None if there can be none."""
        if self._worker is None and not self._closed:
            try:
                self._worker = Worker(MODULE, self._disk.path, GREETING)
            except OSError:
                return None
        if self._closed:  # perhaps while it was being started
            raise ClosedError("the database is being closed")
        return self._worker

    def _remove_leftovers(self, end: str) -> None:
        for name in self._disk.names():
            if name.endswith(end):
                self._disk.remove(name)

    def close(self) -> None:
        self._closed = True
        worker = self._worker
        if worker is not None:
            worker.kill()  # who waits for its answer is told so, and lets go of it
        if not self._busy:
            self._let_go()

    def _let_go(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            worker.close()
