"""Telling clients of changes, commit by commit, in order: the log is read for each who watches.

A Feed reads a page of the log beside the loop, tells what concerns it, and goes on once that has
been sent: what came before it began and what comes later go the same way, and a slow reader costs
no more memory than a fast one. Invariants: only what is safe is told; a commit is told as a whole,
once. `go_on`, `end` and `advance` are called on the loop; `beside` runs the reading elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kveik.command.typed import NAMES
from kveik.engine.store import Store
from kveik.engine.tail import Place, Tail
from kveik.engine.transaction import PREFIXES
from kveik.errors import KveikError
from kveik.format.keys import successor
from kveik.limits import ITEM_SIZE, OUTPUT_BOUND
from kveik.model import CLEARED, DELETED, Cell, Push, Writes
from kveik.native import i64

TOLD = b"kv.watch"
ENDED = b"kv.unwatch"


class Listener(Protocol):
    """A client."""

    outbox_size: i64

    def push(self, push: Push) -> None: ...


def here(work: Callable[[], None], done: Callable[[], None]) -> None:
    """Do the work at once, in place of beside."""
    work()
    done()


class Feeds:
    """All of them. place: the end of what is safe; beside: has work done, then calls back."""

    def __init__(self, store: Store) -> None:
        self.disk = store.disk
        log = store.log
        number: i64 = 0 if log is None else log.number()
        offset: i64 = 0 if log is None else log.offset()
        self.place = Place(store.lsn(), number, offset)
        self.beside: Callable[[Callable[[], None], Callable[[], None]], None] = here
        self.all: dict[Feed, None] = {}

    def advance(self, lsn: i64, number: i64, offset: i64) -> None:
        """More is safe."""
        self.place = Place(lsn, number, offset)
        if self.all:
            for feed in list(self.all):
                feed.go_on()


class Feed:
    """The changes of the keys of a database that begin with a prefix, told to a listener."""

    def __init__(
        self,
        feeds: Feeds,
        listener: Listener,
        database: i64,
        prefix: bytes,
        typed: bool,
        tail: Tail,
    ) -> None:
        """typed: values are told with their types."""
        self.prefix = prefix
        self.lsn = tail.lsn  # the last commit that was read
        self.size: i64 = 0  # bytes of what is to be told
        self._feeds = feeds
        self._listener = listener
        self._typed = typed
        self._tail = tail
        self._low = PREFIXES[database] + prefix
        self._end = PREFIXES[database + 1]
        self._high = successor(self._low) or self._end
        self._told: list[Push] = []
        self._reading = False
        self._safe: i64 = 0  # up to where it reads
        self._error: Exception | None = None
        feeds.all[self] = None

    def go_on(self) -> None:
        """Tell what is there while there is room, then read more of what is safe."""
        told = self._told
        listener = self._listener
        while not self._reading and told:
            size = told[0].size
            if listener.outbox_size > 0 and listener.outbox_size + size > OUTPUT_BOUND:
                return
            self.size -= size
            listener.push(told.pop(0))
        feeds = self._feeds
        self._safe = feeds.place.lsn
        if self._reading or listener.outbox_size > 0 or self not in feeds.all:
            return
        if self._error is not None:
            self._fail(self._error)
        elif self.lsn < self._safe:
            self._reading = True
            feeds.beside(self._read, self._done)

    def end(self) -> None:
        """Nobody listens any more."""
        self._feeds.all.pop(self, None)
        self._told = []

    def _fail(self, error: Exception) -> None:
        self.end()
        text = str(error).encode()
        self._listener.push(Push([ENDED, self.prefix, self.lsn, text], len(text)))

    def _read(self) -> None:
        """Beside the loop."""
        try:
            self._tail.read(self._safe, self._take)
        except (KveikError, OSError) as error:
            self._error = error

    def _done(self) -> None:
        self._reading = False
        if self not in self._feeds.all:
            self._told = []
            return
        self.lsn = self._tail.lsn
        self.size = sum([push.size for push in self._told])
        self.go_on()

    def _take(self, lsn: i64, writes: Writes) -> None:
        """What a commit has changed, if that is anything here."""
        changes: list[object] = []
        size: i64 = 0
        at: i64 = 0
        while at < writes.count:
            change = self._change(writes.keys[at], writes.cells[at])
            if change is not None:
                changes.append(change)
                size += len(writes.keys[at]) + len(writes.cells[at].data) + 4 * ITEM_SIZE
            at += 1
        if changes:
            self._told.append(Push([TOLD, self.prefix, lsn, changes], size))

    def _change(self, key: bytes, cell: Cell) -> object:
        if cell.kind == CLEARED:
            start = max(key, self._low)
            stop = min(cell.data, self._high)
            if start >= stop:
                return None
            first = b"[" + start[1:] if len(start) > 1 else b"-"
            return [b"delrange", first, b"(" + stop[1:] if stop < self._end else b"+"]
        if not key.startswith(self._low):
            return None
        if cell.kind == DELETED:
            return [b"delete", key[1:]]
        change: list[object] = [b"put", key[1:], cell.data]
        if self._typed:
            change.insert(2, NAMES[cell.kind])
        if cell.expires != 0:
            change.append(cell.expires)
        return change
