"""A disk in memory that can lose its power.

Job: the contract of Disk, fast, and what a crash leaves of it. Invariants: reads see everything
written (the page cache); apart from it stands what is durable, and in between, in order, what is
not yet. A sector of 512 bytes is written as a whole or not at all, and shows some moment of its
own history: it never holds a later write without an earlier one to the same sector. Different
sectors reach the medium in any order. Directory changes reach it in their order.
Who may call: tests, and whoever wants a database without files.
"""

from __future__ import annotations

import errno
import os
import threading
from random import Random
from typing import Final

from kveik.disk.api import Disk, File, check_name
from kveik.errors import LockedError

SECTOR: Final = 512  # bytes that a disk writes as a whole

_ROOM: Final = -1  # in place of a sector's number: the size that was allocated


class _Content:
    """A file without its name: what reads see, what is durable, and the writes between them.

    An allocation is a write of nothing at its end.
    """

    __slots__ = ("cached", "durable", "unsynced")

    def __init__(self, data: bytes = b"") -> None:
        self.cached = bytearray(data)
        self.durable = bytearray(data)
        self.unsynced: list[tuple[int, bytes]] = []

    def write(self, offset: int, data: bytes) -> None:
        _put(self.cached, offset, data)
        self.unsynced.append((offset, data))

    def sync(self) -> None:
        for offset, data in self.unsynced:
            _put(self.durable, offset, data)
        self.unsynced.clear()

    def copy(self) -> _Content:
        other = _Content()
        other.cached = bytearray(self.cached)
        other.durable = bytearray(self.durable)
        other.unsynced = list(self.unsynced)
        return other

    def after_crash(self, random: Random) -> bytes:
        """What is durable, and by chance some of what is not yet."""
        left = bytearray(self.durable)
        odds = random.random()  # from hardly anything to nearly everything
        for history in self._sectors().values():
            if random.random() < odds:
                for offset, data in history[: random.randint(1, len(history))]:
                    _put(left, offset, data)
        return bytes(left)

    def _sectors(self) -> dict[int, list[tuple[int, bytes]]]:
        """The unsynced writes cut at sectors: the parts within each, in their order."""
        sectors: dict[int, list[tuple[int, bytes]]] = {}
        for offset, data in self.unsynced:
            if not data:
                sectors.setdefault(_ROOM, []).append((offset, data))
            start = 0
            while start < len(data):
                number = (offset + start) // SECTOR
                stop = (number + 1) * SECTOR - offset
                part = (offset + start, data[start:stop])
                sectors.setdefault(number, []).append(part)
                start = stop
        return sectors


class _Change:
    """One change of the directory: a name that goes, a name that comes, or both (a rename)."""

    __slots__ = ("added", "content", "removed")

    def __init__(self, removed: str | None, added: str | None, content: _Content) -> None:
        self.removed = removed
        self.added = added
        self.content = content

    def apply(self, names: dict[str, _Content]) -> None:
        if self.removed is not None:
            del names[self.removed]
        if self.added is not None:
            names[self.added] = self.content


class MemoryFile(File):
    """An open file of a MemoryDisk."""

    def __init__(self, disk: MemoryDisk, name: str, content: _Content, *, writable: bool) -> None:
        self.name = name
        self._disk = disk
        self._content = content
        self._writable = writable
        self._closed = False

    def size(self) -> int:
        with self._disk.mutex:
            self._check()
            return len(self._content.cached)

    def read(self, offset: int, length: int) -> bytes:
        with self._disk.mutex:
            self._check()
            if offset < 0 or length < 0:
                raise _error(errno.EINVAL, self.name)
            return bytes(memoryview(self._content.cached)[offset : offset + length])

    def read_now(self, offset: int, length: int) -> bytes | None:
        data = self.read(offset, length)
        return data if len(data) == length else None

    def write(self, offset: int, pieces: list[bytes]) -> None:
        with self._disk.mutex:
            self._check(change=True)
            if offset < 0:
                raise _error(errno.EINVAL, self.name)
            data = b"".join(pieces)
            if data:
                self._content.write(offset, data)

    def allocate(self, size: int) -> None:
        with self._disk.mutex:
            self._check(change=True)
            if size > len(self._content.cached):
                self._content.write(size, b"")

    def sync(self) -> None:
        with self._disk.mutex:
            self._check()
            self._content.sync()

    def close(self) -> None:
        self._closed = True

    def _check(self, *, change: bool = False) -> None:
        self._disk.check_power(self.name)
        if self._closed or (change and not self._writable):
            raise _error(errno.EBADF, self.name)


class MemoryDisk(Disk):
    """Files in memory; crash() and kill() give the disk that the next opener finds.

    close() only releases the lock: there is no other way to the files than this object, so it can
    be locked and used again.
    """

    def __init__(self, path: str = "memory") -> None:
        self.path = path
        self.mutex = threading.Lock()  # for MemoryFile
        self._names: dict[str, _Content] = {}
        self._durable: dict[str, _Content] = {}
        self._unsynced: list[_Change] = []
        self._locked = False
        self._lost = False

    def names(self) -> list[str]:
        with self.mutex:
            self.check_power(self.path)
            return sorted(self._names)

    def create(self, name: str) -> File:
        check_name(name)
        with self.mutex:
            self.check_power(name)
            if name in self._names:
                raise _error(errno.EEXIST, name)
            content = _Content()
            self._change(_Change(None, name, content))
            return MemoryFile(self, name, content, writable=True)

    def open(self, name: str, *, writable: bool = False) -> File:
        check_name(name)
        with self.mutex:
            return MemoryFile(self, name, self._find(name), writable=writable)

    def rename(self, old: str, new: str) -> None:
        check_name(old)
        check_name(new)
        with self.mutex:
            self._change(_Change(old, new, self._find(old)))

    def remove(self, name: str) -> None:
        check_name(name)
        with self.mutex:
            self._change(_Change(name, None, self._find(name)))

    def link(self, name: str, other: Disk) -> None:
        check_name(name)
        with self.mutex:
            content = self._find(name)
        if not isinstance(other, MemoryDisk):
            raise _error(errno.EXDEV, name)
        with other.mutex:
            other.check_power(name)
            if name in other._names:
                raise _error(errno.EEXIST, name)
            other._change(_Change(None, name, content))

    def sync_names(self) -> None:
        with self.mutex:
            self.check_power(self.path)
            self._durable = dict(self._names)
            self._unsynced.clear()

    def lock(self, *, shared: bool = False) -> None:
        """Like Disk.lock; there is one object and so one holder, shared or not."""
        with self.mutex:
            self.check_power(self.path)
            if self._locked:
                raise LockedError(f"{self.path} is already open in this process")
            self._locked = True

    def close(self) -> None:
        self._locked = False

    def crash(self, seed: int | None = None) -> MemoryDisk:
        """The power fails: this disk and its files are gone, the disk that is left is returned.

        Without a seed it holds exactly what was synced. With one it also holds, drawn from the
        seed, some sectors of the unsynced writes and the first of the unsynced directory changes.
        Calling again shows another outcome of the same moment.
        """
        with self.mutex:
            self._lost = True
            names = dict(self._durable)
            left = MemoryDisk(self.path)
            if seed is None:
                left._fill({name: bytes(content.durable) for name, content in names.items()})
                return left
            random = Random(seed)
            for change in self._unsynced[: random.randint(0, len(self._unsynced))]:
                change.apply(names)
            left._fill({name: names[name].after_crash(random) for name in sorted(names)})
            return left

    def kill(self) -> MemoryDisk:
        """The process dies and the machine does not: everything written is in the disk returned.

        What was not synced is not synced there either: a crash that follows can still take it.
        """
        with self.mutex:
            self._lost = True
            contents = {
                *self._names.values(),
                *self._durable.values(),
                *(change.content for change in self._unsynced),
            }
            copies = {content: content.copy() for content in contents}
            left = MemoryDisk(self.path)
            left._names = {name: copies[content] for name, content in self._names.items()}
            left._durable = {name: copies[content] for name, content in self._durable.items()}
            left._unsynced = [
                _Change(change.removed, change.added, copies[change.content])
                for change in self._unsynced
            ]
            return left

    def check_power(self, name: str) -> None:
        """Raise OSError (EIO) once the disk has crashed or its process was killed."""
        if self._lost:
            raise OSError(errno.EIO, "the disk is gone in a crash", name)

    def _fill(self, files: dict[str, bytes]) -> None:
        self._names = {name: _Content(data) for name, data in files.items()}
        self._durable = dict(self._names)

    def _find(self, name: str) -> _Content:
        self.check_power(name)
        content = self._names.get(name)
        if content is None:
            raise _error(errno.ENOENT, name)
        return content

    def _change(self, change: _Change) -> None:
        change.apply(self._names)
        self._unsynced.append(change)


def _put(target: bytearray, offset: int, data: bytes) -> None:
    """Write into the array, which grows with zeros up to the offset."""
    if offset > len(target):
        target.extend(bytes(offset - len(target)))
    target[offset : offset + len(data)] = data


def _error(number: int, name: str) -> OSError:
    return OSError(number, os.strerror(number), name)
