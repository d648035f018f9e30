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
from kveik.engine.manifest import (
    Manifest,
    create_manifest,
    open_manifest,
    read_manifest,
    refuse_tables,
)
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
from kveik.format.jobs import HALF_MADE
from kveik.format.table import table_name, table_number
from kveik.native import i64

NEW_IDENTITY: Final = identity.NAME + NEW_SUFFIX  # not yet whole
NEW_MANIFEST: Final = edit.NAME + NEW_SUFFIX
# may be in a directory that becomes a database
HARMLESS: Final = (NEW_IDENTITY, NEW_MANIFEST, edit.NAME, "lost+found")


def open_store(
    disk: Disk,
    *,
    memory: i64,
    compression: str = "none",
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
        shape = shape or shape_of(memory, compression)
        version, database_id, state = _look(disk)
        replay = Replay(disk, database_id, state.log, state.lsn, shape.segment_size)
        replay.run(progress)
        manifest: Manifest | None = None
        log: Log | None = None
        if not read_only:  # all is well: nothing has been changed so far
            manifest = _writable_manifest(disk, version, database_id, state)
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


def _look(disk: Disk) -> tuple[int, bytes, State]:
    """The format's version (0 for a directory that is to become a database), the id, the tables."""
    if identity.NAME not in disk.names():
        return 0, secrets.token_bytes(identity.ID_SIZE), State(empty_levels())
    version, database_id = _read_identity(disk)
    if version == 1:
        refuse_tables(disk)
        return version, database_id, State(empty_levels())
    state = read_manifest(disk, database_id)
    names = set(disk.names())
    for level in state.levels:
        for info in level:
            name = table_name(info.number)
            if name not in names:
                raise CorruptionError(name, 0, "this table is missing")
    return version, database_id, state


def _writable_manifest(disk: Disk, version: i64, database_id: bytes, state: State) -> Manifest:
    """The manifest, made anew; with it the directory is a database of this format."""
    if version > 1:
        return open_manifest(disk, database_id, state)
    manifest = create_manifest(disk, database_id)
    write_identity(disk, database_id)
    return manifest


def _remove_leftovers(disk: Disk, state: State) -> None:
    """Tables that the manifest does not name, and what was never finished."""
    named = {info.number for level in state.levels for info in level}
    for name in disk.names():
        number = table_number(name)
        if (number and number not in named) or _is_half_made(name):
            disk.remove(name)


def _is_half_made(name: str) -> bool:
    if name in (NEW_IDENTITY, NEW_MANIFEST):
        return True
    table, _, _ = name.partition("-")
    return table_number(table) > 0 and name.endswith(HALF_MADE)


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
