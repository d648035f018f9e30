"""SCAN's cursors: numbers that stand for "behind this key".

Keys are in order, so an iteration that goes on behind the last key it looked at meets every key
that is there all the while, whatever is written or merged meanwhile. Redis' clients want a number
in place of that key: it is kept here. Numbers begin at random, so that none of another run of the
server is taken for one of this, and fit a double, which is what some clients make of them.
Invariants: bounded in number and in bytes. What goes first is the oldest of what an iteration has
left two steps behind; only then the cursors of iterations that may still go on. Called by SCAN.
"""

from __future__ import annotations

from collections import OrderedDict
from random import randrange
from typing import Final

from kveik.limits import MAX_CURSOR_BYTES, MAX_CURSORS
from kveik.native import i64

FIRST: Final = 1 << 40  # a cursor is at least this, and far below 2**53
ROOM: Final = 100  # bytes of a cursor's objects beside its key


class Cursor:
    def __init__(self, database: i64, key: bytes, older: i64) -> None:
        self.database = database
        self.key = key  # the last that was looked at
        self.older = older  # the cursor that led here, 0 for none


class Cursors:
    """given: cursors so far. draws: random keys so far, which makes the next one another."""

    def __init__(self) -> None:
        self.draws = randrange(FIRST)
        self.given = 0
        self._first = FIRST + randrange(FIRST)
        self._known: OrderedDict[int, Cursor] = OrderedDict()
        self._size: i64 = 0

    def find(self, number: int, database: i64) -> bytes | None:
        """The key that a cursor stands behind; None if it is not known, or another database's."""
        cursor = self._known.get(number)
        if cursor is None or cursor.database != database:
            return None
        return cursor.key

    def add(self, database: i64, key: bytes, older: int) -> int:
        """A cursor behind a key; older: the one that the iteration came with, 0 if it began."""
        number = self._first + self.given
        self.given += 1
        self._known[number] = Cursor(database, key, older)
        self._size += len(key) + ROOM
        self._retire(older)
        while len(self._known) > MAX_CURSORS or self._size > MAX_CURSOR_BYTES:
            _, dropped = self._known.popitem(last=False)
            self._size -= len(dropped.key) + ROOM
        return number

    def _retire(self, older: int) -> None:
        """The cursor before `older` is no longer needed, even if the last reply was lost."""
        cursor = self._known.get(older)
        if cursor is not None and cursor.older in self._known:
            self._known.move_to_end(cursor.older, last=False)
