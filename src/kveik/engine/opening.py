"""Opening a directory: lock it, make it a database if it is empty, recover what it holds.

Invariant: until the directory is known to be a database, or empty, nothing in it is touched; a
read-only opening changes nothing at all. Called by the public face, the server and the tools.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

from kveik.disk.api import Disk
from kveik.engine.log import Log, Spawn
from kveik.engine.manifest import Manifest, create_manifest, open_manifest, read_manifest
from kveik.engine.replay import Progress, Replay
from kveik.engine.segment import NEW_SUFFIX
from kveik.engine.shape import Shape, shape_of
from kveik.engine.state import State, empty_levels
from kveik.engine.store import Clock, Store
from kveik.engine.table import Hit
from kveik.engine.version import first_version
from kveik.engine.view import View
from kveik.errors import CorruptionError, NewerFormatError, NotKveikError
from kveik.format import edit, identity
from kveik.format.table import table_number
from kveik.native import i64

NEW_IDENTITY: Final = identity.NAME + NEW_SUFFIX  # not yet whole
NEW_MANIFEST: Final = edit.NAME + NEW_SUFFIX
# may be in a directory that becomes a database
HARMLESS: Final = (NEW_IDENTITY, NEW_MANIFEST, edit.NAME, "lost+found")


def open_store(
    disk: Disk,
    *,
    memory: i64,
    create: bool = True,
    read_only: bool = False,
    clock: Clock = time.time,
    spawn: Spawn | None = None,
    progress: Progress | None = None,
    shape: Shape | None = None,
) -> Store:
    """Lock the directory, make it a database if it is empty, and recover what it holds.

    memory: the budget in bytes, from which the shape follows where none is given.
    """
    try:
        _refuse_strangers(disk, create and not read_only)
        disk.lock(shared=read_only)
        shape = shape or shape_of(memory)
        database_id, manifest, state = _manifest(disk, read_only)
        replay = Replay(disk, database_id, state.log, state.lsn, shape.segment_size // 2)
        replay.run(progress)
        log: Log | None = None
        if not read_only:
            size = shape.segment_size
            segment = replay.segment(size)
            log = Log(disk, database_id, size, segment, replay.offset(), replay, spawn)
            _remove_leftovers(disk, state)
        hit = Hit()
        view = View(replay.memtables, first_version(disk, state), hit)
        return Store(disk, view, hit, log, manifest, state.lsn, replay.lsn, shape, clock)
    except BaseException:
        disk.close()
        raise


def _manifest(disk: Disk, read_only: bool) -> tuple[bytes, Manifest | None, State]:
    """The database's id, its manifest if it may be written, and what that says."""
    if identity.NAME not in disk.names():
        database_id = secrets.token_bytes(identity.ID_SIZE)
    else:
        version, database_id = _read_identity(disk)
        if read_only:
            state = read_manifest(disk, database_id) if version > 1 else State(empty_levels())
            return database_id, None, state
        if version > 1:
            manifest = open_manifest(disk, database_id)
            return database_id, manifest, manifest.state
    manifest = create_manifest(disk, database_id)
    write_identity(disk, database_id)
    return database_id, manifest, manifest.state


def _remove_leftovers(disk: Disk, state: State) -> None:
    """Tables that the manifest does not name, and what was never finished."""
    named = {info.number for level in state.levels for info in level}
    for name in disk.names():
        number = table_number(name)
        if (number and number not in named) or name.endswith(NEW_SUFFIX):
            disk.remove(name)


def _refuse_strangers(disk: Disk, create: bool) -> None:
    """Before anything is touched, be sure that the directory is a database or may become one."""
    names = disk.names()
    strangers = [name for name in names + disk.others() if name not in HARMLESS]
    if strangers and identity.NAME not in names:
        raise NotKveikError(f"{disk.path} is no Kveik directory: it holds {strangers[0]!r}")
    if not create and identity.NAME not in names:
        raise NotKveikError(f"{disk.path} holds no database")


def write_identity(disk: Disk, database_id: bytes) -> None:
    """Make the directory a database of this format; its manifest is there already."""
    if NEW_IDENTITY in disk.names():
        disk.remove(NEW_IDENTITY)
    file = disk.create(NEW_IDENTITY)
    file.write(0, [identity.encode_identity(database_id)])
    file.sync()
    file.close()
    disk.rename(NEW_IDENTITY, identity.NAME)
    disk.sync_names()


def _read_identity(disk: Disk) -> tuple[int, bytes]:
    """(format version, database id)"""
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
    return version, database_id
