"""The tables' open files, a bounded number of them.

Invariants: who got a file may use it for as long as it likes: a file that is let go of is closed
when its last user drops it. Called by tables, on any thread.
"""

from __future__ import annotations

from threading import Lock

from kveik.disk.api import Disk, File
from kveik.limits import MAX_OPEN_TABLES


class TableFiles:
    def __init__(self, disk: Disk, bound: int = MAX_OPEN_TABLES) -> None:
        self._disk = disk
        self._bound = bound
        self._files: dict[str, File] = {}  # the longest unused first
        self._mutex = Lock()

    def opened(self, name: str) -> File | None:
        """The file, if it is open."""
        with self._mutex:
            file = self._files.pop(name, None)
            if file is not None:
                self._files[name] = file
            return file

    def get(self, name: str) -> File:
        """The file, opened if need be. OSError if that fails."""
        file = self.opened(name)
        if file is None:
            file = self._disk.open(name)
            with self._mutex:
                self._files[name] = file
                while len(self._files) > self._bound:
                    del self._files[next(iter(self._files))]
        return file

    def drop(self, name: str) -> None:
        """Let go of a file."""
        with self._mutex:
            self._files.pop(name, None)

    def close(self) -> None:
        """Let go of all files."""
        with self._mutex:
            self._files.clear()
