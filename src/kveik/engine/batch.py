"""A batch: puts and deletes that happen together. Made by callers, written by the database."""

from __future__ import annotations

import time
from collections.abc import Callable

from kveik.engine.transaction import PREFIXES
from kveik.errors import LimitError
from kveik.format.keys import encode_bound, encode_key
from kveik.format.values import encode_value
from kveik.limits import MAX_TTL
from kveik.model import Cell, Writes
from kveik.native import i64, mypyc_attr


def expiry(ttl: float | None, now: float) -> i64:
    """When a value expires that is written now (Unix seconds): Unix milliseconds, 0 for never."""
    if ttl is None:
        return 0
    if not 0 < ttl <= MAX_TTL:
        raise LimitError(f"a ttl is more than 0 and at most {MAX_TTL} seconds")
    return int(now * 1000) + int(ttl * 1000)


def key_range(start: object, end: object) -> tuple[bytes, bytes]:
    """Stored keys: from start (included) to end (excluded), where None is no bound."""
    low = PREFIXES[0] + (b"" if start is None else encode_bound(start))
    return low, PREFIXES[1] if end is None else PREFIXES[0] + encode_bound(end)


@mypyc_attr(allow_interpreted_subclasses=True)
class Batch:
    """Puts and deletes that happen together: all or none, whatever crashes.

    It may be filled before it is known to which database it goes. Not for two threads at once.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """clock: Unix seconds, from which a ttl counts."""
        self.writes = Writes()
        self._clock = clock

    def put(self, key: object, value: object, *, ttl: float | None = None) -> None:
        """Add a put; key, value and ttl as for Database.put."""
        expires = expiry(ttl, self._clock()) if ttl is not None else 0
        kind, data = encode_value(value)
        self.writes.put(PREFIXES[0] + encode_key(key), Cell(kind, data, expires))

    def delete(self, key: object) -> None:
        """Add a delete; it need not exist."""
        self.writes.delete(PREFIXES[0] + encode_key(key))

    def delete_range(self, start: object = None, end: object = None) -> None:
        """Add a delete of every key from start (included) to end (excluded); None is no bound."""
        low, high = key_range(start, end)
        if low < high:
            self.writes.clear(low, high)

    def __len__(self) -> int:
        """How many puts and deletes there are."""
        return self.writes.count
