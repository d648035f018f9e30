"""Values under another key or in another database: COPY MOVE RENAME RENAMENX.

A value keeps its kind and its expiry. Called through the registry.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, database_number
from kveik.command.command import ONE, TWO, Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.model import OK, Cell
from kveik.native import i64

SAME: Final = "ERR source and destination objects are the same"


def copy(txn: Transaction, args: list[bytes]) -> object:
    """COPY source destination [DB number] [REPLACE]"""
    source: i64 = txn.database
    database = source
    replace = False
    at = 3
    while at < len(args):
        word = args[at].upper()
        if word == b"REPLACE":
            replace = True
        elif word == b"DB" and at + 1 < len(args):
            at += 1
            database = database_number(args[at])
        else:
            raise CommandError(SYNTAX)
        at += 1
    if database == source and args[1] == args[2]:
        raise CommandError(SAME)
    cell = txn.get(args[1])
    if cell is None or not _put(txn, database, args[2], cell, replace):
        return 0
    txn.tell(b"copy_to", args[2], database)
    return 1


def move(txn: Transaction, args: list[bytes]) -> object:
    """MOVE key database"""
    source: i64 = txn.database
    database = database_number(args[2])
    if database == source:
        raise CommandError(SAME)
    cell = txn.get(args[1])
    if cell is None or not _put(txn, database, args[1], cell, False):
        return 0
    txn.delete(args[1])
    txn.tell(b"move_from", args[1])
    txn.tell(b"move_to", args[1], database)
    return 1


def _put(txn: Transaction, database: i64, key: bytes, cell: Cell, replace: bool) -> bool:
    """Write into a database; False, and nothing done, if the key is there and is not replaced."""
    source: i64 = txn.database
    txn.select(database)
    try:
        free = replace or txn.get(key) is None
        if free:
            txn.put(key, cell.kind, cell.data, cell.expires)
    finally:
        txn.select(source)
    return free


def rename(txn: Transaction, args: list[bytes]) -> object:
    _rename(txn, args[1], args[2], True)
    return OK


def renamenx(txn: Transaction, args: list[bytes]) -> object:
    return int(_rename(txn, args[1], args[2], False))


def _rename(txn: Transaction, old: bytes, new: bytes, replace: bool) -> bool:
    cell = txn.get(old)
    if cell is None:
        raise CommandError("ERR no such key")
    if old == new or (not replace and txn.get(new) is not None):
        return False
    txn.delete(old)
    txn.tell(b"rename_from", old)
    txn.put(new, cell.kind, cell.data, cell.expires)
    txn.tell(b"rename_to", new)
    return True


COMMANDS: Final[list[Command]] = [
    on_data(
        copy, "COPY", -3, "write denyoom", "generic", "Copies a value to another key.", TWO, "6.2.0"
    ),
    on_data(move, "MOVE", 3, "write fast", "generic", "Moves a key to another database.", ONE),
    on_data(rename, "RENAME", 3, "write", "generic", "Gives a key another name.", TWO),
    on_data(
        renamenx,
        "RENAMENX",
        3,
        "write fast",
        "generic",
        "Gives a key another name, if that is free.",
        TWO,
    ),
]
