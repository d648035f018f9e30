"""A long range, asked for page by page. Shared by the iterators of Client and AsyncClient.

Invariants: a page has a bounded number of entries and bytes, so a million rows cost no more memory
than a thousand; the next one begins behind the last key, so each entry is given once, however much
is written meanwhile. Each page shows its own instant.
"""

from __future__ import annotations

from typing import Any, Final

from kveik.client.calls import Call, Command, ends, value_of
from kveik.errors import LimitError
from kveik.format.keys import decode_key, is_plain
from kveik.limits import PAGE_BYTES, PAGE_ROWS

FIELDS: Final = 3  # of an entry in a page with values: key, type, value


class Pages:
    """low: included; high: excluded, None for no end; keys_only: entries are keys, not pairs."""

    def __init__(
        self, low: bytes, high: bytes | None, reverse: bool, limit: int | None, keys_only: bool
    ) -> None:
        if limit is not None and limit < 0:
            raise LimitError("a limit is 0 or more")
        self._low, self._high = ends(low, high)
        self._reverse = reverse
        self._left = limit
        self._keys_only = keys_only
        self.done = limit == 0 or (high is not None and low >= high)

    def call(self) -> Call:
        """The next page's; what it gives is the list of its entries."""
        words: list[str | bytes | int] = ["KV.RANGE"]
        words += (self._high, self._low, "REV") if self._reverse else (self._low, self._high)
        words += ("LIMIT", 0, self._count(), "BYTES", PAGE_BYTES)
        words.append("KEYSONLY" if self._keys_only else "TYPES")
        command: Command = tuple(words)
        return Call([command], lambda replies: self._read(replies[0]))

    def _count(self) -> int:
        return PAGE_ROWS if self._left is None else min(self._left, PAGE_ROWS)

    def _read(self, flat: list[Any]) -> list[Any]:
        keys: list[bytes] = flat if self._keys_only else flat[::FIELDS]
        size = sum(map(len, keys))
        if not self._keys_only:
            size += sum(map(len, flat[2::FIELDS]))
        self.done = len(keys) < self._count() and size < PAGE_BYTES
        if self._left is not None:
            self._left -= len(keys)
            self.done = self.done or self._left == 0
        if keys and self._reverse:
            self._high = b"(" + keys[-1]
        elif keys:
            self._low = b"(" + keys[-1]
        shown = [key if is_plain(key) else decode_key(key) for key in keys]
        if self._keys_only:
            return shown
        values = map(value_of, flat[1::FIELDS], flat[2::FIELDS])
        return list(zip(shown, values, strict=True))
