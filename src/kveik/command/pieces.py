"""Commands on parts of a value: APPEND GETRANGE SETRANGE SUBSTR. Called through the registry.

A value that is changed becomes bytes, of whatever kind it was, and keeps its expiry.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import TOO_LONG, integer
from kveik.command.command import ONE, Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_VALUE
from kveik.model import BYTES


def append(txn: Transaction, args: list[bytes]) -> object:
    cell = txn.get(args[1])
    if cell is None:
        txn.put(args[1], BYTES, args[2])
        txn.tell(b"append", args[1])
        return len(args[2])
    size = len(cell.data) + len(args[2])
    if size > MAX_VALUE:
        raise CommandError(TOO_LONG)
    txn.put(args[1], BYTES, cell.data + args[2], cell.expires)
    txn.tell(b"append", args[1])
    return size


def getrange(txn: Transaction, args: list[bytes]) -> object:
    """GETRANGE key start end; both ends included, negative ones from the end."""
    start = integer(args[2])
    end = integer(args[3])
    data = txn.data(args[1]) or b""
    size = len(data)
    if start < 0 and end < 0 and start > end:
        return b""
    start = max(start + size, 0) if start < 0 else start
    end = max(end + size, 0) if end < 0 else min(end, size - 1)
    return b"" if start > end else data[start : end + 1]


def setrange(txn: Transaction, args: list[bytes]) -> object:
    """SETRANGE key offset value; zeros fill what lies before it."""
    offset = integer(args[2])
    if offset < 0:
        raise CommandError("ERR offset is out of range")
    piece = args[3]
    cell = txn.get(args[1])
    data = b"" if cell is None else cell.data
    if not piece:
        return len(data)
    if offset + len(piece) > MAX_VALUE:
        raise CommandError(TOO_LONG)
    changed = overwritten(data, offset, piece)
    txn.put(args[1], BYTES, changed, 0 if cell is None else cell.expires)
    txn.tell(b"setrange", args[1])
    return len(changed)


def overwritten(data: bytes, offset: int, piece: bytes) -> bytes:
    """The data with a piece at an offset; copied once, as it may be large."""
    if offset >= len(data):
        return b"".join((data, bytes(offset - len(data)), piece))
    view = memoryview(data)
    return b"".join((view[:offset], piece, view[offset + len(piece) :]))


COMMANDS: Final[list[Command]] = [
    on_data(
        append,
        "APPEND",
        3,
        "write denyoom fast",
        "string",
        "Appends to the value of a key.",
        ONE,
        "2.0.0",
    ),
    on_data(
        getrange,
        "GETRANGE",
        4,
        "readonly",
        "string",
        "Returns a part of a value.",
        ONE,
        "2.4.0",
    ),
    on_data(
        setrange,
        "SETRANGE",
        4,
        "write denyoom",
        "string",
        "Overwrites a part of a value.",
        ONE,
        "2.2.0",
    ),
    on_data(
        getrange, "SUBSTR", 4, "readonly", "string", "Returns a part of a value, as GETRANGE.", ONE
    ),
]
