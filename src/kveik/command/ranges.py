"""KV.RANGE: the entries between two keys, in Redis' notation for lexicographic ranges.

`[a` includes a, `(a` excludes it, `-` and `+` are the ends. Called through the registry.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, TOO_MUCH, integer
from kveik.command.command import Command, on_data
from kveik.engine.scan import Rows
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_REPLY, RANGE_LIMIT
from kveik.native import i64

NOT_A_RANGE = "ERR min or max not valid string range item"


def kv_range(txn: Transaction, args: list[bytes]) -> object:
    """KV.RANGE min max [REV] [LIMIT offset count] [KEYSONLY]; with REV the maximum comes first.

    A flat list: key, value, key, value. At most 1,000 entries where no LIMIT says otherwise.
    """
    options = RangeOptions(args)
    low, high = (args[2], args[1]) if options.reverse else (args[1], args[2])
    start, stop = bounds(low, high)
    if start is None:
        return []
    most = options.offset + options.count if options.count >= 0 else -1
    rows = txn.scan(start, stop, options.reverse, most)
    return _flat(rows, options)


def _flat(rows: Rows, options: RangeOptions) -> list[bytes]:
    flat: list[bytes] = []
    size: i64 = 0
    at = options.offset
    while at < len(rows.keys):
        key = rows.keys[at]
        flat.append(key)
        size += len(key)
        if not options.keys_only:
            data = rows.data(at)
            flat.append(data)
            size += len(data)
        if size > MAX_REPLY:
            raise CommandError(TOO_MUCH)
        at += 1
    return flat


class RangeOptions:
    """What stands behind the two ends; CommandError as Redis words it."""

    def __init__(self, args: list[bytes]) -> None:
        self.reverse = False
        self.keys_only = False
        self.offset: i64 = 0
        self.count: i64 = RANGE_LIMIT
        at = 3
        while at < len(args):
            word = args[at].upper()
            if word == b"REV":
                self.reverse = True
            elif word == b"KEYSONLY":
                self.keys_only = True
            elif word == b"LIMIT" and at + 2 < len(args):
                self.offset = integer(args[at + 1])
                self.count = integer(args[at + 2])
                at += 2
            else:
                raise CommandError(SYNTAX)
            at += 1
        if self.offset < 0:
            raise CommandError("ERR a LIMIT's offset is 0 or more")


def bounds(low: bytes, high: bytes) -> tuple[bytes | None, bytes | None]:
    """(start included, stop excluded); stop None is the end, start None an empty range."""
    start = _edge(low)
    stop = _edge(high)
    if low == b"+" or high == b"-":
        return None, None
    begin = b"" if start is None else start + b"\x00" if low[:1] == b"(" else start
    end = None if stop is None else stop + b"\x00" if high[:1] == b"[" else stop
    return begin, end


def _edge(text: bytes) -> bytes | None:
    """The key an end names; None for `-` and `+`."""
    if text in (b"-", b"+"):
        return None
    if text[:1] not in (b"[", b"("):
        raise CommandError(NOT_A_RANGE)
    return text[1:]


COMMANDS: Final[list[Command]] = [
    on_data(
        kv_range,
        "KV.RANGE",
        -3,
        "readonly",
        "generic",
        "Returns the entries between two keys, in order.",
        since="0.1.0",
    ),
]
