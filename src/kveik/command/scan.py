"""SCAN, and RANDOMKEY: keys without a range. Called through the registry.

Keys are in order, so a cursor stands for "behind this key" (see cursors). A pattern's beginning
bounds the range, so that `SCAN 0 MATCH user:*` reads the users alone. Where very many keys are new
both take a Job, which puts these in their places first.
"""

from __future__ import annotations

from random import Random
from typing import Final

from kveik.command.arguments import SYNTAX, integer
from kveik.command.command import BothFunction, Command, on_both
from kveik.command.glob import Glob
from kveik.command.state import Client
from kveik.command.walk import Instant, crowded
from kveik.engine.scan import Rows
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.format.keys import successor
from kveik.limits import (
    MAX_SCAN_COUNT,
    PAGE_BYTES,
    RANDOM_STEPS,
    SCAN_BYTES,
    SCAN_COUNT,
    SCAN_STEPS,
)
from kveik.native import i64

NO_CURSOR: Final = "ERR invalid cursor"
PAGE: Final = 64  # entries read at a time
DRAWS: Final = 4  # attempts to come upon a random key that is live


class ScanOptions:
    """What stands behind the cursor; CommandError as Redis words it."""

    def __init__(self, args: list[bytes]) -> None:
        self.count: i64 = SCAN_COUNT
        self.glob: Glob | None = None
        self.strings = True  # all there are
        at = 2
        while at < len(args):
            word = args[at].upper()
            if word not in (b"COUNT", b"MATCH", b"TYPE") or at + 1 == len(args):
                raise CommandError(SYNTAX)
            at += 1
            if word == b"MATCH":
                self.glob = Glob(args[at])
            elif word == b"TYPE":
                self.strings = args[at].lower() == b"string"
            else:
                count = integer(args[at])
                if count < 1:
                    raise CommandError(SYNTAX)
                self.count = min(count, MAX_SCAN_COUNT)
            at += 1


class Later(Instant):
    """A command whose keys are put in their places first."""

    def __init__(
        self, function: BothFunction, txn: Transaction, client: Client, args: list[bytes]
    ) -> None:
        super().__init__(txn)
        self._function = function
        self._client = client
        self._args = args
        self._reply: object = None

    def step(self) -> bool:
        if self.prepared():
            return True
        self._reply = self._function(self.txn, self._client, self._args)
        self.seen = max(self.seen, self.txn.seen)
        return False

    def reply(self) -> object:
        return self._reply


def scan(txn: Transaction, client: Client, args: list[bytes]) -> object:
    """SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]"""
    if crowded(txn):
        return Later(scan, txn, client, args)
    cursors = client.server.cursors
    number = _number(args[1])
    options = ScanOptions(args)
    start = b""
    if number != 0:
        behind = cursors.find(number, txn.database)
        if behind is None:
            raise CommandError(NO_CURSOR)
        start = behind + b"\x00"
    found: list[bytes] = []
    last = _look(txn, options, start, found) if options.strings else None
    cursor = 0 if last is None else cursors.add(txn.database, last, number)
    return [b"%d" % cursor, found]


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise CommandError(NO_CURSOR)
    return int(text)


def _look(txn: Transaction, options: ScanOptions, start: bytes, found: list[bytes]) -> bytes | None:
    """Gather keys that match; the last key that was looked at, None if there are no more."""
    glob = options.glob
    stop: bytes | None = None
    if glob is not None:
        start = max(start, glob.prefix)
        stop = successor(glob.prefix)
        if stop is not None and start >= stop:
            return None
    scanner = txn.scanner(start, stop)
    left: i64 = options.count
    room: i64 = SCAN_BYTES
    while left > 0:
        rows = Rows()
        want: i64 = min(left, PAGE)
        more = scanner.page(rows, want, PAGE_BYTES, SCAN_STEPS)
        txn.seen = max(txn.seen, rows.seen)
        for key in rows.keys:
            if glob is None or glob.matches(key):
                found.append(key)
            room -= len(key)
            if room < 0:
                return key
        if not more:
            return None
        if len(rows.keys) < want:  # much has been deleted here, or the values are large
            break
        left -= want
    return scanner.passed


def randomkey(txn: Transaction, client: Client, args: list[bytes]) -> object:
    """Nil, too, where nothing but very many deleted keys was found."""
    if crowded(txn):
        return Later(randomkey, txn, client, args)
    cursors = client.server.cursors
    random = Random(cursors.draws)
    key: bytes | None = None
    for _ in range(DRAWS):
        sampled = txn.sample(random.getrandbits(62))
        if sampled is None:
            break
        key = _first(txn, sampled, SCAN_STEPS)
        if key is not None:
            break
    if key is None:
        key = _first(txn, b"", RANDOM_STEPS)
    cursors.draws += 1  # last: where a block was missing, the same key is drawn again
    return key


def _first(txn: Transaction, start: bytes, steps: i64) -> bytes | None:
    """The first key from start on, if it is not far."""
    rows = Rows()
    txn.scanner(start, None).page(rows, 1, PAGE_BYTES, steps)
    txn.seen = max(txn.seen, rows.seen)
    return rows.keys[0] if rows.keys else None


COMMANDS: Final[list[Command]] = [
    on_both(randomkey, "RANDOMKEY", 1, "readonly", "generic", "Returns some key of the database."),
    on_both(
        scan,
        "SCAN",
        -2,
        "readonly",
        "generic",
        "Goes through the keys of the database, some at a time.",
        since="2.8.0",
    ),
]
