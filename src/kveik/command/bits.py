"""Commands on the bits of a value: SETBIT GETBIT BITCOUNT BITPOS BITOP.

Bit 0 is the highest of the first byte; behind the end all bits are 0. A value that is changed
becomes bytes, of whatever kind it was, and keeps its expiry. Called through the registry.
"""

from __future__ import annotations

import re
from typing import Final

from kveik.command.arguments import SYNTAX, integer
from kveik.command.command import ONE, Command, on_data
from kveik.command.pieces import overwritten
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_COMMIT, MAX_VALUE
from kveik.model import BYTES
from kveik.native import i64

NO_OFFSET: Final = "ERR bit offset is not an integer or out of range"
NO_BIT: Final = "ERR bit is not an integer or out of range"
PIECE: Final = 1 << 16  # bytes that are one integer at a time
_NOT_ZEROS: Final = re.compile(rb"[^\x00]")
_NOT_ONES: Final = re.compile(rb"[^\xff]")


def bit_offset(text: bytes, width: int = 0) -> int:
    """The place of a bit; with a width `#2` is the place behind two fields of it."""
    times = 1
    if width and text[:1] == b"#":
        text = text[1:]
        times = width
    try:
        offset = integer(text) * times
    except CommandError:
        offset = -1
    if not 0 <= offset < 8 * MAX_VALUE:
        raise CommandError(NO_OFFSET)
    return offset


def setbit(txn: Transaction, args: list[bytes]) -> object:
    """SETBIT key offset bit: the old bit."""
    offset = bit_offset(args[2])
    if args[3] not in (b"0", b"1"):
        raise CommandError(NO_BIT)
    cell = txn.get(args[1])
    data = b"" if cell is None else cell.data
    at: i64 = offset >> 3
    mask = 128 >> (offset & 7)
    old = at < len(data) and data[at] & mask != 0
    new = args[3] == b"1"
    if old != new or at >= len(data):
        byte = data[at] if at < len(data) else 0
        byte = byte | mask if new else byte & ~mask
        changed = overwritten(data, at, bytes((byte,)))
        txn.put(args[1], BYTES, changed, 0 if cell is None else cell.expires)
        txn.tell(b"setbit", args[1])
    return int(old)


def getbit(txn: Transaction, args: list[bytes]) -> object:
    offset = bit_offset(args[2])
    data = txn.data(args[1]) or b""
    at: i64 = offset >> 3
    return (data[at] >> (7 - (offset & 7))) & 1 if at < len(data) else 0


# --- ranges of bits -------------------------------------------------------------------------------


def _unit(word: bytes) -> int:
    """How many bits BYTE and BIT are."""
    if word.upper() not in (b"BIT", b"BYTE"):
        raise CommandError(SYNTAX)
    return 1 if word.upper() == b"BIT" else 8


def _range(start: int, end: int, unit: int, size: int) -> tuple[int, int]:
    """The first and the last bit of a range in so many bytes; the last is below it for none.

    Both ends are included, and count from the end where they are negative.
    """
    count = 8 * size // unit
    start = max(start + count, 0) if start < 0 else start
    end = max(end + count, 0) if end < 0 else end
    end = min(end, count - 1)
    return start * unit, end * unit + unit - 1


def bitcount(txn: Transaction, args: list[bytes]) -> object:
    """BITCOUNT key [start end [BYTE | BIT]]"""
    data = txn.data(args[1])
    if data is None:
        return 0
    if len(args) == 2:
        return _count(data, 0, len(data))
    if len(args) not in (4, 5):
        raise CommandError(SYNTAX)
    start = integer(args[2])
    end = integer(args[3])
    if start < 0 and end < 0 and start > end:
        return 0
    first, last = _range(start, end, _unit(args[4]) if len(args) == 5 else 8, len(data))
    if first > last:
        return 0
    low = first >> 3
    high = last >> 3
    before = data[low] & ~(255 >> (first & 7))
    behind = data[high] & (127 >> (last & 7))
    return _count(data, low, high + 1) - before.bit_count() - behind.bit_count()


def _count(data: bytes, low: int, high: int) -> int:
    count = 0
    for at in range(low, high, PIECE):
        count += int.from_bytes(data[at : min(at + PIECE, high)], "big").bit_count()
    return count


def bitpos(txn: Transaction, args: list[bytes]) -> object:
    """BITPOS key bit [start [end [BYTE | BIT]]]: the first such bit, -1 if there is none.

    Without an end the value goes on in zeros.
    """
    bit = integer(args[2])
    if bit not in (0, 1):
        raise CommandError("ERR The bit argument must be 1 or 0.")
    data = txn.data(args[1])
    if data is None:
        return -bit
    if len(args) > 6:
        raise CommandError(SYNTAX)
    start = integer(args[3]) if len(args) > 3 else 0
    unit = _unit(args[5]) if len(args) == 6 else 8
    end = integer(args[4]) if len(args) > 4 else len(data) - 1
    first, last = _range(start, end, unit, len(data))
    if first > last:
        return -1
    found = _first(data, bit, first, last)
    return 8 * len(data) if found < 0 and not bit and len(args) <= 4 else found


def _first(data: bytes, bit: int, first: int, last: int) -> int:
    """The first such bit from first to last (included), -1 if there is none."""
    other = 0 if bit else 255
    wanted = _NOT_ZEROS if bit else _NOT_ONES
    low = first >> 3
    mask = 255 >> (first & 7)  # what does not count of the first byte is made to look other
    head = (data[low] & mask) | (other & ~mask)
    if head == other:
        found = wanted.search(data, low + 1, (last >> 3) + 1)
        if found is None:
            return -1
        low = found.start()
        head = data[low]
    place = 8 * low + 8 - (head ^ other).bit_length()
    return place if place <= last else -1


# --- several values -------------------------------------------------------------------------------


def bitop(txn: Transaction, args: list[bytes]) -> object:
    """BITOP AND|OR|XOR|NOT destination key [key ...]: the length of the result."""
    operation = args[1].upper()
    if operation not in (b"AND", b"OR", b"XOR", b"NOT"):
        raise CommandError(SYNTAX)
    if operation == b"NOT" and len(args) != 4:
        raise CommandError("ERR BITOP NOT must be called with a single source key.")
    result = b""
    size = 0
    for at in range(3, len(args)):
        data = txn.data(args[at]) or b""
        size += len(data)
        if size > MAX_COMMIT:
            raise CommandError(f"ERR the keys of BITOP have at most {MAX_COMMIT} bytes together")
        if operation == b"NOT":
            result = _combined(b"XOR", data, b"\xff" * len(data))
        else:
            result = data if at == 3 else _combined(operation, result, data)
    if result:
        txn.put(args[2], BYTES, result)
        txn.tell(b"set", args[2])
    elif txn.delete(args[2]):
        txn.tell(b"del", args[2])
    return len(result)


def _combined(operation: bytes, one: bytes, other: bytes) -> bytes:
    """Bit by bit; zeros stand behind the end of the shorter."""
    pieces: list[bytes] = []
    for at in range(0, max(len(one), len(other)), PIECE):
        stop = at + PIECE
        first = one[at:stop] if at < len(one) else b""
        second = other[at:stop] if at < len(other) else b""
        size = max(len(first), len(second))
        left = int.from_bytes(first, "little")
        right = int.from_bytes(second, "little")
        if operation == b"AND":
            bits = left & right
        elif operation == b"OR":
            bits = left | right
        else:
            bits = left ^ right
        pieces.append(bits.to_bytes(size, "little"))
    return b"".join(pieces)


COMMANDS: Final[list[Command]] = [
    on_data(
        bitcount, "BITCOUNT", -2, "readonly", "bitmap", "Counts the bits that are 1.", ONE, "2.6.0"
    ),
    on_data(
        bitop,
        "BITOP",
        -4,
        "write denyoom",
        "bitmap",
        "Combines values bit by bit.",
        (2, -1, 1),
        "2.6.0",
    ),
    on_data(
        bitpos,
        "BITPOS",
        -3,
        "readonly",
        "bitmap",
        "Finds the first bit that is 0, or 1.",
        ONE,
        "2.8.7",
    ),
    on_data(getbit, "GETBIT", 3, "readonly fast", "bitmap", "Returns a bit.", ONE, "2.2.0"),
    on_data(setbit, "SETBIT", 4, "write denyoom", "bitmap", "Sets a bit.", ONE, "2.2.0"),
]
