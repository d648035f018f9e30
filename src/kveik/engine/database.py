"""The embedded database: what a program holds in its hands.

Called by the public face; `Shared` has the lock and the rules of durability.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any

from kveik.disk.api import Disk
from kveik.engine.batch import key_range
from kveik.engine.checkpoint import write_checkpoint
from kveik.engine.frozen import FrozenDatabase
from kveik.engine.optimistic import OptimisticTransaction
from kveik.engine.shared import Shared
from kveik.engine.statistics import statistics
from kveik.engine.writing import Writer
from kveik.native import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Database(Writer):
    """An open database: a mutable mapping that is on the disk, in key order.

    Safe for several threads. Close it, or use it as a context manager. Keys are bytes, str, int,
    float, bool, None or tuples of them; values are bytes, str or what JSON can say, and come back
    with the type they went in with.
    """

    def __init__(self, shared: Shared, open_disk: Callable[[Any], Disk]) -> None:
        """open_disk opens the directory that a checkpoint is written to."""
        super().__init__(shared)
        self._open_disk = open_disk

    # --- more than one step ---------------------------------------------------------------------

    def snapshot(self) -> FrozenDatabase:
        """What is there now, whatever is written later: for `with`, and for as long as needed."""
        shared = self._shared
        shared.enter()
        try:
            return FrozenDatabase(shared, shared.snapshot())
        finally:
            shared.leave()

    def transaction(self) -> OptimisticTransaction:
        """For `with`: reads and writes that happen together at the end of the block.

        Conflict: what it had read has been changed meanwhile, and nothing was written; do it again.
        """
        shared = self._shared
        shared.enter()
        try:
            return OptimisticTransaction(shared, shared.snapshot())
        finally:
            shared.leave()

    # --- upkeep ---------------------------------------------------------------------------------

    def sync(self) -> None:
        """Return once everything written so far is on the disk, whatever the durability."""
        shared = self._shared
        shared.enter()
        try:
            shared.sync()
        finally:
            shared.leave()

    def flush(self) -> None:
        """Return once everything written so far is in tables, and so on the disk."""
        shared = self._shared
        shared.enter()
        try:
            shared.tables_made()
        finally:
            shared.leave()

    def compact(self, start: object = None, end: object = None) -> None:
        """Return once the tables from start to end are merged: what is deleted leaves the disk."""
        low, high = key_range(start, end)
        shared = self._shared
        shared.enter()
        try:
            shared.tables_made()
            if low < high:
                shared.compacted(low, high)
        finally:
            shared.leave()

    def checkpoint(self, path: object) -> None:
        """Write a copy of what is there now, that can be opened, to an empty or missing directory.

        path: str or PathLike. On the same file system it costs little room, as both share the
        tables by hard links; elsewhere they are copied. Writes go on meanwhile. OpenError where
        the directory cannot be used; DiskFullError, StorageError: there is no copy.
        """
        shared = self._shared
        shared.enter()
        try:
            shared.tables_made()
            snapshot = shared.store.tables_only()
        finally:
            shared.leave()
        try:
            write_checkpoint(snapshot, shared.store.disk, self._open_disk(path))
        finally:
            shared.let_go(snapshot)

    def stats(self) -> dict[str, Any]:
        """What the engine holds and has done; docs/embedded.md explains every figure."""
        shared = self._shared
        shared.enter()
        try:
            shared.check_open()
            return statistics(shared.store, shared.upkeep)
        finally:
            shared.leave()

    # --- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Sync what is left and release the directory. Idempotent."""
        self._shared.close()

    def __enter__(self) -> Database:
        self.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        store = self._shared.store
        if self._shared.closing:
            state = "closed"
        elif store.failure:
            state = f"stopped: {store.failure}"
        else:
            state = "open" if store.log is not None else "open read-only"
        return f"<kveik database {store.disk.path!r}, {state}>"


MutableMapping.register(Database)
