"""A history of commits on a disk that fails, with what may be there after each failure."""

from __future__ import annotations

from tests.engine.support.stores import (
    Contents,
    Op,
    Spawn,
    after,
    commit,
    contents,
    flush,
    put,
    reopen,
    save,
)

from kveik.disk.api import Disk
from kveik.disk.memory import MemoryDisk
from kveik.engine.store import Store
from kveik.errors import StorageError


class History:
    """A store, and beside it the contents after each commit and the last one acknowledged.

    A refused commit or a failed write is remembered in `errors` and the history goes on.
    """

    def __init__(self, disk: Disk, spawn: Spawn | None = None) -> None:
        self._disk = disk
        self._spawn = spawn
        self.states: list[Contents] = [{}]  # by LSN
        self.acknowledged = 0
        self.errors: list[Exception] = []
        self.store: Store | None = None

    def open(self) -> None:
        """Open, once more if the disk fails; what is then there is what counts from now on."""
        try:
            self.store = reopen(self._disk, spawn=self._spawn)
        except (OSError, StorageError) as error:
            self.errors.append(error)
            self.store = reopen(self._disk, spawn=self._spawn)
        found = check_prefix(self, self.store)
        self.states = self.states[: found + 1]
        self.acknowledged = found

    def commit(self, *ops: Op) -> None:
        assert self.store is not None
        try:
            commit(self.store, *ops)
        except StorageError as error:
            self.errors.append(error)
        else:
            self.states.append(after(self.states[-1], ops))
        assert contents(self.store) == self.states[-1]

    def flush(self, *, sync: bool = True) -> None:
        assert self.store is not None
        try:
            flush(self.store, sync=sync)
        except OSError as error:
            self.errors.append(error)
        self.acknowledged = max(self.acknowledged, self.store.synced())

    def save(self, *ops: Op) -> None:
        self.commit(*ops)
        self.flush()

    def close(self) -> None:
        assert self.store is not None
        failed = bool(self.store.failure)
        try:
            self.store.close()
        except OSError as error:
            self.errors.append(error)
        else:
            if not failed:
                self.acknowledged = len(self.states) - 1


def check_prefix(history: History, store: Store) -> int:
    """The store holds what some commit left, and none that was acknowledged came after it."""
    found = store.lsn()
    assert history.acknowledged <= found < len(history.states)
    assert contents(store) == history.states[found]
    return found


def check_survival(history: History, disk: MemoryDisk) -> None:
    """What a crash left opens, holds a prefix, takes more writes, and these survive a crash too."""
    store = reopen(disk)
    found = check_prefix(history, store)
    save(store, put(b"after", b"the crash"))
    commit(store, put(b"never", b"acknowledged"))
    expected = {**history.states[found], b"after": b"the crash"}
    store = reopen(disk.crash())
    assert contents(store) == expected
    store.close()
