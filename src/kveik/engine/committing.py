"""Reads, commits and syncs of a store that several threads share.

Invariants: whoever holds the lock is the thread of truth. At durability "always" a write returns,
and a read shows it, only once it has been synced: the first thread that needs a sync performs it
for all that gathered, without the lock, while the others wait. Blocks that are not in memory are
read without the lock, too. `Shared` is all of it: nobody else makes one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from kveik.engine.forks import forks
from kveik.engine.log import Group
from kveik.engine.snapshot import Snapshot
from kveik.engine.store import Store
from kveik.engine.table import Fault
from kveik.engine.transaction import Transaction, unpin
from kveik.engine.upkeep import Upkeep
from kveik.engine.waiters import Waiters
from kveik.errors import ClosedError, FailStopError, UseError
from kveik.limits import MAX_BACKLOG, MAX_NAP, MAX_UNWRITTEN, SYNC_INTERVAL
from kveik.model import Writes
from kveik.native import Lock, i64

COMPILED: Final = not __file__.endswith(".py")

Submit = Callable[[Callable[[], None]], object]  # runs a function in another thread


class Committing:
    def __init__(
        self,
        store: Store,
        durability: str,
        upkeep: Upkeep | None = None,
        submit: Submit | None = None,
        dismiss: Callable[[], None] | None = None,
    ) -> None:
        """Without upkeep nothing becomes a table; without submit upkeep is done by the writers.

        dismiss: called once everything is closed, so that submit's threads can end.
        """
        self.store = store
        self.upkeep = upkeep
        self._submit = submit
        self._dismiss = dismiss
        self._always = durability == "always"
        self._interval = durability == "interval"
        store.gated = self._always
        if store.log is not None:
            store.log.lazy = durability == "none"
        self.lock = Lock()
        self.changed = threading.Condition(self.lock)  # type: ignore[arg-type]
        self._waiters = Waiters(self.lock)
        self._syncing = False
        self._sync_due = False  # the next flush shall sync
        self.closing = False
        self._stop = threading.Event()
        self._flusher: threading.Thread | None = None
        self._txn = Transaction(store)
        self._forks = forks.count

    def keep_up(self) -> None:
        """Begin whatever upkeep is due."""
        raise NotImplementedError

    # --- with the lock held: reads --------------------------------------------------------------

    def enter(self) -> None:
        """Take the lock. UseError in a process that was forked off."""
        if forks.count != self._forks:
            raise UseError("the database was opened before a fork: open it again in this process")
        self.lock.acquire()

    def alone(self) -> bool:
        """Whether this thread may read what is in memory without the lock, for a moment.

        Nobody holds it, and compiled code keeps the interpreter's lock until it calls something
        that lets go of it: as long as it does not, nothing can change.
        """
        return COMPILED and not self.lock.locked() and forks.count == self._forks

    def leave(self) -> None:
        self.lock.release()

    def begin(self) -> Transaction:
        """A transaction on what is there now. ClosedError."""
        self.check_open()
        if self.store.released:
            self.store.fold()
        self._txn.begin(0)
        return self._txn

    def check_open(self) -> None:
        if self.closing:
            raise ClosedError("the database has been closed")

    def check_writable(self) -> None:
        """Before a write that looks first. ClosedError, ReadOnlyError, FailStopError."""
        self.check_open()
        self.store.writable()

    def load(self, fault: Fault, txn: Transaction) -> None:
        """Load what a transaction missed, without the lock; it then runs again from the start."""
        held = txn.held()
        loaded = False
        try:
            self.fetch(fault)
            loaded = True
        finally:
            if not loaded:
                unpin(held)
        txn.begin(0)  # others may have used it meanwhile
        txn.adopt(held)
        txn.hold(fault.pinned)

    def fetch(self, fault: Fault) -> None:
        """Load what is missing, without the lock, and pin it: `fault.pinned` is the caller's."""
        store = self.store
        store.keep(fault.table)
        self.lock.release()
        try:
            fault.load(False)
        finally:
            self.lock.acquire()
            store.let_go(fault.table)
            self.check_open()  # this is then why it could not be loaded
        fault.settle(store.cache)

    def snapshot(self) -> Snapshot:
        self.check_open()
        return self.store.snapshot()

    def let_go(self, snapshot: Snapshot) -> None:
        """Free a snapshot now, and what only it kept; without the lock. Nothing after a fork."""
        snapshot.let_go()
        if forks.count == self._forks:
            with self.lock:
                if not self.closing:
                    self.store.fold()
                    self.keep_up()

    # --- with the lock held: writes -------------------------------------------------------------

    def put_plain(self, key: bytes, data: bytes) -> None:
        """As commit, for one plain value of a stored key."""
        self.check_open()
        self._committed(self.store.put_plain(key, data))

    def commit(self, writes: Writes) -> None:
        """Commit, and return once that is as durable as it should be."""
        self.check_open()
        self._committed(self.store.commit(writes))

    def _committed(self, lsn: i64) -> None:
        """Return once a commit is as durable as it should be."""
        store = self.store
        if store.released:
            store.fold()
        if self._always:
            self.wait_for(lsn)
        else:
            self._write_behind()
        if store.owed > 0.0:
            self._pay()

    def _write_behind(self) -> None:
        store = self.store
        while self._syncing and store.pending() > MAX_BACKLOG:
            self.changed.wait()  # no faster than the disk
        if store.pending() > MAX_UNWRITTEN and not self._syncing:
            self._flush(False)
        self._start_flusher()

    def _start_flusher(self) -> None:
        if self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_often, daemon=True)
            self._flusher.start()

    def _pay(self) -> None:
        """Slow a writer down where upkeep is behind: a little each time, never in one blow."""
        owed = self.store.owed
        if owed > MAX_NAP / 20:
            nap = min(owed, MAX_NAP)
            self.store.owed = owed - nap
            self.store.stalled += nap
            self.lock.release()
            try:
                time.sleep(nap)
            finally:
                self.lock.acquire()

    def wait_for(self, lsn: i64) -> None:
        """Return once everything up to lsn is safe to show."""
        if not self._always:
            return
        store = self.store
        while store.synced() < lsn:
            if store.broken:
                raise FailStopError(store.failure)
            if store.closed:
                raise ClosedError("the database was closed before the write was synced")
            if self._syncing or self.closing:
                self._waiters.wait(lsn)
            else:
                self._flush(True)

    def _tell(self) -> None:
        """Wake whoever waits for what may have come about."""
        store = self.store
        over = store.broken or store.closed or self.closing
        self._waiters.wake(store.lsn() if over else store.synced())
        if not self._syncing:
            self._waiters.lead()
        self.changed.notify_all()

    def sync(self) -> None:
        """Return once everything committed so far is on the disk, at any durability."""
        store = self.store
        self.check_open()
        lsn = store.lsn()
        while store.synced() < lsn and not store.broken:
            self.check_open()
            if self._syncing:
                self.changed.wait()
            else:
                self._flush(True)
        if store.broken:
            raise FailStopError(store.failure)

    def _flush(self, sync: bool) -> None:
        """Write, perhaps sync, what has gathered; gives the lock away while the disk works."""
        group = self.store.take(sync or self._sync_due)
        if group is None:
            return
        self._syncing = True
        self.lock.release()
        failed: OSError | None = None
        done = False
        try:
            group.perform()
            done = True
        except OSError as error:
            failed = error
        finally:
            self.lock.acquire()
            self._syncing = False
            if done:
                self._settle(group)
            elif failed is not None:
                self.store.fail(failed)
            else:  # Ctrl-C: whoever comes next does it again
                self.store.put_back(group)
            self._tell()

    def _settle(self, group: Group) -> None:
        store = self.store
        store.settle(group)
        self._sync_due = self._sync_due and not group.sync
        upkeep = self.upkeep
        if upkeep is not None:
            if store.stirred:
                self.keep_up()
            if store.pace > 0.0 or len(store.view.memtables) > 2:
                upkeep.set_pace()

    def _flush_often(self) -> None:
        while not self._stop.wait(SYNC_INTERVAL):
            with self.lock:
                self._sync_due = self._interval
                while self._syncing and self._sync_due:
                    self.changed.wait()  # perhaps a writer's next flush syncs, too
                if not (self._syncing or self.closing or self._always):
                    self._flush(self._sync_due)
                if self.upkeep is not None:
                    self.upkeep.tick()
                    self.store.fold()  # of snapshots that were forgotten
                    self.keep_up()  # time to tidy up, or there is room again
