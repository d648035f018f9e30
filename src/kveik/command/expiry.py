"""When values expire: EXPIRE TTL PERSIST and their kin, and the options of other commands.

A value keeps its kind where only its expiry changes. Called through the registry.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import MAX_I64, integer, shown
from kveik.command.command import ONE, Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.native import i64

# The option that names an expiry -> (milliseconds in its unit, whether it is a point in time)
UNITS: Final = {
    b"EX": (1000, False),
    b"PX": (1, False),
    b"EXAT": (1000, True),
    b"PXAT": (1, True),
}


def expiry(txn: Transaction, unit: bytes, text: bytes, command: str) -> i64:
    """The Unix milliseconds that an expiry option means."""
    scale, absolute = UNITS[unit]
    number = integer(text)
    base = 0 if absolute else txn.now()
    if number <= 0 or number * scale > MAX_I64 - base:
        raise _invalid(command)
    return number * scale + base


def put_until(txn: Transaction, key: bytes, kind: i64, data: bytes, expires: i64) -> bool:
    """Write a value; False for one that has expired already: it only deletes what was there."""
    if expires != 0 and expires <= txn.now():
        txn.delete(key)
        return False
    txn.put(key, kind, data, expires)
    return True


def _invalid(command: str) -> CommandError:
    return CommandError(f"ERR invalid expire time in '{command}' command")


# --- setting it -----------------------------------------------------------------------------------


def expire(txn: Transaction, args: list[bytes]) -> object:
    """EXPIRE key seconds [NX | XX | GT | LT]"""
    return _expire(txn, args, b"EX", "expire")


def pexpire(txn: Transaction, args: list[bytes]) -> object:
    """PEXPIRE key milliseconds [NX | XX | GT | LT]"""
    return _expire(txn, args, b"PX", "pexpire")


def expireat(txn: Transaction, args: list[bytes]) -> object:
    """EXPIREAT key unix-seconds [NX | XX | GT | LT]"""
    return _expire(txn, args, b"EXAT", "expireat")


def pexpireat(txn: Transaction, args: list[bytes]) -> object:
    """PEXPIREAT key unix-milliseconds [NX | XX | GT | LT]"""
    return _expire(txn, args, b"PXAT", "pexpireat")


def _expire(txn: Transaction, args: list[bytes], unit: bytes, command: str) -> int:
    conditions = _conditions(args)
    when = _moment(txn, unit, args[2], command)
    cell = txn.get(args[1])
    if cell is None or not _holds(conditions, cell.expires, when):
        return 0
    if when <= txn.now():
        txn.delete(args[1])
        txn.tell(b"del", args[1])
    else:
        txn.put(args[1], cell.kind, cell.data, when)
        txn.tell(b"expire", args[1])
    return 1


def _conditions(args: list[bytes]) -> set[bytes]:
    words: set[bytes] = set()
    for arg in args[3:]:
        word = arg.upper()
        if word not in (b"NX", b"XX", b"GT", b"LT"):
            raise CommandError(f"ERR Unsupported option {shown(arg)}")
        words.add(word)
    if b"NX" in words and len(words) > 1:
        raise CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if b"GT" in words and b"LT" in words:
        raise CommandError("ERR GT and LT options at the same time are not compatible")
    return words


def _moment(txn: Transaction, unit: bytes, text: bytes, command: str) -> int:
    """The Unix milliseconds that a number means; here it may lie in the past."""
    scale, absolute = UNITS[unit]
    when = integer(text) * scale
    base = 0 if absolute else txn.now()
    if not -MAX_I64 - 1 <= when <= MAX_I64 - base:
        raise _invalid(command)
    return when + base


def _holds(conditions: set[bytes], expires: i64, when: int) -> bool:
    """Whether a value may get a new expiry; one that never expires does so last of all."""
    if expires == 0:
        return b"XX" not in conditions and b"GT" not in conditions
    if b"NX" in conditions or (b"GT" in conditions and when <= expires):
        return False
    return b"LT" not in conditions or when < expires


def persist(txn: Transaction, args: list[bytes]) -> object:
    cell = txn.get(args[1])
    if cell is None or cell.expires == 0:
        return 0
    txn.put(args[1], cell.kind, cell.data)
    txn.tell(b"persist", args[1])
    return 1


# --- asking for it --------------------------------------------------------------------------------

NO_KEY: Final = -2
NO_EXPIRY: Final = -1


def ttl(txn: Transaction, args: list[bytes]) -> object:
    return _seconds(_left(txn, args[1]))


def pttl(txn: Transaction, args: list[bytes]) -> object:
    return _left(txn, args[1])


def expiretime(txn: Transaction, args: list[bytes]) -> object:
    return _seconds(_expires(txn, args[1]))


def pexpiretime(txn: Transaction, args: list[bytes]) -> object:
    return _expires(txn, args[1])


def _expires(txn: Transaction, key: bytes) -> int:
    cell = txn.get(key)
    if cell is None:
        return NO_KEY
    return NO_EXPIRY if cell.expires == 0 else cell.expires


def _left(txn: Transaction, key: bytes) -> int:
    expires = _expires(txn, key)
    return expires if expires < 0 else expires - txn.now()


def _seconds(milliseconds: int) -> int:
    return milliseconds if milliseconds < 0 else (milliseconds + 500) // 1000


_WRITE: Final = "write fast"
_READ: Final = "readonly fast"

COMMANDS: Final[list[Command]] = [
    on_data(expire, "EXPIRE", -3, _WRITE, "generic", "Lets a key expire in so many seconds.", ONE),
    on_data(
        expireat, "EXPIREAT", -3, _WRITE, "generic", "Lets a key expire at a second.", ONE, "1.2.0"
    ),
    on_data(
        expiretime,
        "EXPIRETIME",
        2,
        _READ,
        "generic",
        "Returns the second at which a key expires.",
        ONE,
        "7.0.0",
    ),
    on_data(persist, "PERSIST", 2, _WRITE, "generic", "Lets a key expire no more.", ONE, "2.2.0"),
    on_data(
        pexpire,
        "PEXPIRE",
        -3,
        _WRITE,
        "generic",
        "Lets a key expire in so many milliseconds.",
        ONE,
        "2.6.0",
    ),
    on_data(
        pexpireat,
        "PEXPIREAT",
        -3,
        _WRITE,
        "generic",
        "Lets a key expire at a millisecond.",
        ONE,
        "2.6.0",
    ),
    on_data(
        pexpiretime,
        "PEXPIRETIME",
        2,
        _READ,
        "generic",
        "Returns the millisecond at which a key expires.",
        ONE,
        "7.0.0",
    ),
    on_data(
        pttl,
        "PTTL",
        2,
        _READ,
        "generic",
        "Returns in how many milliseconds a key expires.",
        ONE,
        "2.6.0",
    ),
    on_data(ttl, "TTL", 2, _READ, "generic", "Returns in how many seconds a key expires.", ONE),
]
