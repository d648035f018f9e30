"""The files of the log: making a segment, in new room or in that of one that is no longer needed.

Invariant: a file has its segment's name only once its room and its head are on the disk. Called by
the log and by recovery; all but the log's own writes may run beside the thread of truth.
"""

from __future__ import annotations

import secrets
from typing import Final

from kveik.disk.api import Disk, File
from kveik.engine.leftovers import remove_quietly
from kveik.format.segment import SegmentHead, encode_head, segment_name
from kveik.native import i64

NEW_SUFFIX: Final = ".new"  # of a file that is not yet part of the database
ZEROS: Final = bytes(1 << 20)


class Segment:
    """An open segment file: number, salt (u32), size in bytes."""

    def __init__(self, file: File, number: i64, salt: int, size: i64) -> None:
        self.file = file
        self.number = number
        self.salt = salt
        self.size = size
        self._others: list[File] = []

    def opened(self, disk: Disk, at: i64) -> File | None:
        """The file for the first sync that is under way (at 0), the second, ...; None: no more.

        An open file is told once that what was written could not be kept: two syncs at once need
        one each, or the error of one might be told to the other alone.
        """
        while at > len(self._others):
            try:
                self._others.append(disk.open(segment_name(self.number), writable=True))
            except OSError:
                return None  # too many files are open
        return self.file if at == 0 else self._others[at - 1]

    def close(self) -> None:
        for file in self._others:
            file.close()
        self.file.close()


def sync_segment(disk: Disk, number: i64) -> None:
    """Sync a segment that was ended without it; one that became a table needs none."""
    try:
        file = disk.open(segment_name(number), writable=True)
    except FileNotFoundError:
        return
    try:
        file.sync()
    finally:
        file.close()


def create_segment(
    disk: Disk, number: i64, size: i64, database_id: bytes, spare: str = "", fill: bool = True
) -> Segment:
    """A new, empty segment that has its name; OSError leaves none.

    spare: a segment that is no longer needed and may be used again. fill: write the room once.
    """
    salt = secrets.randbits(32)
    name = segment_name(number)
    file: File | None = None
    try:
        if spare:
            file = _from_spare(disk, name + NEW_SUFFIX, size, spare)
        if file is None:
            file = disk.create(name + NEW_SUFFIX)
            file.allocate(size)
            if fill:
                _fill(file, size)
        file.write(0, [encode_head(SegmentHead(number, size, salt, database_id))])
        file.sync()
        disk.rename(name + NEW_SUFFIX, name)
        disk.sync_names()
    except OSError:
        if file is not None:
            file.close()
        for leftover in (name + NEW_SUFFIX, name, spare):
            if leftover:
                remove_quietly(disk, leftover)
        raise
    return Segment(file, number, salt, size)


def _from_spare(disk: Disk, name: str, size: i64, spare: str) -> File | None:
    """The spare file under a new name; None, and none left, if it is of no use.

    What it holds never validates under the new salt.
    """
    try:
        disk.rename(spare, name)
        disk.sync_names()  # under its old name it must never be seen with a new head
        file = disk.open(name, writable=True)
        if file.size() == size:
            return file
        file.close()
        disk.remove(name)
    except FileNotFoundError:
        pass
    return None


def _fill(file: File, size: i64) -> None:
    """Write the room once: a sync of bytes that were never written costs twice."""
    at: i64 = 0
    while at < size:
        part: i64 = min(size - at, len(ZEROS))
        file.write(at, [ZEROS if part == len(ZEROS) else ZEROS[:part]])
        at += part


class SegmentJob:
    """Makes one segment; may run beside the thread of truth."""

    def __init__(
        self, disk: Disk, number: i64, size: i64, database_id: bytes, spare: str, fill: bool
    ) -> None:
        self._disk = disk
        self._number = number
        self._size = size
        self._database_id = database_id
        self._spare = spare
        self._fill = fill

    def run(self) -> Segment:
        return create_segment(
            self._disk, self._number, self._size, self._database_id, self._spare, self._fill
        )
