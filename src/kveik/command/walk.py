"""Commands that go through a range: at once where it is short, else as a Job, a page a step.

Invariants: a Job's pages all show the instant at which its command ran; what a step does is
bounded in rows, bytes and stretches of deleted keys. A transaction that has written (EXEC) is read
itself, its own writes included; nothing comes between its steps. Called by the command modules.
"""

from __future__ import annotations

import gc

from kveik.command.arguments import TOO_MUCH
from kveik.command.job import Job
from kveik.engine.scan import Rows, Scan
from kveik.engine.snapshot import Snapshot
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import ITEM_SIZE, MAX_REPLY, WALK_BYTES, WALK_CHUNKS, WALK_NOTED, WALK_ROWS
from kveik.model import Pages
from kveik.native import i64


def crowded(txn: Transaction) -> bool:
    """Whether so many keys are new that to put them in their places takes a Job."""
    return txn.noted() > WALK_NOTED and not txn.dirty()


def short(
    txn: Transaction, start: bytes, stop: bytes | None, reverse: bool = False, most: i64 = -1
) -> Rows | None:
    """The entries from start to stop, at most `most`; None if that takes a Job."""
    if crowded(txn):
        return None
    rows = Rows()
    limit: i64 = most if 0 <= most < WALK_ROWS else WALK_ROWS
    more = txn.scanner(start, stop, reverse).page(rows, limit, WALK_BYTES, WALK_CHUNKS)
    if (more and (most < 0 or len(rows.keys) < most)) or rows.size > MAX_REPLY:
        return None
    txn.seen = max(txn.seen, rows.seen)
    return rows


class Instant(Job):
    """Reads one instant, once its new keys are in their places. txn: what to read it with."""

    def __init__(self, txn: Transaction) -> None:
        super().__init__()
        self.txn = txn
        self._snapshot: Snapshot | None = None
        if not txn.dirty():
            self._snapshot = txn.snapshot()
            self.txn = Transaction(self._snapshot)
            self.txn.begin(txn.database)

    def prepared(self) -> bool:
        """Whether there was something to do before anything can be read."""
        snapshot = self._snapshot
        if snapshot is not None:
            for memtable in snapshot.view.memtables:
                if memtable.prepare(WALK_ROWS):
                    return True
        return False

    def end(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            snapshot.let_go()


class Walk(Instant):
    """Goes through a range; `take` is given the rows of each page."""

    def __init__(
        self, txn: Transaction, start: bytes, stop: bytes | None, reverse: bool = False
    ) -> None:
        super().__init__(txn)
        self._rows = Rows()  # of a page that a Fault may have broken off
        self._scan: Scan | None = self.txn.scanner(start, stop, reverse)

    def step(self) -> bool:
        scan = self._scan
        if scan is None:
            return False
        if self.prepared():
            return True
        rows = self._rows
        more = scan.page(rows, WALK_ROWS, WALK_BYTES, WALK_CHUNKS)
        self._rows = Rows()
        self.seen = max(self.seen, rows.seen)
        if self.take(rows) and more:
            return True
        self.end()
        return False

    def take(self, rows: Rows) -> bool:
        """Use the next rows; False if they are enough."""
        raise NotImplementedError

    def end(self) -> None:
        self._scan = None
        super().end()


class Count(Walk):
    """How many entries there are."""

    def __init__(self, txn: Transaction, start: bytes, stop: bytes | None) -> None:
        super().__init__(txn, start, stop)
        self._count = 0

    def take(self, rows: Rows) -> bool:
        self._count += len(rows.keys)
        return True

    def reply(self) -> object:
        return self._count


class Gather(Walk):
    """A walk whose rows are the reply."""

    def __init__(
        self,
        txn: Transaction,
        start: bytes,
        stop: bytes | None,
        reverse: bool = False,
        pairs: bool = False,
    ) -> None:
        super().__init__(txn, start, stop, reverse)
        self._pages = Pages(pairs)

    def gather(self, items: list[object], size: i64) -> None:
        """Take a part of the reply; CommandError if that is too much. size: bytes of the items."""
        if items:
            size += ITEM_SIZE * len(items)
            self._pages.add(items, size)
            self.size = self._pages.size
            # Part by part: hundreds of them, gone through at once, would keep all others waiting.
            gc.collect(0)
        if self._pages.size > MAX_REPLY:
            raise CommandError(TOO_MUCH[4:] if self._pages.pairs else TOO_MUCH)

    def reply(self) -> object:
        return self._pages
