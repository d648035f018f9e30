"""Commands on all keys of a database: KEYS DBSIZE. Called through the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.command import Command, on_data
from kveik.command.glob import Glob
from kveik.command.walk import Count, Gather, short
from kveik.engine.scan import Rows
from kveik.engine.transaction import Transaction
from kveik.format.keys import successor
from kveik.limits import WALK_TEXT
from kveik.native import i64


def keys(txn: Transaction, args: list[bytes]) -> object:
    """KEYS pattern: only those that begin as the pattern does are looked at."""
    glob = Glob(args[1])
    start = glob.prefix
    stop = successor(start)
    rows = short(txn, start, stop)
    if rows is None or sum([len(key) for key in rows.keys]) > WALK_TEXT:
        return KeysJob(txn, start, stop, glob)
    return [key for key in rows.keys if glob.matches(key)]


class KeysJob(Gather):
    """A KEYS that looks at many, or at long ones."""

    def __init__(self, txn: Transaction, start: bytes, stop: bytes | None, glob: Glob) -> None:
        super().__init__(txn, start, stop)
        self._glob = glob
        self._keys: list[bytes] = []  # of the last page; those before `at` have been compared
        self._at: i64 = 0
        self._more = True

    def step(self) -> bool:
        if self._at == len(self._keys) and self._more:
            self._more = super().step()
        self._compare()
        return self._more or self._at < len(self._keys)

    def take(self, rows: Rows) -> bool:
        self._keys = rows.keys
        self._at = 0
        return True

    def _compare(self) -> None:
        glob = self._glob
        found: list[object] = []
        size: i64 = 0
        left: i64 = WALK_TEXT
        while self._at < len(self._keys) and left > 0:
            key = self._keys[self._at]
            self._at += 1
            left -= len(key)
            if glob.matches(key):
                found.append(key)
                size += len(key)
        self.gather(found, size)


def dbsize(txn: Transaction, args: list[bytes]) -> object:
    known = txn.count()
    if known >= 0:
        return known
    rows = short(txn, b"", None)
    return Count(txn, b"", None) if rows is None else len(rows.keys)


COMMANDS: Final[list[Command]] = [
    on_data(
        dbsize,
        "DBSIZE",
        1,
        "readonly fast",
        "server",
        "Returns the number of keys in the database.",
    ),
    on_data(
        keys,
        "KEYS",
        2,
        "readonly sort_for_script",
        "generic",
        "Returns the keys that match a pattern.",
    ),
]
