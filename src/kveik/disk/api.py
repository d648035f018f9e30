"""What a disk is: one flat directory of files, and when what is written to it is safe.

Job: the two interfaces that the engine is handed. Invariants: a write is safe once a later
File.sync has returned, a name once a later Disk.sync_names has; neither implies the other. Sizes,
offsets and lengths are bytes. Every failure of the medium is an OSError that names the file;
translating it is the caller's work. Who may call: the engine, and whoever hands it a disk.

Threads: calls may run at the same time on different threads, also on one file. close() may not
run at the same time as another call on the same object.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

LOCK_NAME: Final = "LOCK"  # belongs to the disk itself, and is no file of the caller's


def check_name(name: str) -> None:
    """Raise ValueError unless this is the name of a plain file that callers may have."""
    if name in {"", ".", "..", LOCK_NAME} or "/" in name or "\0" in name:
        raise ValueError(f"not a file name: {name!r}")


class File(ABC):
    """One open file.

    name is the one it was opened under and stays the same when the file is renamed. After close(),
    and for a change through a file that was opened without writable, calls raise OSError (EBADF).
    """

    name: str

    @abstractmethod
    def size(self) -> int:
        """Bytes from the start to the end of the file, what is not yet synced included."""

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes:
        """The bytes from offset on; fewer than length only where the file ends."""

    def read_now(self, offset: int, length: int) -> bytes | None:
        """All of these bytes, or None where that would wait for the medium or nobody can tell.

        None also where the file ends before.
        """
        return None

    @abstractmethod
    def write(self, offset: int, pieces: list[bytes]) -> None:
        """Write the pieces one after the other, all of them, or raise OSError.

        After an error any part of the range may hold any part of the pieces. A gap between the
        end of the file and offset reads as zeros.
        """

    @abstractmethod
    def allocate(self, size: int) -> None:
        """Reserve room up to size, so that later writes inside it cannot run out of it.

        The file becomes at least that large and never smaller; what is new reads as zeros. After
        an error the file may have grown part of the way. Durable after sync().
        """

    @abstractmethod
    def sync(self) -> None:
        """Everything written or allocated before the call is on the medium when it returns.

        That includes the size, but not the name. After an error nothing is known about what was
        not yet synced, and another sync() does not make it safe.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file. Syncs nothing; a second call does nothing."""


class Disk(ABC):
    """One flat directory of files.

    Every method that takes a name raises ValueError for one that is no plain file name, or that
    is LOCK. path is for messages.
    """

    path: str

    @abstractmethod
    def names(self) -> list[str]:
        """The plain files, sorted; never the lock file."""

    def others(self) -> list[str]:
        """What is in the directory and is no plain file, sorted."""
        return []

    @abstractmethod
    def create(self, name: str) -> File:
        """A new, empty file, open for reading and writing. FileExistsError if there is one."""

    @abstractmethod
    def open(self, name: str, *, writable: bool = False) -> File:
        """An existing file. FileNotFoundError if there is none."""

    @abstractmethod
    def rename(self, old: str, new: str) -> None:
        """Give a file another name, atomically replacing the file that had it.

        FileNotFoundError if there is no old. Open files stay open.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Take a name away. FileNotFoundError if there is none. Open files stay open."""

    @abstractmethod
    def link(self, name: str, other: Disk) -> None:
        """Give a file the same name in another disk's directory too: one content, two names.

        OSError where the system cannot (another file system, another kind of disk) and where the
        other directory has the name. Durable after sync() of the file and sync_names() there.
        """

    @abstractmethod
    def sync_names(self) -> None:
        """Every creation, rename and removal before the call is durable when it returns."""

    @abstractmethod
    def lock(self, *, shared: bool = False) -> None:
        """Claim the directory until close(), alone or together with other shared holders.

        Never waits: LockedError, naming the holder where it is known. One object locks once.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the lock. Files stay open; a second call does nothing."""
