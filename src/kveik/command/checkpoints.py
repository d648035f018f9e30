"""FLUSH and SNAPSHOT of the text protocol: jobs that wait for the upkeep, and for a copy.

Nobody else waits for them: tables are made by the upkeep, a copy on a thread of its own. Called by
the text requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kveik.command.job import Job
from kveik.command.state import Server
from kveik.disk.api import Disk
from kveik.engine.checkpoint import write_checkpoint
from kveik.engine.snapshot import Snapshot
from kveik.errors import DiskFullError, FailStopError
from kveik.native import i64

LOOK: Final = 0.005  # seconds between looks at whether it is done


class FlushJob(Job):
    """Waits until everything that was written before is in tables."""

    def __init__(self, server: Server) -> None:
        """FailStopError, DiskFullError and their kin: there are no more writes."""
        super().__init__()
        self.delay = LOOK
        self._server = server
        server.store.rotate()
        self._wanted: i64 = server.store.lsn()

    def step(self) -> bool:
        store = self._server.store
        if store.flushed >= self._wanted:
            return False
        if store.failure:
            raise FailStopError(store.failure)
        if store.full:
            raise DiskFullError(store.full)
        self._server.keep_up()
        return True

    def reply(self) -> object:
        return "Everything in memory is in tables on the disk"


class SnapshotJob(FlushJob):
    """Has all tables copied, once everything is in tables."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._copy: Copy | None = None

    def step(self) -> bool:
        copy = self._copy
        if copy is None:
            if not super().step():
                server = self._server
                snapshot = server.store.tables_only()
                copy = Copy(snapshot, server.store.disk, server.place)
                self._copy = copy
                server.beside(copy.make)
            return True
        if copy.error is not None:
            raise copy.error
        return not copy.done

    def reply(self) -> object:
        assert self._copy is not None
        return f"Snapshot made in {self._copy.path}"


class Copy:
    """A copy in the making, whether or not anybody still waits for it."""

    def __init__(self, snapshot: Snapshot, source: Disk, place: Callable[[], Disk]) -> None:
        self.path = ""
        self.done = False
        self.error: Exception | None = None
        self._snapshot = snapshot
        self._source = source
        self._place = place

    def make(self) -> None:
        """On another thread."""
        try:
            target = self._place()
            self.path = target.path
            write_checkpoint(self._snapshot, self._source, target)
        except Exception as error:  # the job tells it
            self.error = error
        finally:
            self._snapshot.let_go()
            self.done = True
