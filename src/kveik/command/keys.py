"""Commands on keys: DEL UNLINK EXISTS TOUCH TYPE FLUSHDB FLUSHALL.

Called through the registry.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX
from kveik.command.command import ALL, ONE, Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.model import OK, Simple


def delete(txn: Transaction, args: list[bytes]) -> object:
    deleted = 0
    for key in args[1:]:
        if txn.delete(key):
            txn.tell(b"del", key)
            deleted += 1
    return deleted


def exists(txn: Transaction, args: list[bytes]) -> object:
    found = 0
    for key in args[1:]:
        if txn.get(key) is not None:
            found += 1
    return found


def type_(txn: Transaction, args: list[bytes]) -> object:
    return Simple(b"none" if txn.get(args[1]) is None else b"string")


def flushdb(txn: Transaction, args: list[bytes]) -> object:
    return _flush(txn, args, False)


def flushall(txn: Transaction, args: list[bytes]) -> object:
    return _flush(txn, args, True)


def _flush(txn: Transaction, args: list[bytes], all_databases: bool) -> object:
    if len(args) > 2 or (len(args) == 2 and args[1].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SYNTAX)
    txn.clear(all_databases)
    return OK


COMMANDS: Final[list[Command]] = [
    on_data(delete, "DEL", -2, "write", "generic", "Deletes keys.", ALL),
    on_data(
        exists, "EXISTS", -2, "readonly fast", "generic", "Counts which of the keys exist.", ALL
    ),
    on_data(flushall, "FLUSHALL", -1, "write", "server", "Deletes all keys of all databases."),
    on_data(
        flushdb, "FLUSHDB", -1, "write", "server", "Deletes all keys of the selected database."
    ),
    on_data(
        exists,
        "TOUCH",
        -2,
        "readonly fast",
        "generic",
        "Counts which of the keys exist.",
        ALL,
        "3.2.1",
    ),
    on_data(
        type_, "TYPE", 2, "readonly fast", "generic", "Returns the type of a key's value.", ONE
    ),
    on_data(delete, "UNLINK", -2, "write fast", "generic", "Deletes keys, as DEL.", ALL, "4.0.0"),
]
