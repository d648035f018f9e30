"""The real disk: a directory of the operating system.

Job: Disk and File on system calls. Invariants: names are resolved in the directory that was
opened, also when it is moved or the working directory changes; descriptors do not survive exec.
Who may call: whoever opens a database.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from typing import Final

from kveik.disk.api import LOCK_NAME, Disk, File, check_name
from kveik.disk.lock import DirectoryLock, acquire
from kveik.errors import LockedError, OpenError

MAX_BUFFERS: Final = 1024  # pieces of one pwritev; IOV_MAX of Linux, macOS and the BSDs
ZEROS: Final = 1024 * 1024  # bytes written at once where room cannot be reserved
CLOSED: Final = -1  # not a descriptor: system calls answer EBADF

_CANNOT_RESERVE: Final = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_READ_NOW: Final = getattr(os, "RWF_NOWAIT", 0)  # only Linux has it
_CANNOT_READ_NOW: Final = (errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS)


class PosixFile(File):
    """One descriptor, closed at the latest with its object. Errors carry the whole path."""

    def __init__(self, descriptor: int, directory: str, name: str) -> None:
        self.name = name
        self._path = os.path.join(directory, name)
        self._descriptor = descriptor

    def size(self) -> int:
        try:
            return os.fstat(self._descriptor).st_size
        except OSError as error:
            error.filename = self._path
            raise

    def read(self, offset: int, length: int) -> bytes:
        try:
            data = os.pread(self._descriptor, length, offset)
            if len(data) == length:
                return data
            return self._read_on(offset, length, data)
        except OSError as error:
            error.filename = self._path
            raise

    def read_now(self, offset: int, length: int) -> bytes | None:
        if not _READ_NOW:
            return None
        data = bytearray(length)
        try:
            done = os.preadv(self._descriptor, [data], offset, _READ_NOW)
        except OSError as error:
            if error.errno in _CANNOT_READ_NOW:
                return None
            error.filename = self._path
            raise
        return bytes(data) if done == length else None

    def _read_on(self, offset: int, length: int, data: bytes) -> bytes:
        """A read was short: at the end of the file, or past what one call gives (2 GiB)."""
        pieces = []
        while data:
            pieces.append(data)
            offset += len(data)
            length -= len(data)
            data = os.pread(self._descriptor, length, offset) if length else b""
        return b"".join(pieces)

    def write(self, offset: int, pieces: list[bytes]) -> None:
        try:
            for start in range(0, len(pieces), MAX_BUFFERS):
                offset = self._write_some(offset, pieces[start : start + MAX_BUFFERS])
        except OSError as error:
            error.filename = self._path
            raise

    def _write_some(self, offset: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Write at most MAX_BUFFERS pieces; returns the offset after them."""
        end = offset + sum(map(len, pieces))
        while offset < end:
            if len(pieces) == 1:
                done = os.pwrite(self._descriptor, pieces[0], offset)
            else:
                done = os.pwritev(self._descriptor, pieces, offset)
            if done <= 0:
                raise OSError(errno.EIO, "the system wrote nothing and gave no reason")
            offset += done
            if offset < end:
                pieces = _without(pieces, done)
        return end

    def allocate(self, size: int) -> None:
        try:
            self._reserve(size)
        except OSError as error:
            error.filename = self._path
            raise

    def _reserve(self, size: int) -> None:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._descriptor, 0, size)
                return
            except OSError as error:
                if error.errno not in _CANNOT_RESERVE:
                    raise
        offset = self.size()
        while offset < size:
            offset = self._write_some(offset, [bytes(min(ZEROS, size - offset))])

    def sync(self) -> None:
        if self._descriptor == CLOSED:  # here Python itself answers, and with a ValueError
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self._path)
        try:
            if hasattr(os, "fdatasync"):
                os.fdatasync(self._descriptor)
            else:
                os.fsync(self._descriptor)
        except OSError as error:
            error.filename = self._path
            raise

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, CLOSED
        if descriptor != CLOSED:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()  # whoever drops the last table of an old version need not know it


class PosixDisk(Disk):
    """A directory.

    create makes it, and its parents, where it is missing. read_only changes nothing but LOCK: no
    directory is made, and changes raise OSError (EROFS). Raises OpenError where the path is no
    directory, or not one that may be used so.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, create: bool = True, read_only: bool = False
    ) -> None:
        self.path = os.path.abspath(path)
        self._read_only = read_only
        self._directory = CLOSED
        self._lock: DirectoryLock | None = None
        if create and not read_only:
            _make_directory(self.path)
        self._directory = _open_directory(self.path)
        if not read_only and not os.access(self.path, os.W_OK | os.X_OK, effective_ids=True):
            self.close()
            raise OpenError(f"cannot write to {self.path}: {_why_not_writable(self.path)}")

    def names(self) -> list[str]:
        return sorted(name for name, plain in self._entries() if plain and name != LOCK_NAME)

    def others(self) -> list[str]:
        return sorted(name for name, plain in self._entries() if not plain)

    def _entries(self) -> list[tuple[str, bool]]:
        """(name, whether it is a plain file)"""
        # A descriptor of its own: a scan moves the position that all users of one share.
        directory = os.open(".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            with os.scandir(directory) as entries:
                return [(entry.name, entry.is_file(follow_symlinks=False)) for entry in entries]
        finally:
            os.close(directory)

    def create(self, name: str) -> File:
        self._check_change(name)
        return self._open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def open(self, name: str, *, writable: bool = False) -> File:
        if writable:
            self._check_change(name)
        check_name(name)
        return self._open(name, os.O_RDWR if writable else os.O_RDONLY)

    def _open(self, name: str, flags: int) -> File:
        try:
            descriptor = os.open(name, flags | os.O_CLOEXEC, 0o666, dir_fd=self._directory)
        except OSError as error:
            error.filename = os.path.join(self.path, name)
            raise
        return PosixFile(descriptor, self.path, name)

    def rename(self, old: str, new: str) -> None:
        self._check_change(old)
        check_name(new)
        directory = self._directory
        try:
            os.replace(old, new, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            error.filename = os.path.join(self.path, old)
            raise

    def remove(self, name: str) -> None:
        self._check_change(name)
        try:
            os.unlink(name, dir_fd=self._directory)
        except OSError as error:
            error.filename = os.path.join(self.path, name)
            raise

    def link(self, name: str, other: Disk) -> None:
        check_name(name)
        path = os.path.join(self.path, name)
        if not isinstance(other, PosixDisk):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
        other._check_change(name)
        try:
            if not stat.S_ISREG(os.lstat(name, dir_fd=self._directory).st_mode):
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            os.link(name, name, src_dir_fd=self._directory, dst_dir_fd=other._directory)
        except OSError as error:
            error.filename, error.filename2 = path, None
            raise

    def sync_names(self) -> None:
        if self._directory == CLOSED:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self.path)
        try:
            _sync_directory(self._directory)
        except OSError as error:
            error.filename = self.path
            raise

    def lock(self, *, shared: bool = False) -> None:
        """Like Disk.lock; a reader goes without where there is no LOCK and none can be made."""
        if self._lock is not None:
            raise LockedError(f"{self.path} is already open in this process")
        self._lock = acquire(self._directory, self.path, shared=shared, read_only=self._read_only)

    def close(self) -> None:
        """Release the lock and let go of the directory; other calls then raise OSError."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
        directory, self._directory = self._directory, CLOSED
        if directory != CLOSED:
            os.close(directory)

    def __del__(self) -> None:
        self.close()  # a disk that is dropped unclosed must not stay locked as long as we run

    def _check_change(self, name: str) -> None:
        check_name(name)
        if self._read_only:
            path = os.path.join(self.path, name)
            raise OSError(errno.EROFS, "the directory was opened read-only", path)


def _without(pieces: Sequence[bytes | memoryview], done: int) -> Sequence[bytes | memoryview]:
    """The pieces that remain once done bytes of them are written."""
    first = 0
    while done >= len(pieces[first]):
        done -= len(pieces[first])
        first += 1
    return [memoryview(pieces[first])[done:], *pieces[first + 1 :]]


def _make_directory(path: str) -> None:
    """Make the directory and its missing parents, durably."""
    parent = os.path.dirname(path)
    if not os.path.isdir(path):
        if not os.path.isdir(parent):
            _make_directory(parent)
        try:
            os.mkdir(path)
        except FileExistsError:
            pass  # another opener was faster; where it is a file, opening it will tell
        except OSError as error:
            raise OpenError(f"cannot create {path}: {error.strerror}") from error
    # Also where it was there: whoever made it may have died before its name was durable.
    try:
        directory = os.open(parent, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # a parent that may be entered and not listed, which is its owner's choice
    try:
        _sync_directory(directory)
    except OSError as error:
        raise OpenError(f"cannot sync {parent}: {error.strerror}") from error
    finally:
        os.close(directory)


def _open_directory(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise OpenError(f"{path} does not exist") from None
    except OSError as error:
        if os.path.exists(path) and not os.path.isdir(path):
            raise OpenError(f"{path} is a file, not a directory") from None
        raise OpenError(f"cannot open {path}: {error.strerror}") from error


def _sync_directory(directory: int) -> None:
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno != errno.EINVAL:  # the file system has no such sync
            raise


def _why_not_writable(path: str) -> str:
    read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    return os.strerror(errno.EROFS if read_only else errno.EACCES)
