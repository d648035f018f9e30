"""What flows through every layer: cells, batches of writes, ranges, replies.

Invariants: a Cell's kind, data and expiry never change once it is in a memtable; its LSN is set
once, when it is committed. Imports nothing of ours but the limits; anybody may import it.
"""

from __future__ import annotations

from typing import Final

from kveik.native import i64, mypyc_attr

# Content types of a stored value. Never change a number: they are in the log and in tables.
DELETED: Final = 0  # a tombstone; no data
BYTES: Final = 1
TEXT: Final = 2  # UTF-8
JSON: Final = 3  # UTF-8 text of one JSON value
PICKLE: Final = 4  # opaque to the server; only a client that asks for it loads it
CLEARED: Final = 15  # a range tombstone: the key is its start, the data its end (excluded)

KINDS: Final = frozenset((DELETED, BYTES, TEXT, JSON, PICKLE, CLEARED))

KEPT_PLACES: Final = 8  # of a used Writes; what they refer to lives until they are used again

COMPRESSIONS: Final = ("none", "auto", "zlib", "zstd")
DURABILITIES: Final = ("always", "interval", "none")


@mypyc_attr(acyclic=True)
class Cell:
    """One version of one key: a value, or the mark that there is none.

    kind: a content type, above. data: the value's bytes. expires: Unix milliseconds, 0 for never.
    lsn: the commit that wrote it, 0 before it is committed.
    """

    __slots__ = ("data", "expires", "kind", "lsn")

    def __init__(self, kind: i64, data: bytes, expires: i64 = 0, lsn: i64 = 0) -> None:
        self.kind = kind
        self.data = data
        self.expires = expires
        self.lsn = lsn


class Writes:
    """Puts and deletes that are applied and logged together, in their order.

    Two lists side by side, of which the first `count` places are in use: the stored key (with its
    database byte) and its cell. The places are used again, as most transactions write once.
    """

    __slots__ = ("cells", "clearing", "count", "keys")

    def __init__(self) -> None:
        self.clearing = False  # there is a range tombstone
        self.keys: list[bytes] = []
        self.cells: list[Cell] = []
        self.count: i64 = 0

    def put(self, key: bytes, cell: Cell) -> None:
        count = self.count
        if count < len(self.keys):
            self.keys[count] = key
            self.cells[count] = cell
        else:
            self.keys.append(key)
            self.cells.append(cell)
        self.count = count + 1

    def delete(self, key: bytes) -> None:
        self.put(key, Cell(DELETED, b""))

    def clear(self, start: bytes, stop: bytes) -> None:
        """Delete every key from start (included) to stop (excluded)."""
        self.clearing = True
        self.put(start, Cell(CLEARED, stop))

    def reset(self) -> None:
        """Forget everything; a few places are kept for the next time."""
        self.clearing = False
        self.count = 0
        if len(self.keys) > KEPT_PLACES:
            self.keys = []
            self.cells = []


class Simple:
    """A reply that is a word of the protocol (OK, PONG) and not data."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


class Failure:
    """An error as a reply: the text starts with its code, as in Redis ("ERR ...")."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Verbatim:
    """Text made for people (INFO): a verbatim string in RESP3, bytes elsewhere."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Replies:
    """Several replies to one request (SUBSCRIBE to several channels)."""

    __slots__ = ("items",)

    def __init__(self, items: list[object]) -> None:
        self.items = items


class Push:
    """What a client is told unasked. need: the commit that must be safe before it may leave.

    It may be meant for many: the wire keeps its bytes in `encoded`, by RESP's version.
    """

    __slots__ = ("encoded", "items", "need", "size")

    def __init__(self, items: list[object] | Simple, size: i64, need: i64 = 0) -> None:
        """items: or a line of text (MONITOR); size: about the bytes of the items."""
        self.items = items
        self.size = size
        self.need = need
        self.encoded: dict[int, bytes] = {}


class Pages:
    """A long array as a reply, in parts, so that it is put into bytes little by little.

    count: of the items in all parts. pairs: they are key, value, ...; one object in JSON.
    """

    __slots__ = ("count", "pairs", "parts", "size")

    def __init__(self, pairs: bool = False) -> None:
        self.count: i64 = 0
        self.pairs = pairs
        # Tuples: the collector of cycles looks at one once, and at a list again and again.
        self.parts: list[tuple[object, ...]] = []
        self.size: i64 = 0  # about the bytes that it takes

    def add(self, part: list[object], size: i64) -> None:
        """Add a part; size: about the bytes that it takes."""
        self.parts.append(tuple(part))
        self.count += len(part)
        self.size += size


class NullArray:
    """Nothing, where something else would have been an array (EXEC)."""


class NoReply:
    """In a reply's place where the protocol says that there is none (SHUTDOWN)."""


OK: Final = Simple(b"OK")
QUEUED: Final = Simple(b"QUEUED")
NULL_ARRAY: Final = NullArray()
NO_REPLY: Final = NoReply()

# None | bytes | int | float | bool | list | dict | Cell
# | Simple | Failure | Verbatim | Push | Pages | Replies | NullArray | NoReply
Reply = object
