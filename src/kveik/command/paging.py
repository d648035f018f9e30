"""A range of any size: read at once where it is short, else a job that goes from page to page.

Called by the commands that answer with a whole range.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import TOO_MUCH
from kveik.command.job import Job
from kveik.engine.scan import Rows, Scan
from kveik.engine.snapshot import Snapshot
from kveik.engine.store import Store
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_REPLY
from kveik.model import Cell
from kveik.native import i64

ROWS: Final = 500  # of a page; with what is made of them it takes a millisecond or two
BYTES: Final = 1 << 18  # of their values
STEPS: Final = 8  # chunks of each source that are looked at for a page, where most is deleted


class Gather:
    """Makes an answer of entries that come page by page."""

    def __init__(self, most: i64 = MAX_REPLY) -> None:
        """most: bytes of the answer."""
        self.most = most
        self.size: i64 = 0  # bytes so far

    def add(self, rows: Rows) -> None:
        """Entries. CommandError if it is too much."""
        for at in range(len(rows.keys)):
            self.size += self.take(rows.keys[at], rows.cell(at))
            if self.size > self.most:
                self.refuse()

    def take(self, key: bytes, cell: Cell) -> i64:
        """One entry; how many bytes of the answer it takes."""
        raise NotImplementedError

    def refuse(self) -> None:
        raise CommandError(TOO_MUCH[4:])

    def reply(self) -> object:
        """Once everything was added."""
        raise NotImplementedError


class RangeJob(Job):
    """Reads what a snapshot holds from start to stop (excluded)."""

    def __init__(self, database: i64, start: bytes, stop: bytes | None, gather: Gather) -> None:
        super().__init__()
        self._database = database
        self._start = start
        self._stop = stop
        self._gather = gather
        self._snapshot: Snapshot | None = None
        self._scan: Scan | None = None
        self._rows = Rows()

    def open(self, store: Store) -> None:
        """Take the snapshot, in the instant in which the job was made."""
        snapshot = store.snapshot()
        self._snapshot = snapshot
        txn = Transaction(snapshot)
        txn.begin(self._database)
        self._scan = txn.scanner(self._start, self._stop)

    def step(self) -> bool:
        scan = self._scan
        assert scan is not None
        rows = self._rows  # kept over a fault
        more = scan.page(rows, ROWS, BYTES, STEPS)
        self._rows = Rows()
        self.seen = max(self.seen, rows.seen)
        self._gather.add(rows)
        return more

    def reply(self) -> object:
        return self._gather.reply()

    def end(self) -> None:
        self._scan = None
        if self._snapshot is not None:
            self._snapshot.let_go()


def read_range(txn: Transaction, start: bytes, stop: bytes | None, gather: Gather) -> object:
    """What `gather` makes of a range, or a RangeJob, which is to be opened at once."""
    rows = Rows()
    if txn.scanner(start, stop).page(rows, ROWS, BYTES, STEPS):
        return RangeJob(txn.database, start, stop, gather)
    txn.seen = max(txn.seen, rows.seen)
    gather.add(rows)
    return gather.reply()


def opened(reply: object, store: Store) -> object:
    """A reply, or the job that makes it, opened."""
    if isinstance(reply, RangeJob):
        reply.open(store)
    return reply
