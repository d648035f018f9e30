"""The keys and values of every bench: 16 B and 100 B, as db_bench has them.

Keys that exist are the even numbers in 16 digits, so that a key that is missing lies between two
that are there. Values are random bytes: nobody gains by compressing them.
"""

from __future__ import annotations

import random

KEY_BYTES = 16
VALUE_BYTES = 100
ENTRY_BYTES = KEY_BYTES + VALUE_BYTES
_NOISE = random.Random(7).randbytes(VALUE_BYTES * 4096)
_POOL = [_NOISE[at : at + VALUE_BYTES] for at in range(0, len(_NOISE), VALUE_BYTES)]


def key_of(number: int) -> bytes:
    """The key of the entry `number`, 0 being the smallest."""
    return b"%016d" % (2 * number)


def missing_key(number: int) -> bytes:
    """A key that never exists, just behind key_of(number)."""
    return b"%016d" % (2 * number + 1)


def value_of(number: int) -> bytes:
    return _POOL[number % len(_POOL)]
