"""Commands on values that are numbers: INCR DECR INCRBY DECRBY INCRBYFLOAT.

The new number is written as bytes, of whatever kind the old one was, and keeps its expiry. Called
through the registry.
"""

from __future__ import annotations

from typing import Final

from kveik.command import longdouble
from kveik.command.arguments import MAX_I64, integer
from kveik.command.command import ONE, Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.model import BYTES


def incr(txn: Transaction, args: list[bytes]) -> object:
    return _add(txn, args[1], 1)


def decr(txn: Transaction, args: list[bytes]) -> object:
    return _add(txn, args[1], -1)


def incrby(txn: Transaction, args: list[bytes]) -> object:
    return _add(txn, args[1], integer(args[2]))


def decrby(txn: Transaction, args: list[bytes]) -> object:
    by = integer(args[2])
    if by == -MAX_I64 - 1:
        raise CommandError("ERR decrement would overflow")
    return _add(txn, args[1], -by)


def _add(txn: Transaction, key: bytes, by: int) -> int:
    cell = txn.get(key)
    total = by if cell is None else integer(cell.data) + by
    if not -MAX_I64 - 1 <= total <= MAX_I64:
        raise CommandError("ERR increment or decrement would overflow")
    txn.put(key, BYTES, b"%d" % total, 0 if cell is None else cell.expires)
    txn.tell(b"incrby", key)
    return total


def incrbyfloat(txn: Transaction, args: list[bytes]) -> object:
    """INCRBYFLOAT key increment; reckoned as Redis does, with 64 bits of precision."""
    cell = txn.get(args[1])
    old = longdouble.ZERO if cell is None else longdouble.parse(cell.data)
    by = longdouble.parse(args[2])
    if old is None or by is None:
        raise CommandError("ERR value is not a valid float")
    total = longdouble.add(old, by)
    if total is None:
        raise CommandError("ERR increment would produce NaN or Infinity")
    data = longdouble.show(total)
    txn.put(args[1], BYTES, data, 0 if cell is None else cell.expires)
    txn.tell(b"incrbyfloat", args[1])
    return data


_FLAGS: Final = "write denyoom fast"

COMMANDS: Final[list[Command]] = [
    on_data(decr, "DECR", 2, _FLAGS, "string", "Takes one from a number.", ONE),
    on_data(decrby, "DECRBY", 3, _FLAGS, "string", "Takes an integer from a number.", ONE),
    on_data(incr, "INCR", 2, _FLAGS, "string", "Adds one to a number.", ONE),
    on_data(incrby, "INCRBY", 3, _FLAGS, "string", "Adds an integer to a number.", ONE),
    on_data(
        incrbyfloat,
        "INCRBYFLOAT",
        3,
        _FLAGS,
        "string",
        "Adds a floating-point number to a number.",
        ONE,
        "2.6.0",
    ),
]
