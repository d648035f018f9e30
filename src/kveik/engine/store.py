"""The thread of truth's view of one open directory: the log, the memtables, the tables.

Invariants: a commit is in the log before it is in the memtable; once a write or sync has failed
there are no more commits; a memtable is frozen at the end of the log's segment that fills it, or
when a snapshot is taken. No locks: one thread calls (the server's loop, or whoever holds the
embedded database's lock). `engine.opening` makes one, `Transaction` reads it, `Upkeep` makes tables
of memtables.
"""

from __future__ import annotations

from collections.abc import Callable

from kveik.disk.api import Disk
from kveik.engine.cache import Cache
from kveik.engine.log import Group, Log
from kveik.engine.manifest import Manifest
from kveik.engine.memtable import Memtable
from kveik.engine.rows import RowCache
from kveik.engine.shape import Shape
from kveik.engine.snapshot import Snapshot
from kveik.engine.table import Hit, Table
from kveik.engine.version import Version
from kveik.engine.view import View, Viewpoint
from kveik.errors import ClosedError, DiskFullError, FailStopError, ReadOnlyError, StorageError
from kveik.format.record import plain_size
from kveik.limits import MAX_FOLD, MAX_FROZEN, MAX_LAYERS
from kveik.model import Writes
from kveik.native import i64

Clock = Callable[[], float]  # Unix seconds


class Store(Viewpoint):
    def __init__(
        self,
        disk: Disk,
        view: View,
        hit: Hit,
        log: Log | None,
        manifest: Manifest | None,
        flushed: i64,
        lsn: i64,
        shape: Shape,
        clock: Clock,
    ) -> None:
        """log and manifest are None for a store that is only read; lsn: the last commit."""
        super().__init__(view)
        self.disk = disk
        self.hit = hit
        self.cache = Cache(shape.cache_size)
        self.shape = shape
        self.log = log
        self.manifest = manifest
        self._lsn = lsn
        self._clock = clock
        self.rows: RowCache | None = None
        self.failure = ""  # why there are no more writes; empty while all is well
        self.broken = False  # the log has failed: what it has not written yet is lost
        self.flushed = flushed  # the last commit that is in the tables readers see
        self.replayed: i64 = sum([memtable.logged for memtable in view.memtables])  # when opened
        self.full = ""  # why there is no room for another table; empty while there is
        self.closed = False
        self.gated = True  # readers ask what is safe; an owner that never waits says no
        self.pace = 0.0  # seconds that a writer owes for each byte, as upkeep is behind
        self.owed = 0.0  # seconds that writers owe
        self.stalled = 0.0  # seconds that they were held up
        self.stirred = True  # there may be work for the upkeep
        self.released: list[Snapshot] = []  # let go of, perhaps by another thread

    def now(self) -> i64:
        return int(self._clock() * 1000)

    def lsn(self) -> i64:
        log = self.log
        return self._lsn if log is None else log.lsn

    def synced(self) -> i64:
        """The last commit that is on the disk."""
        log = self.log
        return self._lsn if log is None else log.synced

    def pending(self) -> i64:
        """Bytes that were committed and not yet handed to the system."""
        log = self.log
        return 0 if log is None else log.pending

    # --- writes ---------------------------------------------------------------------------------

    def put_plain(self, key: bytes, data: bytes) -> i64:
        """As commit, for one plain value."""
        log = self.writable()
        size = plain_size(len(key), len(data))
        lsn = log.append_plain(key, data, size)
        if log.number() != self.active.last_segment:
            self._cross(log.number())
        self.active.logged += size
        self.active.put_plain(key, data, lsn, self.synced() if self.gated else lsn)
        if self.pace > 0.0:
            self.owed += self.pace * float(size)
        return lsn

    def put_run(self, keys: list[bytes], values: list[bytes]) -> i64:
        """As put_plain for each, in order; 0, and nothing happened, if they are to go one by one.

        In loops of their own, so that the processor fetches the next while it waits for one.
        """
        log = self.writable()
        first = log.lsn + 1
        size = log.append_run(keys, values)
        if size == 0:
            return 0
        lsn = log.lsn
        self.active.logged += size
        self.active.put_run(keys, values, first, self.synced() if self.gated else lsn)
        if self.pace > 0.0:
            self.owed += self.pace * float(size)
        return lsn

    def commit(self, writes: Writes) -> i64:
        """Log and apply; the LSN. It is durable once `synced` has reached it.

        DiskFullError, LimitError, FailStopError, ReadOnlyError, ClosedError: nothing happened.
        """
        log = self.writable()
        if writes.clearing and len(self.active) > MAX_FOLD:
            self._divide()  # so that nothing need be taken out of it
        before = log.pending
        lsn = log.append(writes)
        size = log.pending - before
        if log.number() != self.active.last_segment:
            self._cross(log.number())
        self.active.logged += size
        self.active.apply(writes, lsn, self.synced() if self.gated else lsn)
        if self.pace > 0.0:
            self.owed += self.pace * float(size)
        return lsn

    def writable(self) -> Log:
        """The log; ClosedError, FailStopError, ReadOnlyError, DiskFullError if it takes no more."""
        if self.closed:
            raise ClosedError("the database has been closed")
        if self.failure:
            raise FailStopError(self.failure)
        log = self.log
        if log is None:
            raise ReadOnlyError("the database was opened read-only")
        if self.full and self.waiting() >= MAX_FROZEN:
            raise DiskFullError(self.full)
        return log

    def waiting(self) -> i64:
        """How many memtables wait to become tables; those that snapshots have divided are one."""
        count: i64 = 0
        segment = self.active.last_segment
        for memtable in self.view.memtables:
            if memtable.last_segment != segment:
                segment = memtable.last_segment
                count += 1
        return count

    def _cross(self, number: i64) -> None:
        """The log goes on in another segment: the memtable may, too, if it is small."""
        if self.active.has_room(self.shape.segment_size) and not self.layered():
            self.active.last_segment = number
        else:
            self._freeze()

    def _freeze(self) -> None:
        """A new memtable for the log's current segment."""
        log = self.log
        assert log is not None
        number = log.number()
        older = self.view.memtables
        if self.active.empty():
            older = older[1:]
        self.look([Memtable(number), *older], self.view.version)

    def keep_rows(self) -> None:
        """Keep single values in memory: for who reads some keys again and again (a server)."""
        self.rows = RowCache(self.shape.rows_size)
        self.cache.capacity = self.shape.cache_size - self.shape.rows_size
        self.look(self.view.memtables, self.view.version)

    def look(self, memtables: list[Memtable], version: Version) -> None:
        """Readers see these from now on."""
        old = self.view
        self.view = View(memtables, version, self.hit, self.rows)
        self.active = memtables[0]
        old.release()

    def rotate(self) -> None:
        """End the log's segment, so that what has been written can become a table."""
        log = self.writable()
        if not self.active.empty() or self.layered():
            log.rotate()
            self._freeze()

    def keep(self, table: Table) -> None:
        """Somebody reads a table's file without being on the thread of truth: it must stay."""
        table.versions += 1

    def let_go(self, table: Table) -> None:
        """That has been done."""
        table.versions -= 1
        if table.versions == 0:
            self.view.version.graveyard.add(table)
            self.stirred = True

    def layered(self) -> bool:
        """Whether a snapshot has frozen a part of the current segment."""
        memtables = self.view.memtables
        return len(memtables) > 1 and memtables[1].last_segment == self.active.last_segment

    # --- durability -----------------------------------------------------------------------------

    def take(self, sync: bool) -> Group | None:
        """What waits to be written; the caller performs it and then calls settle or fail."""
        log = self.log
        return None if log is None or self.broken else log.take(sync)

    def put_back(self, group: Group) -> None:
        """The group was not, or not wholly, performed; the next one starts with it."""
        if self.log is not None:
            self.log.put_back(group)

    def settle(self, group: Group) -> None:
        """The group has been performed."""
        log = self.log
        assert log is not None
        log.settle(group)
        for memtable in self.view.memtables:
            memtable.settle(group.lsn)
        if group.ends_segment():
            self.stirred = True

    def fail(self, error: Exception) -> None:
        """A write or sync has failed: what the disk holds is unknown; write nothing more."""
        self.broken = True
        reason = _reason(error)
        self.failure = f"the log could not be written ({reason}); no writes until it is reopened"

    def stop(self, error: Exception) -> None:
        """Upkeep has failed: take no more writes; what was committed still reaches the disk."""
        if not self.failure:
            reason = _reason(error)
            self.failure = f"the tables could not be kept up ({reason}); no writes until reopened"

    def filled(self) -> float:
        """How full the log's segment is, from 0 to 1."""
        log = self.log
        return 0.0 if log is None else log.filled()

    # --- snapshots ------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """What readers see now, unchanged by later writes, until it is let go of."""
        self.fold()
        if self.log is None:
            frozen = self.view.memtables
        else:
            if not self.active.empty():
                self._divide()
            frozen = self.view.memtables[1:]
        view = View(frozen or [Memtable(0)], self.view.version, self.hit)
        return Snapshot(view, self.lsn(), self.now(), self.released)

    def _divide(self) -> None:
        """Freeze the active memtable, together with its segment if there are many such parts."""
        if self._layers() >= MAX_LAYERS:
            try:
                self.rotate()
                return
            except StorageError:
                pass  # who only reads must not fail for it
        older = self.view.memtables
        self.look([Memtable(self.active.last_segment), *older], self.view.version)

    def tables_only(self) -> Snapshot:
        """What the tables hold now, up to its lsn; what is in memory only is not in it."""
        view = View([Memtable(0)], self.view.version, self.hit)
        return Snapshot(view, self.flushed, self.now(), self.released)

    def _layers(self) -> i64:
        count: i64 = 0
        for memtable in self.view.memtables:
            if memtable.last_segment == self.active.last_segment:
                count += 1
        return count

    def fold(self) -> None:
        """Take note of snapshots that were let go of; make one memtable of what they divided."""
        while self.released:
            self.released.pop().free()
        while self.layered():
            memtables = self.view.memtables
            if memtables[1].holders > 0 or len(self.active) > MAX_FOLD:
                return
            if not self.active.clears.empty() and len(memtables[1]) > MAX_FOLD:
                return
            memtables[1].absorb(memtables[0])
            self.look(memtables[1:], self.view.version)

    # --- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Sync what is left, close the files, release the lock. Idempotent; OSError if it fails."""
        if self.closed:
            return
        self.closed = True
        try:
            if self.log is not None:
                if self.broken:
                    self.log.abandon()
                else:
                    self.log.close()
        finally:
            if self.manifest is not None:
                self.manifest.close()
            self.view.version.close()
            self.disk.close()


def _reason(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) else None
    return told or str(error) or type(error).__name__
