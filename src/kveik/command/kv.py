"""KV.PUT KV.GET KV.DEL: values with their types. KV.CAS: bytes, exchanged. For the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, TOO_MUCH
from kveik.command.command import ALL, ONE, Command, on_data
from kveik.command.expiry import UNITS, expiry, put_until
from kveik.command.typed import NAMES, same, typed
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_REPLY
from kveik.model import BYTES, OK
from kveik.native import i64

TRIPLES: Final = (1, -1, 3)


def kv_put(txn: Transaction, args: list[bytes]) -> object:
    """KV.PUT key type value [NX | IF type value] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]

    OK, or nothing where the condition does not hold. IF: the value is of this type and equal.
    """
    kind, data = typed(args[2], args[3])
    key = args[1]
    if len(args) == 4:
        txn.put(key, kind, data)
        txn.tell(b"set", key)
        return OK
    options = PutOptions(txn, args)
    expires = options.expires
    if options.absent or options.expected >= 0 or options.keep_ttl:
        old = txn.get(key)
        if options.absent and old is not None:
            return None
        if options.expected >= 0 and (old is None or not same(old, options.expected, options.data)):
            return None
        if options.keep_ttl and old is not None:
            expires = old.expires
    lives = put_until(txn, key, kind, data, expires)
    txn.tell(b"set", key)
    if options.expires > 0:
        txn.tell(b"expire", key)
    if not lives:
        txn.tell(b"expired", key)
    return OK


class PutOptions:
    """What stands behind KV.PUT's value. expected: the type of IF's value, -1 without IF."""

    def __init__(self, txn: Transaction, args: list[bytes]) -> None:
        self.absent = False
        self.keep_ttl = False
        self.expires: i64 = 0
        self.expected: i64 = -1
        self.data = b""  # of IF's value
        timed = False
        at = 4
        while at < len(args):
            word = args[at].upper()
            conditional = self.absent or self.expected >= 0
            if word == b"NX" and not conditional:
                self.absent = True
            elif word == b"IF" and not conditional and at + 2 < len(args):
                self.expected, self.data = typed(args[at + 1], args[at + 2])
                at += 2
            elif word == b"KEEPTTL" and not timed:
                self.keep_ttl = timed = True
            elif word in UNITS and not timed and at + 1 < len(args):
                self.expires = expiry(txn, word, args[at + 1], "kv.put")
                timed = True
                at += 1
            else:
                raise CommandError(SYNTAX)
            at += 1


def kv_mput(txn: Transaction, args: list[bytes]) -> object:
    """KV.MPUT key type value [key type value ...]: OK; all of them, or none."""
    if len(args) % 3 != 1:
        raise CommandError("ERR wrong number of arguments for 'kv.mput' command")
    for at in range(1, len(args), 3):
        kind, data = typed(args[at + 1], args[at + 2])
        txn.put(args[at], kind, data)
        txn.tell(b"set", args[at])
    return OK


def kv_get(txn: Transaction, args: list[bytes]) -> object:
    """KV.GET key [key ...]: type, value, type, value, ...; both are nothing where there is none."""
    found: list[object] = []
    size: i64 = 0
    for key in args[1:]:
        cell = txn.get(key)
        if cell is None:
            found.append(None)
            found.append(None)
        else:
            found.append(NAMES[cell.kind])
            found.append(cell.data)
            size += len(cell.data)
        if size > MAX_REPLY:
            raise CommandError(TOO_MUCH)
    return found


def kv_del(txn: Transaction, args: list[bytes]) -> object:
    """KV.DEL key IF type value: 1 if the value was of this type and equal, and is deleted; else 0.

    Without a condition, DEL is the command.
    """
    if args[2].upper() != b"IF":
        raise CommandError(SYNTAX)
    kind, data = typed(args[3], args[4])
    old = txn.get(args[1])
    if old is None or not same(old, kind, data):
        return 0
    txn.delete(args[1])
    txn.tell(b"del", args[1])
    return 1


def kv_cas(txn: Transaction, args: list[bytes]) -> object:
    """KV.CAS key expected [new [KEEPTTL]]: 1 if the value was `expected`, and now is `new`; else 0.

    Without `new` the key is deleted. Where no value is expected, SET key new NX is the command.
    """
    if len(args) > 5 or (len(args) == 5 and args[4].upper() != b"KEEPTTL"):
        raise CommandError(SYNTAX)
    old = txn.get(args[1])
    if old is None or old.data != args[2]:
        return 0
    if len(args) == 3:
        txn.delete(args[1])
        txn.tell(b"del", args[1])
    else:
        txn.put(args[1], BYTES, args[3], old.expires if len(args) == 5 else 0)
        txn.tell(b"set", args[1])
    return 1


COMMANDS: Final[list[Command]] = [
    on_data(
        kv_cas,
        "KV.CAS",
        -3,
        "write denyoom",
        "string",
        "Sets or deletes a key if its value is the one that is expected.",
        ONE,
        "0.1.0",
    ),
    on_data(
        kv_del,
        "KV.DEL",
        5,
        "write",
        "string",
        "Deletes a key if its value is of a type and equal to another.",
        ONE,
        "0.1.0",
    ),
    on_data(
        kv_get,
        "KV.GET",
        -2,
        "readonly fast",
        "string",
        "Returns the values of keys with their types.",
        ALL,
        "0.1.0",
    ),
    on_data(
        kv_mput,
        "KV.MPUT",
        -4,
        "write denyoom",
        "string",
        "Sets several keys at once, each to a value of a type.",
        TRIPLES,
        "0.1.0",
    ),
    on_data(
        kv_put,
        "KV.PUT",
        -4,
        "write denyoom",
        "string",
        "Sets a key to a value of a type, with conditions and an expiry.",
        ONE,
        "0.1.0",
    ),
]
