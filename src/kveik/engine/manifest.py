"""The manifest: which tables the directory has, and which log segments it still needs.

One file of edits, each synced before anybody acts on it. Invariants:
 (1) A file named MANIFEST has a whole head and a whole first edit, which is the full state: both
     are synced before it gets the name. It is written anew at each opening and when it has grown.
 (2) An edit is written behind the last, synced, and only then part of `state`. What it makes
     superfluous (tables, segments) is removed after that, never before.
 (3) So what breaks off at the end never held, and nothing that an older state needs is gone.
 (4) After an error that leaves it open what the disk holds, nothing more is appended.
Called by the store when it opens; then by whoever has a new table, one thread at a time or more
(`append` has a lock of its own).
"""

from __future__ import annotations

import secrets
import threading
from typing import Final

from kveik.disk.api import Disk, File
from kveik.engine.log import FULL
from kveik.engine.segment import NEW_SUFFIX
from kveik.engine.state import State, empty_levels
from kveik.errors import CorruptionError, DiskFullError, FailStopError, NewerFormatError
from kveik.format.edit import (
    NAME,
    VERSION,
    Edit,
    decode_manifest_head,
    edit_of,
    encode_edit_record,
    encode_manifest_head,
    find_edit,
)
from kveik.format.identity import NAME as IDENTITY
from kveik.format.record import HEADER, record_end, record_lsn
from kveik.format.segment import HEAD_SIZE, SegmentHead
from kveik.format.table import table_number
from kveik.limits import MAX_EDITS
from kveik.native import i64

NEW_NAME: Final = NAME + NEW_SUFFIX  # not yet whole


class Manifest:
    """The open manifest. state: what the directory holds; a new object with each edit."""

    def __init__(self, disk: Disk, database_id: bytes, state: State) -> None:
        self._disk = disk
        self._database_id = database_id
        self._lock = threading.Lock()
        self._file: File | None = None
        self._salt = 0
        self._end: i64 = 0  # behind the last edit
        self._number: i64 = 0  # of the last edit
        self._bound: i64 = 0  # bytes; past it the file is written anew
        self._stale = True  # the file must not be appended to
        self._failed = False
        self.state = state

    def append(self, edit: Edit) -> State:
        """Make an edit durable; the new state.

        DiskFullError: it has not happened, and may be tried again. OSError: it is open whether it
        has happened; the manifest takes no more (FailStopError). ValueError: it does not fit.
        """
        with self._lock:
            if self._failed:
                raise FailStopError("the manifest could not be written; reopen the database")
            state = self.state.after(edit)
            if not self._written_anew(state):
                self._write(edit)
            self.state = state
            return state

    def _written_anew(self, state: State) -> bool:
        """Write the state to a new file if it is time for that."""
        if not self._stale and self._end <= self._bound:
            return False
        try:
            self.rewrite(state)
        except DiskFullError:
            if self._stale:
                raise
            return False  # an edit takes less room than the whole state
        return True

    def rewrite(self, state: State) -> None:
        """Put a new file, that holds this state, in the old one's place. Errors as in append."""
        salt = secrets.randbits(32)
        head = encode_manifest_head(salt, self._database_id)
        record = encode_edit_record(1, state.full(), salt)
        file = self._new_file([head, record])
        self._failed = True  # until the name is durable
        try:
            self._disk.rename(NEW_NAME, NAME)
            self._disk.sync_names()
        except OSError:
            file.close()
            raise
        self._failed = False
        self.close()
        self._file = file
        self._salt = salt
        self._end = HEAD_SIZE + len(record)
        self._number = 1
        self._bound = self._end + MAX_EDITS
        self._stale = False

    def _new_file(self, pieces: list[bytes]) -> File:
        """A synced file of another name. Whatever fails here, the manifest stands as it stood."""
        file: File | None = None
        try:
            if NEW_NAME in self._disk.names():
                self._disk.remove(NEW_NAME)
            file = self._disk.create(NEW_NAME)
            file.write(0, pieces)
            file.sync()
        except OSError as error:
            if file is not None:
                file.close()
                self._remove_new()
            if error.errno in FULL:
                raise _no_room(error) from None
            self._failed = True  # a medium that fails here is not to be trusted with the rest
            raise
        return file

    def _remove_new(self) -> None:
        try:
            self._disk.remove(NEW_NAME)
        except OSError:
            pass  # what is left is removed when the directory is next opened

    def _write(self, edit: Edit) -> None:
        file = self._file
        assert file is not None
        record = encode_edit_record(self._number + 1, edit, self._salt)
        self._failed = True  # until it is known what the disk holds
        try:
            file.write(self._end, [record])
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._stale = True  # what was torn off is never written over
            self._blank(file, record)
            self._failed = False
            raise _no_room(error) from None
        file.sync()
        self._failed = False
        self._end += len(record)
        self._number += 1

    def _blank(self, file: File, record: bytes) -> None:
        """A write that failed may have left the whole record all the same: see that it is none."""
        if file.read(self._end, len(record)) == record:
            file.write(self._end, [bytes(HEADER)])
            file.sync()

    def close(self) -> None:
        """Let go of the file; all edits are synced already."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def create_manifest(disk: Disk, database_id: bytes) -> Manifest:
    """A fresh manifest, durable, for a directory that has no tables and needs its whole log.

    Replaces one that is there: a directory whose identity does not ask for a manifest has no
    tables, whatever an upgrade that broke off has left. CorruptionError if it has some.
    DiskFullError, OSError: try again.
    """
    refuse_tables(disk)
    return write_manifest(disk, database_id, State(empty_levels()))


def refuse_tables(disk: Disk) -> None:
    """CorruptionError if there are tables: then it is the identity that is damaged."""
    tables = [name for name in disk.names() if table_number(name)]
    if tables:
        raise CorruptionError(IDENTITY, 0, f"it knows of no tables, and there is {tables[0]}")


def write_manifest(disk: Disk, database_id: bytes, state: State) -> Manifest:
    """A fresh manifest, durable, that says this. DiskFullError, OSError."""
    manifest = Manifest(disk, database_id, state)
    manifest.rewrite(state)
    return manifest


def open_manifest(disk: Disk, database_id: bytes, state: State | None = None) -> Manifest:
    """Make durable what the manifest says, and be ready to append.

    state: what `read_manifest` has just found, if somebody has. Where there is no room for a new
    file the first append tries again.
    """
    manifest = Manifest(disk, database_id, state or read_manifest(disk, database_id))
    try:
        manifest.rewrite(manifest.state)
    except DiskFullError:
        file = disk.open(NAME, writable=True)
        try:
            file.sync()  # what was read may so far be in the page cache only
        finally:
            file.close()
        disk.sync_names()
    return manifest


def read_manifest(disk: Disk, database_id: bytes) -> State:
    """What the manifest says; changes nothing. CorruptionError, NewerFormatError."""
    if NAME not in disk.names():
        raise CorruptionError(NAME, 0, "the file is missing, and the tables are known by it only")
    file = disk.open(NAME)
    try:
        data = file.read(0, file.size())
    finally:
        file.close()
    head = _checked_head(data, database_id)
    return _read_edits(data, head.salt)


def _checked_head(data: bytes, database_id: bytes) -> SegmentHead:
    try:
        head = decode_manifest_head(data)
    except ValueError as error:
        raise CorruptionError(NAME, 0, str(error)) from None
    if head.version > VERSION:
        raise NewerFormatError(
            f"{NAME} has format {head.version}; this Kveik knows up to {VERSION}: upgrade"
        )
    if head.database_id != database_id:
        raise CorruptionError(NAME, 0, "it belongs to another database")
    return head


def _read_edits(data: bytes, salt: int) -> State:
    state = State(empty_levels())
    at: i64 = HEAD_SIZE
    number: i64 = 0
    end = record_end(data, at, salt)
    while end >= 0:
        number += 1
        if record_lsn(data, at) != number:
            what = f"edit {number} should stand here, not {record_lsn(data, at)}"
            raise CorruptionError(NAME, at, what)
        try:
            state = state.after(edit_of(data, at, end))
        except ValueError as error:
            raise CorruptionError(NAME, at, f"edit {number}: {error}") from None
        at = end
        end = record_end(data, at, salt)
    if number == 0:
        raise CorruptionError(NAME, at, "the first edit, which is the full state, is damaged")
    later = find_edit(data, at, salt, number + 1)
    if later >= 0:
        raise CorruptionError(NAME, at, f"an edit is damaged (offset {later} has a later one)")
    return state


def _no_room(error: OSError) -> DiskFullError:
    return DiskFullError(f"no room for the manifest: {error.strerror}")
