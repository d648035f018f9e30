"""Commands on values: GET SET MGET MSET STRLEN. Called through the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import MAX_I64, SYNTAX, TOO_MUCH, integer
from kveik.command.command import ALL, ONE, PAIRS, Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_REPLY
from kveik.model import BYTES, OK
from kveik.native import i64

# The option that names an expiry -> (milliseconds in its unit, whether it is a point in time)
_EXPIRY: Final = {
    b"EX": (1000, False),
    b"PX": (1, False),
    b"EXAT": (1000, True),
    b"PXAT": (1, True),
}


def get(txn: Transaction, args: list[bytes]) -> object:
    return txn.data(args[1])


def set_(txn: Transaction, args: list[bytes]) -> object:
    """SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]"""
    if len(args) == 3:
        txn.put(args[1], BYTES, args[2])
        txn.tell(b"set", args[1])
        return OK
    options = SetOptions(txn, args)
    old = txn.get(args[1])
    written = (options.condition is None) or ((old is None) == (options.condition == b"NX"))
    if written:
        keep = options.keep_ttl and old is not None
        expires = old.expires if keep and old is not None else options.expires
        txn.put(args[1], BYTES, args[2], expires)
        txn.tell(b"set", args[1])
        if options.expires > 0:
            txn.tell(b"expire", args[1])
    if options.get:
        return None if old is None else old.data
    return OK if written else None


class SetOptions:
    """What stands behind SET's value; CommandError as Redis words it."""

    def __init__(self, txn: Transaction, args: list[bytes]) -> None:
        self.condition: bytes | None = None
        self.get = False
        self.keep_ttl = False
        self.expires: i64 = 0
        unit = text = b""
        at = 3
        while at < len(args):
            word = args[at].upper()
            if word in (b"NX", b"XX") and self.condition in (None, word):
                self.condition = word
            elif word == b"GET":
                self.get = True
            elif word == b"KEEPTTL" and not unit:
                self.keep_ttl = True
            elif word in _EXPIRY and not self.keep_ttl and unit in (b"", word) and args[at + 1 :]:
                at += 1
                unit, text = word, args[at]
            else:
                raise CommandError(SYNTAX)
            at += 1
        if unit:
            self.expires = expiry(txn, unit, text, "set")


def expiry(txn: Transaction, unit: bytes, text: bytes, command: str) -> i64:
    """The Unix milliseconds that an expiry option means."""
    scale, absolute = _EXPIRY[unit]
    number = integer(text)
    base = 0 if absolute else txn.now()
    if number <= 0 or number * scale > MAX_I64 - base:
        raise CommandError(f"ERR invalid expire time in '{command}' command")
    return number * scale + base


def mget(txn: Transaction, args: list[bytes]) -> object:
    values: list[bytes | None] = []
    size: i64 = 0
    for key in args[1:]:
        data = txn.data(key)
        values.append(data)
        size += 0 if data is None else len(data)
        if size > MAX_REPLY:
            raise CommandError(TOO_MUCH)
    return values


def mset(txn: Transaction, args: list[bytes]) -> object:
    if len(args) % 2 == 0:
        raise CommandError("ERR wrong number of arguments for 'mset' command")
    for at in range(1, len(args), 2):
        txn.put(args[at], BYTES, args[at + 1])
        txn.tell(b"set", args[at])
    return OK


def strlen(txn: Transaction, args: list[bytes]) -> object:
    data = txn.data(args[1])
    return 0 if data is None else len(data)


COMMANDS: Final[list[Command]] = [
    on_data(get, "GET", 2, "readonly fast", "string", "Returns the value of a key.", ONE),
    on_data(
        mget, "MGET", -2, "readonly fast", "string", "Returns the values of several keys.", ALL
    ),
    on_data(
        mset, "MSET", -3, "write denyoom", "string", "Sets several keys at once.", PAIRS, "1.0.1"
    ),
    on_data(
        set_,
        "SET",
        -3,
        "write denyoom",
        "string",
        "Sets the value of a key, with conditions and an expiry.",
        ONE,
    ),
    on_data(
        strlen,
        "STRLEN",
        2,
        "readonly fast",
        "string",
        "Returns the length of a value.",
        ONE,
        "2.2.0",
    ),
]
