"""A checkpoint: a copy of the tables of one instant, by hard links, that can be opened by itself.

Invariant: the copy becomes a database by its identity file, which is made last, once all the rest
is durable; what breaks off before is taken away, or is no database. Called by the database, without
its lock.
"""

from __future__ import annotations

import errno
import secrets
from typing import Final

from kveik.disk.api import Disk, File
from kveik.engine.log import FULL
from kveik.engine.manifest import write_manifest
from kveik.engine.opening import write_identity
from kveik.engine.segment import create_segment
from kveik.engine.snapshot import Snapshot
from kveik.engine.state import State
from kveik.errors import DiskFullError, OpenError, StorageError
from kveik.format import identity
from kveik.format.table import table_name
from kveik.limits import MIN_SEGMENT, READ_SIZE
from kveik.native import i64

# the system has no hard links from here to there: another file system, too many of them, ...
NO_LINK: Final = (
    errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS,
)  # fmt: skip


def write_checkpoint(snapshot: Snapshot, source: Disk, target: Disk) -> None:
    """Copy what the snapshot's tables hold, and let go of the target.

    OpenError if the target holds anything or is in use. DiskFullError, StorageError: there is no
    copy, and what had been made of it was removed, as far as that was possible.
    """
    try:
        _refuse_full(target)  # before anything is made in it
        target.lock()
        _refuse_full(target)
        try:
            _copy(snapshot, source, target)
        except BaseException as error:
            _take_away(target)
            if isinstance(error, OSError):
                raise _translated(error) from error
            if isinstance(error, DiskFullError):
                raise DiskFullError(f"no room for the checkpoint: {error}") from error
            raise
    finally:
        target.close()


def _refuse_full(target: Disk) -> None:
    found = target.names() + target.others()
    if found:
        raise OpenError(f"{target.path} is not empty: it holds {found[0]!r}")


def _copy(snapshot: Snapshot, source: Disk, target: Disk) -> None:
    levels = [[table.info for table in level] for level in snapshot.view.version.levels]
    following: i64 = 1
    for level in levels:
        for info in level:
            _bring(table_name(info.number), source, target)
            following = max(following, info.number + 1)
    database_id = secrets.token_bytes(identity.ID_SIZE)
    create_segment(target, 1, MIN_SEGMENT, database_id).file.close()
    write_manifest(target, database_id, State(levels, 1, snapshot.lsn(), following)).close()
    target.sync_names()
    write_identity(target, database_id)


def _bring(name: str, source: Disk, target: Disk) -> None:
    """The file in both directories: the same one, or where that cannot be, a synced copy."""
    try:
        source.link(name, target)
        return
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
    original = source.open(name)
    try:
        copy = target.create(name)
        try:
            _pour(original, copy)
            copy.sync()
        finally:
            copy.close()
    finally:
        original.close()


def _pour(original: File, copy: File) -> None:
    at: i64 = 0
    size: i64 = original.size()
    while at < size:
        data = original.read(at, min(READ_SIZE, size - at))
        if not data:
            raise OSError(errno.EIO, "a table is shorter than it was", original.name)
        copy.write(at, [data])
        at += len(data)


def _take_away(target: Disk) -> None:
    """Nothing shall be left; first of all what makes it a database."""
    try:
        names = target.names()
        if identity.NAME in names:
            target.remove(identity.NAME)
            names.remove(identity.NAME)
        for name in names:
            target.remove(name)
        target.sync_names()
    except OSError:
        pass  # without its identity, which is made last, it is no database


def _translated(error: OSError) -> StorageError:
    if error.errno in FULL:
        return DiskFullError(f"no room for the checkpoint: {error.strerror}")
    return StorageError(f"the checkpoint could not be written: {error}")
