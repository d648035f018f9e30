"""The lock on a directory: an advisory lock on its file LOCK, which tells the holder's pid.

Job: keep two writers out of one directory. Invariants: the kernel's lock is what counts, and it
ends with the process; the pid is only for messages and is written once the lock is held, so it
may be stale, missing, or from another pid namespace. The file is never removed: between a removal
and a new file two processes could each hold "the" lock. Who may call: posix.py.
"""

from __future__ import annotations

import fcntl
import os
import threading
from typing import Final

from kveik.disk.api import LOCK_NAME
from kveik.errors import LockedError, OpenError

PID_DIGITS: Final = 20  # more than any pid has

# (pid, device, inode) of each lock that this process holds. Two containers may both be pid 1 on
# one volume, so the pid in the file cannot tell; the pid here notices a fork.
_held: list[tuple[int, int, int]] = []
_held_mutex = threading.Lock()


class DirectoryLock:
    """A lock that is held, until release()."""

    def __init__(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self._descriptor = descriptor
        self._entry = (os.getpid(), status.st_dev, status.st_ino)
        with _held_mutex:
            _held.append(self._entry)

    def release(self) -> None:
        """Give the lock back, once."""
        # A child that was forked while the lock was held must not take it from its parent. The
        # parent unlocks and does not only close, because such a child has the descriptor too.
        if self._entry[0] == os.getpid():
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            with _held_mutex:
                _held.remove(self._entry)
        os.close(self._descriptor)


def acquire(directory: int, path: str, *, shared: bool, read_only: bool) -> DirectoryLock | None:
    """Lock the open directory; None where a reader has to do without.

    path is for messages. Raises LockedError, or OpenError where the lock cannot be tried.
    """
    try:
        descriptor = _open_lock(directory, read_only=read_only)
    except OSError as error:
        what = "lock" if read_only else "write to"
        raise OpenError(f"cannot {what} {path}: {error.strerror}") from error
    if descriptor is None:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(descriptor)
        os.close(descriptor)
        raise LockedError(f"{path} is already open in {holder}") from None
    except OSError as error:
        os.close(descriptor)
        raise OpenError(f"cannot lock {path}: {error.strerror}") from error
    lock = DirectoryLock(descriptor)
    _write_pid(descriptor)
    return lock


def _open_lock(directory: int, *, read_only: bool) -> int | None:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(LOCK_NAME, flags, 0o666, dir_fd=directory)
    except OSError:
        if not read_only:
            raise
    try:
        return os.open(LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None  # nobody who can write has been here, so there is nobody to keep out


def _write_pid(descriptor: int) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except OSError:
        pass  # read-only, or the disk is full: the lock holds all the same


def _holder(descriptor: int) -> str:
    """Who holds the lock, in words."""
    status = os.fstat(descriptor)
    with _held_mutex:
        if (os.getpid(), status.st_dev, status.st_ino) in _held:
            return "this process"
    text = os.pread(descriptor, PID_DIGITS, 0)
    if text.isdigit() and int(text) != os.getpid() and _is_running(int(text)):
        return f"process {int(text)}"
    return "another process"


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # somebody else's
    except (OSError, OverflowError):
        return False
    return True
