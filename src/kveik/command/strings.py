"""Commands on whole values: GET SET MGET MSET and their kin. Called through the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, TOO_MUCH
from kveik.command.command import ALL, ONE, PAIRS, Command, on_data
from kveik.command.expiry import UNITS, expiry, put_until
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_REPLY
from kveik.model import BYTES, OK
from kveik.native import i64


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
        lives = put_until(txn, args[1], BYTES, args[2], expires)
        txn.tell(b"set", args[1])
        if options.expires > 0:
            txn.tell(b"expire", args[1])
        if not lives:
            txn.tell(b"expired", args[1])
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
            elif word in UNITS and not self.keep_ttl and unit in (b"", word) and args[at + 1 :]:
                at += 1
                unit, text = word, args[at]
            else:
                raise CommandError(SYNTAX)
            at += 1
        if unit:
            self.expires = expiry(txn, unit, text, "set")


def setnx(txn: Transaction, args: list[bytes]) -> object:
    if txn.get(args[1]) is not None:
        return 0
    txn.put(args[1], BYTES, args[2])
    txn.tell(b"set", args[1])
    return 1


def setex(txn: Transaction, args: list[bytes]) -> object:
    """SETEX key seconds value"""
    return _set_until(txn, args, b"EX", "setex")


def psetex(txn: Transaction, args: list[bytes]) -> object:
    """PSETEX key milliseconds value"""
    return _set_until(txn, args, b"PX", "psetex")


def _set_until(txn: Transaction, args: list[bytes], unit: bytes, command: str) -> object:
    txn.put(args[1], BYTES, args[3], expiry(txn, unit, args[2], command))
    txn.tell(b"set", args[1])
    txn.tell(b"expire", args[1])
    return OK


def getset(txn: Transaction, args: list[bytes]) -> object:
    old = txn.data(args[1])
    txn.put(args[1], BYTES, args[2])
    txn.tell(b"set", args[1])
    return old


def getdel(txn: Transaction, args: list[bytes]) -> object:
    old = txn.data(args[1])
    if old is not None:
        txn.delete(args[1])
        txn.tell(b"del", args[1])
    return old


def getex(txn: Transaction, args: list[bytes]) -> object:
    """GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]; the value keeps its kind."""
    unit = text = b""
    at = 2
    while at < len(args):
        word = args[at].upper()
        if word == b"PERSIST" and unit in (b"", word):
            unit = word
        elif word in UNITS and unit in (b"", word) and at + 1 < len(args):
            at += 1
            unit, text = word, args[at]
        else:
            raise CommandError(SYNTAX)
        at += 1
    cell = txn.get(args[1])
    if cell is None:
        return None
    if unit == b"PERSIST":
        if cell.expires != 0:
            txn.put(args[1], cell.kind, cell.data)
            txn.tell(b"persist", args[1])
    elif unit:
        until = expiry(txn, unit, text, "getex")
        lives = put_until(txn, args[1], cell.kind, cell.data, until)
        txn.tell(b"expire" if lives else b"del", args[1])
    return cell.data


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


def msetnx(txn: Transaction, args: list[bytes]) -> object:
    if len(args) % 2 == 0:
        raise CommandError("ERR wrong number of arguments for 'msetnx' command")
    for key in args[1::2]:
        if txn.get(key) is not None:
            return 0
    mset(txn, args)
    return 1


def strlen(txn: Transaction, args: list[bytes]) -> object:
    data = txn.data(args[1])
    return 0 if data is None else len(data)


COMMANDS: Final[list[Command]] = [
    on_data(get, "GET", 2, "readonly fast", "string", "Returns the value of a key.", ONE),
    on_data(
        getdel,
        "GETDEL",
        2,
        "write fast",
        "string",
        "Returns the value of a key and deletes it.",
        ONE,
        "6.2.0",
    ),
    on_data(
        getex,
        "GETEX",
        -2,
        "write fast",
        "string",
        "Returns the value of a key and sets when it expires.",
        ONE,
        "6.2.0",
    ),
    on_data(
        getset,
        "GETSET",
        3,
        "write denyoom fast",
        "string",
        "Sets the value of a key and returns the old one.",
        ONE,
    ),
    on_data(
        mget, "MGET", -2, "readonly fast", "string", "Returns the values of several keys.", ALL
    ),
    on_data(
        mset, "MSET", -3, "write denyoom", "string", "Sets several keys at once.", PAIRS, "1.0.1"
    ),
    on_data(
        msetnx,
        "MSETNX",
        -3,
        "write denyoom",
        "string",
        "Sets several keys at once, if none of them exists.",
        PAIRS,
        "1.0.1",
    ),
    on_data(
        psetex,
        "PSETEX",
        4,
        "write denyoom",
        "string",
        "Sets the value of a key and its expiry in milliseconds.",
        ONE,
        "2.6.0",
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
        setex,
        "SETEX",
        4,
        "write denyoom",
        "string",
        "Sets the value of a key and its expiry in seconds.",
        ONE,
        "2.0.0",
    ),
    on_data(
        setnx,
        "SETNX",
        3,
        "write denyoom fast",
        "string",
        "Sets the value of a key, if it does not exist.",
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
