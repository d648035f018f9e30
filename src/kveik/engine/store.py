"""The thread of truth's view of one open directory: the log, the memtable, and what is safe.

Invariants: a commit is in the log before it is in the memtable; once a write or sync has failed
there are no more commits. No locks: one thread calls (the server's loop, or whoever holds the
embedded database's lock). `open_store` makes one; `Transaction` reads it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from kveik.disk.api import Disk
from kveik.engine.log import Group, Log, Spawn
from kveik.engine.memtable import Memtable
from kveik.engine.replay import Progress, Replay
from kveik.errors import (
    ClosedError,
    CorruptionError,
    FailStopError,
    NewerFormatError,
    NotKveikError,
    ReadOnlyError,
)
from kveik.format import identity
from kveik.limits import MAX_SEGMENT, MIN_SEGMENT, SEGMENTS_PER_MEMORY
from kveik.model import Writes
from kveik.native import i64

NEW_IDENTITY = identity.NAME + ".new"  # not yet whole
HARMLESS = (NEW_IDENTITY, "lost+found")  # may be in a directory that becomes a database

Clock = Callable[[], float]  # Unix seconds


class Store:
    def __init__(
        self, disk: Disk, memtable: Memtable, log: Log | None, lsn: i64, clock: Clock
    ) -> None:
        """log is None for a store that is only read; lsn is the last commit."""
        self.disk = disk
        self.memtable = memtable
        self._log = log
        self._lsn = lsn
        self._clock = clock
        self.failure = ""  # why there are no more writes; empty while all is well
        self.closed = False
        self.gated = True  # readers ask what is safe; an owner that never waits says no

    def now(self) -> i64:
        """Unix milliseconds."""
        return int(self._clock() * 1000)

    def lsn(self) -> i64:
        """The last commit."""
        log = self._log
        return self._lsn if log is None else log.lsn

    def synced(self) -> i64:
        """The last commit that is on the disk."""
        log = self._log
        return self._lsn if log is None else log.synced

    def pending(self) -> i64:
        """Bytes that were committed and not yet handed to the system."""
        log = self._log
        return 0 if log is None else log.pending

    def commit(self, writes: Writes) -> i64:
        """Log and apply; the LSN. It is durable once `synced` has reached it.

        DiskFullError, LimitError, FailStopError, ReadOnlyError, ClosedError: nothing happened.
        """
        lsn = self._writable().append(writes)
        self.memtable.apply(writes, lsn, self.synced() if self.gated else lsn)
        return lsn

    def _writable(self) -> Log:
        if self.closed:
            raise ClosedError("the database has been closed")
        if self.failure:
            raise FailStopError(self.failure)
        if self._log is None:
            raise ReadOnlyError("the database was opened read-only")
        return self._log

    def take(self, sync: bool) -> Group | None:
        """What waits to be written; the caller performs it and then calls settle or fail."""
        log = self._log
        return None if log is None or self.failure else log.take(sync)

    def put_back(self, group: Group) -> None:
        """The group was not, or not wholly, performed; the next one starts with it."""
        if self._log is not None:
            self._log.put_back(group)

    def settle(self, group: Group) -> None:
        """The group has been performed."""
        log = self._log
        assert log is not None
        log.settle(group)
        self.memtable.settle(group.lsn)

    def fail(self, error: Exception) -> None:
        """A write or sync has failed: what the disk holds is unknown; write nothing more."""
        told = error.strerror if isinstance(error, OSError) else None
        reason = told or str(error) or type(error).__name__
        self.failure = f"the log could not be written ({reason}); no writes until it is reopened"

    def close(self) -> None:
        """Sync what is left, close the files, release the lock. Idempotent; OSError if it fails."""
        if self.closed:
            return
        self.closed = True
        try:
            if self._log is not None:
                if self.failure:
                    self._log.abandon()
                else:
                    self._log.close()
        finally:
            self.disk.close()


def segment_size(memory: i64) -> i64:
    """Bytes of a log segment for a memory budget in bytes."""
    return min(max(memory // SEGMENTS_PER_MEMORY, MIN_SEGMENT), MAX_SEGMENT)


def open_store(
    disk: Disk,
    *,
    memory: i64,
    create: bool = True,
    read_only: bool = False,
    clock: Clock = time.time,
    spawn: Spawn | None = None,
    progress: Progress | None = None,
) -> Store:
    """Lock the directory, make it a database if it is empty, and recover what it holds."""
    try:
        _refuse_strangers(disk, create and not read_only)
        disk.lock(shared=read_only)
        database_id = _identify(disk)
        memtable = Memtable()
        replay = Replay(disk, database_id, memtable)
        replay.run(progress)
        log: Log | None = None
        if not read_only:
            size = segment_size(memory)
            segment = replay.segment(size)
            log = Log(disk, database_id, size, segment, replay.offset(), replay, spawn)
        return Store(disk, memtable, log, replay.lsn, clock)
    except BaseException:
        disk.close()
        raise


def _refuse_strangers(disk: Disk, create: bool) -> None:
    """Before anything is touched, be sure that the directory is a database or may become one."""
    names = disk.names()
    strangers = [name for name in names + disk.others() if name not in HARMLESS]
    if strangers and identity.NAME not in names:
        raise NotKveikError(f"{disk.path} is no Kveik directory: it holds {strangers[0]!r}")
    if not create and identity.NAME not in names:
        raise NotKveikError(f"{disk.path} holds no database")


def _identify(disk: Disk) -> bytes:
    """The database's id, from the identity file; a new one if the directory is empty."""
    names = disk.names()
    if identity.NAME in names:
        return _read_identity(disk)
    if NEW_IDENTITY in names:
        disk.remove(NEW_IDENTITY)
    database_id = secrets.token_bytes(identity.ID_SIZE)
    file = disk.create(NEW_IDENTITY)
    file.write(0, [identity.encode_identity(database_id)])
    file.sync()
    file.close()
    disk.rename(NEW_IDENTITY, identity.NAME)
    disk.sync_names()
    return database_id


def _read_identity(disk: Disk) -> bytes:
    file = disk.open(identity.NAME)
    try:
        data = file.read(0, file.size())
    finally:
        file.close()
    try:
        version, database_id = identity.decode_identity(data)
    except ValueError as error:
        raise CorruptionError(identity.NAME, 0, str(error)) from None
    if version > identity.VERSION:
        raise NewerFormatError(
            f"{disk.path} has format {version}; this Kveik knows up to {identity.VERSION}: upgrade"
        )
    return database_id
