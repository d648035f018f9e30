"""KV.CAS: a value is exchanged, or deleted, if it is what its writer believes. For the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX
from kveik.command.command import ONE, Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.model import BYTES


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
]
