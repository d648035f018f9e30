"""The embedded database: the store behind a lock, for any number of threads.

Invariants: whoever holds the lock is the thread of truth. At durability "always" a write returns,
and a read shows it, only once it has been synced: the first thread that needs a sync performs it
for all that gathered, without the lock, while the others wait. Called by the public face.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType

from kveik.engine.memtable import Rows
from kveik.engine.store import Store
from kveik.engine.transaction import PREFIXES, Transaction
from kveik.errors import ClosedError, FailStopError, LimitError
from kveik.format.keys import decode_key, encode_bound, encode_key
from kveik.format.values import decode_value, encode_value
from kveik.limits import MAX_BACKLOG, MAX_TTL, MAX_UNWRITTEN, SYNC_INTERVAL
from kveik.model import Cell, Writes
from kveik.native import i64


class Batch:
    """Puts and deletes that happen together: all or none, whatever crashes."""

    def __init__(self) -> None:
        self.writes = Writes()

    def put(self, key: object, value: object) -> None:
        """Add a put; key and value as for Database.put."""
        kind, data = encode_value(value)
        self.writes.put(PREFIXES[0] + encode_key(key), Cell(kind, data))

    def delete(self, key: object) -> None:
        """Add a delete; it need not exist."""
        self.writes.delete(PREFIXES[0] + encode_key(key))

    def __len__(self) -> int:
        return self.writes.count


class Database:
    """An open database. Safe for several threads; close it, or use it as a context manager.

    Keys are bytes, str, int, float, bool, None or tuples of them; values are bytes, str or what
    JSON can say, and come back with the type they went in with.
    """

    def __init__(self, store: Store, durability: str) -> None:
        self._store = store
        self._always = durability == "always"
        self._interval = durability == "interval"
        store.gated = self._always
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._syncing = False
        self._sync_due = False  # the next flush shall sync
        self._closing = False
        self._stop = threading.Event()
        self._flusher: threading.Thread | None = None
        self._txn = Transaction(store)

    # --- reads ----------------------------------------------------------------------------------

    def get(self, key: object, default: object = None) -> object:
        """The value of a key, or default."""
        stored = encode_key(key)
        with self._lock:
            txn = self._begin()
            cell = txn.get(stored)
            self._await(txn.seen)
        return default if cell is None else decode_value(cell.kind, cell.data)

    def range(
        self,
        start: object = None,
        end: object = None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[object, object]]:
        """The entries from start (included) to end (excluded) in key order, at one instant.

        Text keys come back as their UTF-8 bytes; None is no bound. LimitError for a limit below 0.
        """
        if limit is not None and limit < 0:
            raise LimitError("a limit is 0 or more")
        low = b"" if start is None else encode_bound(start)
        high = None if end is None else encode_bound(end)
        with self._lock:
            txn = self._begin()
            rows = txn.scan(low, high, reverse, -1 if limit is None else limit)
            self._await(txn.seen)
        return _decoded(rows)

    def _begin(self) -> Transaction:
        self._check_open()
        self._txn.begin(0)
        return self._txn

    def _check_open(self) -> None:
        if self._closing:
            raise ClosedError("the database has been closed")

    # --- writes ---------------------------------------------------------------------------------

    def put(self, key: object, value: object, *, ttl: float | None = None) -> None:
        """Write a value; with ttl it expires after so many seconds."""
        kind, data = encode_value(value)
        expires = 0
        if ttl is not None:
            if not 0 < ttl <= MAX_TTL:
                raise LimitError(f"a ttl is more than 0 and at most {MAX_TTL} seconds")
            expires = self._store.now() + int(ttl * 1000)
        writes = Writes()
        writes.put(PREFIXES[0] + encode_key(key), Cell(kind, data, expires))
        with self._lock:
            self._commit(writes)

    def delete(self, key: object) -> bool:
        """Delete a key; whether it had a value."""
        stored = encode_key(key)
        with self._lock:
            txn = self._begin()
            if not txn.delete(stored):
                self._await(txn.seen)
                return False
            self._commit(txn.writes)
        return True

    def write(self, batch: Batch) -> None:
        """Do all of a batch, or, if it raises, none of it. The batch is empty afterwards."""
        writes = batch.writes
        if writes.count > 0:
            with self._lock:
                self._commit(writes)
            batch.writes = Writes()

    def _commit(self, writes: Writes) -> None:
        self._check_open()
        lsn = self._store.commit(writes)
        if self._always:
            self._await(lsn)
            return
        while self._syncing and self._store.pending() > MAX_BACKLOG:
            self._changed.wait()  # no faster than the disk
        if self._store.pending() > MAX_UNWRITTEN and not self._syncing:
            self._flush(False)
        if self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_often, daemon=True)
            self._flusher.start()

    # --- durability -----------------------------------------------------------------------------

    def _await(self, lsn: i64) -> None:
        """Return once everything up to lsn is safe; called, and returns, with the lock held."""
        if not self._always:
            return
        store = self._store
        while store.synced() < lsn:
            if store.failure:
                raise FailStopError(store.failure)
            if store.closed:
                raise ClosedError("the database was closed before the write was synced")
            if self._syncing or self._closing:
                self._changed.wait()
            else:
                self._flush(True)

    def _flush(self, sync: bool) -> None:
        """Write, perhaps sync, what has gathered; gives the lock away while the disk works."""
        group = self._store.take(sync or self._sync_due)
        if group is None:
            return
        self._syncing = True
        self._lock.release()
        failed: OSError | None = None
        done = False
        try:
            group.perform()
            done = True
        except OSError as error:
            failed = error
        finally:
            self._lock.acquire()
            self._syncing = False
            if done:
                self._store.settle(group)
                self._sync_due = self._sync_due and not group.sync
            elif failed is not None:
                self._store.fail(failed)
            else:  # Ctrl-C: whoever comes next does it again
                self._store.put_back(group)
            self._changed.notify_all()

    def _flush_often(self) -> None:
        while not self._stop.wait(SYNC_INTERVAL):
            with self._lock:
                self._sync_due = self._interval
                while self._syncing and self._sync_due:
                    self._changed.wait()  # perhaps a writer's next flush syncs, too
                if not self._syncing and not self._closing:
                    self._flush(self._sync_due)

    # --- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Sync what is left and release the directory. Idempotent."""
        with self._lock:
            self._closing = True
            try:
                while self._syncing:
                    self._changed.wait()
            except BaseException:  # Ctrl-C: it is still open, and others wait to go on
                self._closing = False
                self._changed.notify_all()
                raise
            self._stop.set()
            if self._store.closed:
                return
            try:
                self._store.close()
            except OSError as error:
                raise FailStopError(f"the last writes could not be synced: {error}") from error
            finally:
                self._changed.notify_all()
            if self._store.failure and not self._always:  # writes that had returned are lost
                raise FailStopError(self._store.failure)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _decoded(rows: Rows) -> Iterator[tuple[object, object]]:
    """The entries of a range, decoded one by one."""
    for key, cell in zip(rows.keys, rows.cells, strict=True):
        yield decode_key(key), decode_value(cell.kind, cell.data)
