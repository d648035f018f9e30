"""The store behind a lock, for any number of threads of one process: its upkeep, and its end.

Invariant: upkeep reads and writes files without the lock, and takes note of them with it. Called by
the embedded database.
"""

from __future__ import annotations

from kveik.engine.committing import Committing
from kveik.engine.forks import forks
from kveik.engine.upkeep import Wanted, Work
from kveik.errors import DiskFullError, FailStopError


class Shared(Committing):
    # --- with the lock held: upkeep -------------------------------------------------------------

    def keep_up(self) -> None:
        """Begin whatever upkeep is due."""
        upkeep = self.upkeep
        if upkeep is None or self.store.closed:
            return
        work = upkeep.due()
        if work is not None:
            self._start_flusher()
        while work is not None:
            self._start(work)
            work = upkeep.due()

    def _start(self, work: Work) -> None:
        submit = self._submit
        if submit is not None:
            try:
                submit(lambda: self._work(work))
                return
            except RuntimeError:  # the interpreter is ending
                self._submit = None
        self.lock.release()
        try:
            work.perform()
        finally:
            self.lock.acquire()
            self._finish(work)

    def _work(self, work: Work) -> None:
        work.perform()
        with self.lock:
            self._finish(work)
            self.keep_up()

    def _finish(self, work: Work) -> None:
        assert self.upkeep is not None
        try:
            self.upkeep.finish(work)
        finally:
            self._tell()

    def tables_made(self) -> None:
        """Return once everything that was written before is in tables, as readers see them.

        ReadOnlyError, ClosedError, DiskFullError, FailStopError.
        """
        store = self.store
        self.check_writable()
        while self._syncing:
            self.changed.wait()
            self.check_open()
        store.rotate()
        wanted = store.lsn()  # what others commit from now on is their affair
        self._flush(False)
        while self.upkeep is not None and store.flushed < wanted:
            self.keep_up()
            self._check_upkeep()
            if store.flushed < wanted:
                self.changed.wait()

    def compacted(self, low: bytes, high: bytes) -> None:
        """Return once the tables with keys from low to high are one level. Errors as above."""
        upkeep = self.upkeep
        if upkeep is None:
            return
        while upkeep.wanting():
            self.changed.wait()
            self.check_open()
        mine = Wanted(low, high)
        upkeep.wanted = mine
        try:
            self.keep_up()
            while upkeep.wants(mine):
                self.changed.wait(1.0)
                self._check_upkeep()
                self.keep_up()
        finally:
            if upkeep.wants(mine):
                upkeep.wanted = None
            self._tell()

    def _check_upkeep(self) -> None:
        """Raise what keeps upkeep from coming to an end."""
        self.check_open()
        if self.store.failure:
            raise FailStopError(self.store.failure)
        if self.store.full and self.upkeep is not None and self.upkeep.idle():
            raise DiskFullError(self.store.full)

    # --- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Sync what is left and release the directory. Idempotent; nothing in a forked process."""
        if forks.count != self._forks:
            return
        try:
            self._close()
        finally:
            if self.store.closed and self._dismiss is not None:
                self._dismiss()

    def _close(self) -> None:
        with self.lock:
            self.closing = True
            try:
                while self._syncing:
                    self.changed.wait()
                self._end_upkeep()
            except BaseException:  # Ctrl-C: it is still open, and others wait to go on
                self.closing = False
                self._tell()
                raise
            self._stop.set()
            if self.store.closed:
                return
            try:
                self.store.close()
            except OSError as error:
                raise FailStopError(f"the last writes could not be synced: {error}") from error
            finally:
                self._tell()
            if self.store.broken and not self._always:  # writes that had returned are lost
                raise FailStopError(self.store.failure)

    def _end_upkeep(self) -> None:
        """Let flushes end, so that little is replayed at the next opening; break off the rest."""
        upkeep = self.upkeep
        if upkeep is None or self.store.closed:
            return
        upkeep.end_compactions()
        while not upkeep.idle():
            self.changed.wait()
        upkeep.close()
