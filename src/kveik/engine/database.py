"""The embedded database: what a program holds in its hands.

Called by the public face; `Shared` has the lock and the rules of durability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from kveik.disk.api import Disk
from kveik.engine.batch import Batch
from kveik.engine.checkpoint import write_checkpoint
from kveik.engine.frozen import FrozenDatabase
from kveik.engine.optimistic import OptimisticTransaction
from kveik.engine.reading import MISSING, Reader
from kveik.engine.shared import Shared
from kveik.engine.snapshot import Snapshot
from kveik.engine.statistics import statistics
from kveik.engine.transaction import PREFIXES, Transaction
from kveik.errors import LimitError
from kveik.format.keys import encode_bound, encode_key
from kveik.format.values import decode_value, encode_value
from kveik.limits import MAX_TTL, MAX_VALUE
from kveik.model import BYTES, Cell, Writes
from kveik.native import i64, mypyc_attr

ANY: Final = object()  # in place of a value that is not asked for
PREFIX: Final = PREFIXES[0]


@mypyc_attr(allow_interpreted_subclasses=True)
class Database(Reader):
    """An open database: a mutable mapping that is on the disk, in key order.

    Safe for several threads. Close it, or use it as a context manager. Keys are bytes, str, int,
    float, bool, None or tuples of them; values are bytes, str or what JSON can say, and come back
    with the type they went in with.
    """

    def __init__(self, shared: Shared, open_disk: Callable[[str], Disk]) -> None:
        """open_disk opens the directory that a checkpoint is written to."""
        super().__init__(shared)
        self._open_disk = open_disk

    def _begin(self) -> Transaction:
        return self._shared.begin()

    def _keep(self) -> Snapshot | None:
        return self._shared.snapshot()

    # --- writes ---------------------------------------------------------------------------------

    def put(
        self,
        key: object,
        value: object,
        *,
        ttl: float | None = None,
        if_equal: object = ANY,
        if_absent: bool = False,
    ) -> bool:
        """Write a value; with ttl it expires after so many seconds.

        if_equal: only where the key's value equals this one; if_absent: only where it has none.
        Whether it was written. LimitError past the bounds, TypeError for what JSON cannot say.
        """
        if type(value) is bytes and len(value) <= MAX_VALUE:
            cell = Cell(BYTES, value)
        else:
            kind, data = encode_value(value)
            cell = Cell(kind, data)
        if ttl is not None:
            cell = Cell(cell.kind, cell.data, self._expiry(ttl))
        stored = encode_key(key)
        writes = Writes()
        writes.put(PREFIX + stored, cell)
        shared = self._shared
        shared.enter()
        try:
            asked = if_absent or if_equal is not ANY
            if asked and not self._matches(stored, if_equal, if_absent):
                return False
            shared.commit(writes)
        finally:
            shared.leave()
        return True

    def _expiry(self, ttl: float) -> i64:
        if not 0 < ttl <= MAX_TTL:
            raise LimitError(f"a ttl is more than 0 and at most {MAX_TTL} seconds")
        return self._shared.store.now() + int(ttl * 1000)

    def _matches(self, stored: bytes, if_equal: object, if_absent: bool) -> bool:
        """Whether a key is as it should be; called with the lock held."""
        if if_absent and if_equal is not ANY:
            raise LimitError("a value cannot be absent and equal to something")
        cell = self._look(stored)
        if cell is None:
            matches = if_absent
        else:
            matches = not if_absent and decode_value(cell.kind, cell.data) == if_equal
        if not matches:
            self._await_seen()
        return matches

    def delete(self, key: object) -> bool:
        """Delete a key; whether it had a value."""
        stored = encode_key(key)
        shared = self._shared
        shared.enter()
        try:
            if self._look(stored) is None:
                self._await_seen()
                return False
            writes = Writes()
            writes.delete(PREFIX + stored)
            shared.commit(writes)
        finally:
            shared.leave()
        return True

    def delete_range(self, start: object = None, end: object = None) -> None:
        """Delete every key from start (included) to end (excluded); None is no bound."""
        low = PREFIX + (b"" if start is None else encode_bound(start))
        high = PREFIXES[1] if end is None else PREFIX + encode_bound(end)
        if low < high:
            writes = Writes()
            writes.clear(low, high)
            self._commit(writes)

    def put_many(self, items: Mapping[Any, Any] | Iterable[tuple[object, object]]) -> None:
        """Write several values, all or none: a mapping, or pairs of key and value."""
        batch = Batch()
        pairs = items.items() if isinstance(items, Mapping) else items
        for key, value in pairs:
            batch.put(key, value)
        self.write(batch)

    def write(self, batch: Batch) -> None:
        """Do all of a batch, or, if it raises, none of it. The batch is empty afterwards."""
        if batch.writes.count > 0:
            self._commit(batch.writes)
            batch.writes = Writes()

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """A batch that is written at the end of the with block, unless that raises."""
        batch = Batch()
        yield batch
        self.write(batch)

    def _commit(self, writes: Writes) -> None:
        shared = self._shared
        shared.enter()
        try:
            shared.commit(writes)
        finally:
            shared.leave()

    # --- a mutable mapping ----------------------------------------------------------------------

    def __setitem__(self, key: object, value: object) -> None:
        self.put(key, value)

    def __delitem__(self, key: object) -> None:
        if not self.delete(key):
            raise KeyError(key)

    def pop(self, key: object, default: object = MISSING) -> object:
        """Delete a key and return its value; KeyError, or default, where it has none."""
        stored = encode_key(key)
        shared = self._shared
        shared.enter()
        try:
            cell = self._look(stored)
            if cell is None:
                self._await_seen()
            else:
                writes = Writes()
                writes.delete(PREFIX + stored)
                shared.commit(writes)
        finally:
            shared.leave()
        if cell is not None:
            return decode_value(cell.kind, cell.data)
        if default is MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[object, object]:
        """Delete the last key and return it with its value; KeyError if there is none."""
        while True:
            for key, _ in self.range(reverse=True, limit=1):
                value = self.pop(key, MISSING)
                if value is not MISSING:
                    return key, value
                break  # somebody else was faster
            else:
                raise KeyError("the database is empty")

    def setdefault(self, key: object, default: object = None) -> object:
        """The value of a key; where it has none, default, which it has from then on."""
        while True:
            value = self.get(key, MISSING)
            if value is not MISSING:
                return value
            if self.put(key, default, if_absent=True):
                return default

    def update(self, items: Mapping[Any, Any] | Iterable[tuple[object, object]] = ()) -> None:
        """As put_many."""
        self.put_many(items)

    def clear(self) -> None:
        """Delete every key."""
        self.delete_range()

    # --- more than one step ---------------------------------------------------------------------

    def snapshot(self) -> FrozenDatabase:
        """What is there now, whatever is written later: for `with`, and for as long as needed."""
        shared = self._shared
        shared.enter()
        try:
            return FrozenDatabase(shared, shared.snapshot())
        finally:
            shared.leave()

    @contextmanager
    def transaction(self) -> Iterator[OptimisticTransaction]:
        """Reads and writes that happen together at the end of the with block.

        Conflict: what it had read has been changed meanwhile, and nothing was written; do it again.
        """
        snapshot = self.snapshot()
        try:
            txn = OptimisticTransaction(snapshot)
            yield txn
            txn.commit()
        finally:
            snapshot.close()

    # --- upkeep ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return once everything written so far is in tables."""
        shared = self._shared
        shared.enter()
        try:
            shared.tables_made()
        finally:
            shared.leave()

    def compact(self, start: object = None, end: object = None) -> None:
        """Return once the tables from start to end are merged: what is deleted leaves the disk."""
        low = PREFIX + (b"" if start is None else encode_bound(start))
        high = PREFIXES[1] if end is None else PREFIX + encode_bound(end)
        shared = self._shared
        shared.enter()
        try:
            shared.tables_made()
            shared.compacted(low, high)
        finally:
            shared.leave()

    def checkpoint(self, path: str) -> None:
        """Write a copy of what is there now, that can be opened, to a directory that is not there.

        It costs little room, as the tables are shared by hard links: on the same file system.
        """
        shared = self._shared
        shared.enter()
        try:
            shared.tables_made()
            snapshot = shared.snapshot()
            flushed = shared.store.flushed
        finally:
            shared.leave()
        try:
            write_checkpoint(snapshot, flushed, shared.store.disk, self._open_disk(path))
        finally:
            snapshot.let_go()

    def stats(self) -> dict[str, object]:
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
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
