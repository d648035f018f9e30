"""DUMP and RESTORE: values to and from Redis' own form. Called through the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import MAX_I64, SYNTAX, integer
from kveik.command.command import ONE, Command, on_data
from kveik.command.expiry import put_until
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.format import rdb
from kveik.model import BYTES, OK


def dump(txn: Transaction, args: list[bytes]) -> object:
    data = txn.data(args[1])
    return None if data is None else rdb.pack(data)


class RestoreOptions:
    """What stands behind the payload. How often the value was used is read, and is of no use."""

    def __init__(self, args: list[bytes]) -> None:
        self.replace = False
        self.absolute = False
        used = b""
        at = 4
        while at < len(args):
            word = args[at].upper()
            if word == b"REPLACE":
                self.replace = True
            elif word == b"ABSTTL":
                self.absolute = True
            elif word in (b"IDLETIME", b"FREQ") and used in (b"", word) and at + 1 < len(args):
                at += 1
                used = word
                _check_use(word, integer(args[at]))
            else:
                raise CommandError(SYNTAX)
            at += 1


def _check_use(word: bytes, number: int) -> None:
    if word == b"IDLETIME" and number < 0:
        raise CommandError("ERR Invalid IDLETIME value, must be >= 0")
    if word == b"FREQ" and not 0 <= number <= 255:
        raise CommandError("ERR Invalid FREQ value, must be >= 0 and <= 255")


def restore(txn: Transaction, args: list[bytes]) -> object:
    """RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ frequency]"""
    options = RestoreOptions(args)
    there = txn.get(args[1]) is not None
    if there and not options.replace:
        raise CommandError("BUSYKEY Target key name already exists.")
    ttl = integer(args[2])
    if ttl < 0:
        raise CommandError("ERR Invalid TTL value, must be >= 0")
    data = _unpacked(args[3])
    if ttl > 0 and not options.absolute:
        ttl = min(ttl, MAX_I64 - txn.now()) + txn.now()
    if put_until(txn, args[1], BYTES, data, ttl):
        txn.tell(b"restore", args[1])
    elif there:
        txn.tell(b"del", args[1])
    return OK


def _unpacked(payload: bytes) -> bytes:
    if not rdb.intact(payload):
        raise CommandError("ERR DUMP payload version or checksum are wrong")
    kind = rdb.kind(payload)
    if 0 < kind < rdb.TYPES:
        raise CommandError("ERR the payload is no string: Kveik's values are strings")
    try:
        return rdb.unpack(payload)
    except ValueError:
        raise CommandError("ERR Bad data format") from None


COMMANDS: Final[list[Command]] = [
    on_data(
        dump, "DUMP", 2, "readonly", "generic", "Returns a value in Redis' own form.", ONE, "2.6.0"
    ),
    on_data(
        restore,
        "RESTORE",
        -4,
        "write denyoom",
        "generic",
        "Sets the value of a key to what DUMP gave.",
        ONE,
        "2.6.0",
    ),
]
