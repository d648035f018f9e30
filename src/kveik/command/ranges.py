"""KV.RANGE KV.COUNT KV.DELRANGE: what stands between two keys, as Redis writes ranges of them.

`[a` includes a, `(a` excludes it, `-` and `+` are the ends. Called through the registry.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, integer
from kveik.command.command import Command, on_data
from kveik.command.typed import NAMES
from kveik.command.walk import Count, Gather, short
from kveik.engine.scan import Rows
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import RANGE_LIMIT
from kveik.model import OK
from kveik.native import i64

NO_BOUND: Final = 1 << 62  # bytes; nobody has that many
NOT_A_RANGE = "ERR min or max not valid string range item"


def kv_range(txn: Transaction, args: list[bytes]) -> object:
    """KV.RANGE min max [REV] [LIMIT offset count] [BYTES n] [KEYSONLY] [TYPES] [EXPIRES]

    With REV the maximum comes first. A flat list: for each entry its key, with TYPES the type of
    its value, the value, unless KEYSONLY, and with EXPIRES when it expires, 0 for never. At most
    1,000 entries where no LIMIT says otherwise; none behind the one with which the keys and values
    in the reply have n BYTES. The next ones are those behind `(` and the last key.
    """
    options = RangeOptions(args)
    low, high = (args[2], args[1]) if options.reverse else (args[1], args[2])
    start, stop = bounds(low, high)
    if start is None:
        return []
    most = options.offset + options.count if options.count >= 0 else -1
    rows = short(txn, start, stop, options.reverse, most)
    if rows is None:
        return RangeJob(txn, start, stop, options)
    return Items(options).add(rows, options.offset)


class RangeJob(Gather):
    """A long KV.RANGE."""

    def __init__(
        self, txn: Transaction, start: bytes, stop: bytes | None, options: RangeOptions
    ) -> None:
        super().__init__(txn, start, stop, options.reverse)
        self._items = Items(options)
        self._skip = options.offset  # entries to be passed

    def take(self, rows: Rows) -> bool:
        skip: i64 = min(self._skip, len(rows.keys))
        self._skip -= skip
        found = self._items.add(rows, skip)
        self.gather(found, self._items.size)
        return not self._items.full()


class Items:
    """What a KV.RANGE answers. size: bytes of the keys and values that were added last."""

    def __init__(self, options: RangeOptions) -> None:
        self.size: i64 = 0
        self._options = options
        self._left = options.count  # entries, < 0 for all
        self._room = options.bytes

    def full(self) -> bool:
        """Whether there may be no more."""
        return self._left == 0 or self._room <= 0

    def add(self, rows: Rows, at: i64) -> list[object]:
        """The items of rows from `at` on, until it is full."""
        options = self._options
        items: list[object] = []
        size: i64 = 0
        end: i64 = len(rows.keys)
        if self._left >= 0:
            taken: i64 = min(max(end - at, 0), self._left)  # both may be as large as can be
            self._left -= taken
            end = at + taken
        while at < end and size < self._room:
            key = rows.keys[at]
            items.append(key)
            size += len(key)
            if options.typed:
                items.append(NAMES[rows.kind(at)])
            if not options.keys_only:
                data = rows.data(at)
                items.append(data)
                size += len(data)
            if options.expires:
                items.append(int(rows.cell(at).expires))
            at += 1
        self._room -= size
        self.size = size
        return items


def kv_count(txn: Transaction, args: list[bytes]) -> object:
    """KV.COUNT min max"""
    start, stop = bounds(args[1], args[2])
    if start is None:
        return 0
    rows = short(txn, start, stop)
    return Count(txn, start, stop) if rows is None else len(rows.keys)


def kv_delrange(txn: Transaction, args: list[bytes]) -> object:
    """KV.DELRANGE min max [COUNT]: OK, or with COUNT how many entries it has deleted.

    One mark in the log deletes any number of keys, at once and as a whole, and so names none: there
    is no keyspace notification (as of FLUSHDB), KV.WATCH tells the range. To count them takes as
    long as KV.COUNT; they are gone before that begins.
    """
    if len(args) > 4 or (len(args) == 4 and args[3].upper() != b"COUNT"):
        raise CommandError(SYNTAX)
    start, stop = bounds(args[1], args[2])
    counting = len(args) == 4
    if start is None or (stop is not None and start >= stop):
        return 0 if counting else OK
    reply: object = OK
    if counting:
        rows = short(txn, start, stop)
        reply = len(rows.keys) if rows is not None else DeletedCount(txn, start, stop)
    txn.clear_range(start, stop)
    return reply


class DeletedCount(Count):
    """How many entries there were before they were deleted."""

    def failure(self, error: Exception) -> Exception:
        what = f"ERR the range was deleted, but its entries could not be counted: {error}"
        return CommandError(what)


class RangeOptions:
    """What stands behind the two ends; CommandError as Redis words it."""

    def __init__(self, args: list[bytes]) -> None:
        self.reverse = False
        self.keys_only = False
        self.typed = False
        self.expires = False
        self.bytes: i64 = NO_BOUND
        self.offset: i64 = 0
        self.count: i64 = RANGE_LIMIT
        at = 3
        while at < len(args):
            word = args[at].upper()
            if word == b"REV":
                self.reverse = True
            elif word == b"KEYSONLY":
                self.keys_only = True
            elif word == b"TYPES":
                self.typed = True
            elif word == b"EXPIRES":
                self.expires = True
            elif word == b"BYTES" and at + 1 < len(args):
                self.bytes = min(integer(args[at + 1]), NO_BOUND)
                at += 1
            elif word == b"LIMIT" and at + 2 < len(args):
                self.offset = integer(args[at + 1])
                self.count = integer(args[at + 2])
                at += 2
            else:
                raise CommandError(SYNTAX)
            at += 1
        if self.offset < 0:
            raise CommandError("ERR a LIMIT's offset is 0 or more")
        if self.bytes <= 0:
            raise CommandError("ERR BYTES are 1 or more")


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
    on_data(
        kv_count,
        "KV.COUNT",
        3,
        "readonly",
        "generic",
        "Counts the entries between two keys.",
        since="0.1.0",
    ),
    on_data(
        kv_delrange,
        "KV.DELRANGE",
        -3,
        "write",
        "generic",
        "Deletes all entries between two keys at once, and counts them if asked to.",
        since="0.1.0",
    ),
]
