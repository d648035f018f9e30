"""Requests of a pipeline are mostly alike: one look tells whether the next has arguments as long.

Called by the decoder of Redis' protocol, where GETs or SETs come together.
"""

from __future__ import annotations

from typing import Final

from kveik.format.block import ALL_BITS
from kveik.format.coding import read_i16_be, read_i64_be
from kveik.native import i64

CRLF: Final = 0x0D0A


class Alike:
    """The GET or SET that was taken last: its key is from `key` to `end`, its value from `value` to
    `stop`; a GET has an empty one, where its key ends.
    """

    __slots__ = (
        "_key_at",
        "_key_line",
        "_key_size",
        "_value_at",
        "_value_line",
        "_value_mask",
        "_value_size",
        "end",
        "key",
        "stop",
        "value",
    )

    def __init__(self) -> None:
        self.key: i64 = 0
        self.end: i64 = 0
        self.value: i64 = 0
        self.stop: i64 = 0
        self._key_at: i64 = 8  # from the request's beginning
        self._key_size: i64 = 0
        self._key_line: i64 = 0  # the eight bytes before it: no request has these
        self._value_at: i64 = 0  # from the key's end
        self._value_size: i64 = 0
        self._value_line: i64 = 0  # what of the eight bytes before it does not belong to the key
        self._value_mask: i64 = 0

    def learn(self, data: bytes, at: i64, key: i64, end: i64, value: i64, stop: i64) -> None:
        """Take the one at `at`, whose places the decoder has found."""
        self.key = key
        self.end = end
        self.value = value
        self.stop = stop
        self._key_at = key - at
        self._key_size = end - key
        self._key_line = read_i64_be(data, key - 8)
        self._value_at = value - end
        self._value_size = stop - value
        self._value_mask = -1
        if self._value_at < 8:  # a small number shifted to the left would have 32 bits in C
            self._value_mask = ALL_BITS >> (62 - 8 * self._value_at)
        self._value_line = read_i64_be(data, value - 8) & self._value_mask

    def fits(self, data: bytes, at: i64) -> bool:
        """Whether the one at `at`, of the same command, has arguments as long; then it is taken."""
        key: i64 = at + self._key_at
        end: i64 = key + self._key_size
        value: i64 = end + self._value_at
        stop: i64 = value + self._value_size
        if stop + 2 > len(data) or read_i64_be(data, key - 8) != self._key_line:
            return False
        if read_i64_be(data, value - 8) & self._value_mask != self._value_line:
            return False
        if i64(read_i16_be(data, end)) != CRLF or i64(read_i16_be(data, stop)) != CRLF:
            return False
        self.key = key
        self.end = end
        self.value = value
        self.stop = stop
        return True
