"""Writing: puts, deletes, batches and conditional writes, on top of reading.

Invariant: from the last look at what is there to the commit the lock is not given away. Safe for
several threads. Called by the public face, as a part of the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from kveik.engine.batch import Batch, expiry, key_range
from kveik.engine.reading import MISSING, Reader
from kveik.engine.snapshot import Snapshot
from kveik.engine.transaction import PREFIXES, Transaction
from kveik.engine.view import View
from kveik.format.keys import encode_key
from kveik.format.values import decode_value, encode_value
from kveik.limits import MAX_VALUE
from kveik.model import Cell, Writes
from kveik.native import mypyc_attr

ANY: Final = object()  # in place of a value that is not asked for
PREFIX: Final = PREFIXES[0]


@mypyc_attr(allow_interpreted_subclasses=True)
class Writer(Reader):
    def _begin(self) -> Transaction:
        return self._shared.begin()

    def _view(self) -> View:
        self._shared.check_open()
        return self._shared.store.view

    def _stay(self) -> Snapshot:
        return self._shared.snapshot()

    def check_open(self) -> None:
        self._shared.check_open()

    # --- single keys ----------------------------------------------------------------------------

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
        stored = encode_key(key)
        asked = if_absent or if_equal is not ANY
        if type(value) is bytes and len(value) <= MAX_VALUE and ttl is None and not asked:
            shared = self._shared
            shared.enter()
            try:
                shared.put_plain(PREFIX + stored, value)
            finally:
                shared.leave()
            return True
        kind, data = encode_value(value)
        expires = expiry(ttl, self.clock()) if ttl is not None else 0
        writes = Writes()
        writes.put(PREFIX + stored, Cell(kind, data, expires))
        if asked:
            return self._put_if(stored, writes, if_equal, if_absent)
        self._commit(writes)
        return True

    def _put_if(self, stored: bytes, writes: Writes, if_equal: object, if_absent: bool) -> bool:
        """Commit if the key is as it should be; whether it was."""
        if if_absent and if_equal is not ANY:
            raise TypeError("if_equal and if_absent exclude each other")
        expected: object = None
        if not if_absent:  # as it would come back: a tuple as a list
            kind, data = encode_value(if_equal)
            expected = decode_value(kind, data)
        shared = self._shared
        shared.enter()
        try:
            shared.check_writable()
            cell = self._look(stored)
            if cell is None:
                matches = if_absent
            else:
                matches = not if_absent and decode_value(cell.kind, cell.data) == expected
            if matches:
                shared.commit(writes)
            else:
                self._await_seen()
            return matches
        finally:
            shared.leave()

    def delete(self, key: object) -> bool:
        """Delete a key; whether it had a value."""
        return self._take(encode_key(key)) is not None

    def _take(self, stored: bytes) -> Cell | None:
        """Delete a key; the cell it had."""
        shared = self._shared
        shared.enter()
        try:
            shared.check_writable()
            cell = self._look(stored)
            if cell is None:
                self._await_seen()
            else:
                writes = Writes()
                writes.delete(PREFIX + stored)
                shared.commit(writes)
            return cell
        finally:
            shared.leave()

    # --- several keys ---------------------------------------------------------------------------

    def delete_range(self, start: object = None, end: object = None) -> None:
        """Delete every key from start (included) to end (excluded); None is no bound."""
        low, high = key_range(start, end)
        writes = Writes()
        if low < high:
            writes.clear(low, high)
        self._commit(writes)

    def put_many(self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> None:
        """Write several values, all or none: a mapping, or pairs of key and value."""
        batch = Batch()
        pairs = items.items() if isinstance(items, Mapping) else items
        for key, value in pairs:
            batch.put(key, value)
        self.write(batch)

    def write(self, batch: Batch) -> None:
        """Do all of a batch, or, if it raises, none of it. The batch is empty afterwards."""
        self._commit(batch.writes)
        batch.writes = Writes()

    def batch(self) -> BatchBlock:
        """For `with`: a batch that is written at the end of the block, unless that raises."""
        self.check_open()
        return BatchBlock(self)

    def clock(self) -> float:
        """Unix seconds, by the clock that expiry goes by."""
        return float(self._shared.store.now()) / 1000.0

    def _commit(self, writes: Writes) -> None:
        shared = self._shared
        shared.enter()
        try:
            shared.check_writable()
            if writes.count > 0:
                shared.commit(writes)
        finally:
            shared.leave()

    # --- a mutable mapping ----------------------------------------------------------------------

    def __setitem__(self, key: object, value: object) -> None:
        self.put(key, value)

    def __delitem__(self, key: object) -> None:
        if not self.delete(key):
            raise KeyError(key)

    def pop(self, key: object, default: Any = MISSING) -> Any:
        """Delete a key and return its value; default, or KeyError, where it has none."""
        cell = self._take(encode_key(key))
        if cell is not None:
            return decode_value(cell.kind, cell.data)
        if default is MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[Any, Any]:
        """Delete the last key and return it with its value; KeyError if there is none."""
        while True:
            last = list(self.range(reverse=True, limit=1))
            if not last:
                raise KeyError("the database is empty")
            key = last[0][0]
            value = self.pop(key, MISSING)
            if value is not MISSING:  # else somebody was faster
                return key, value

    def setdefault(self, key: object, default: Any = None) -> Any:
        """The value of a key; where it has none, default, which it has from then on."""
        while True:
            value = self.get(key, MISSING)
            if value is not MISSING:
                return value
            if self.put(key, default, if_absent=True):
                return default

    def update(
        self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), **more: Any
    ) -> None:
        """Write several values, all or none, as dict.update takes them."""
        batch = Batch()
        pairs = items.items() if isinstance(items, Mapping) else items
        for key, value in pairs:
            batch.put(key, value)
        for name, value in more.items():
            batch.put(name, value)
        self.write(batch)

    def __ior__(self, items: Any) -> Writer:
        self.update(items)
        return self

    def clear(self) -> None:
        """Delete every key."""
        self.delete_range()


class BatchBlock(Batch):
    """A batch that is written where a with block ends well."""

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer.clock)
        self._writer = writer

    def __enter__(self) -> BatchBlock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._writer.write(self)
