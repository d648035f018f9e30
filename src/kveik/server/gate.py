"""The gate: a reply leaves when what it shows is safe, at the end of the loop's turn.

Replies of one turn leave together: a client that waits for several is woken once, not by each. One
sync is under way at a time; what is committed meanwhile makes the next group. A group is
performed on the loop itself where that is cheaper than handing it over: when there is no other
connection to keep waiting, or while the disk syncs in less time than a hand-over takes.
Invariants: `safe` never falls; sessions are released in the order in which they came to wait.
Called by the host and the sessions, on the loop's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from kveik.command.state import Server
from kveik.engine.log import Group
from kveik.native import i64

CHEAP_SYNC: Final = 0.00025  # seconds; below it a hand-over gains less than it costs


class Waiter(Protocol):
    """Whoever holds replies back."""

    def release(self) -> None: ...


class Loop(Protocol):
    """What the gate needs of an event loop."""

    def call_soon(self, callback: Callable[[], None], /) -> object: ...


# Performs a group beside the loop, then calls back on the loop with what went wrong, or None.
Perform = Callable[[Group, Callable[[Group, float, Exception | None], None]], None]


class Gate:
    def __init__(
        self,
        server: Server,
        loop: Loop,
        durability: str,
        perform: Perform,
        keep_up: Callable[[], None] | None = None,
    ) -> None:
        """keep_up is called where there may be work for the store's upkeep."""
        self._server = server
        self._store = server.store
        self._keep_up = keep_up
        if self._store.log is not None:
            self._store.log.lazy = durability == "none"
        self._loop = loop
        self._always = durability == "always"
        self._store.gated = self._always
        self._perform = perform
        self.busy = False  # a group is being performed beside the loop
        self._scheduled = False
        self._wanted = False  # a sync, whatever the durability
        self._waiting: list[Waiter] = []
        self._leaving: list[Waiter] = []  # at the end of this turn
        self._cost = 0.0  # seconds a sync takes, lately
        self.safe: i64 = self._store.lsn()
        server.sync = self.sync_soon

    def wait(self, waiter: Waiter, need: i64) -> None:
        """Release the waiter once the commit `need` is safe, or sooner: then it asks again."""
        if need <= self.safe:
            self._leaving.append(waiter)
            self.commit_soon()
        else:
            self._waiting.append(waiter)

    def commit_soon(self) -> None:
        """There is something to write, or to let go, at the end of this turn."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._end_of_turn)

    def sync_soon(self) -> None:
        """Sync what is there at the end of this turn, whatever the durability."""
        self._wanted = True
        self.commit_soon()

    def _end_of_turn(self) -> None:
        self._scheduled = False
        leaving = self._leaving
        self._leaving = []
        if not self.busy:
            self._start(self._always or self._wanted)
        for waiter in leaving:
            waiter.release()

    def _start(self, sync: bool) -> None:
        if sync:
            self._wanted = False
        group = self._store.take(sync)
        if group is None:
            return
        if not sync or self._server.connections <= 1 or self._cost < CHEAP_SYNC:
            self._perform_here(group)
        else:
            self.busy = True
            self._perform(group, self._performed)

    def _perform_here(self, group: Group) -> None:
        begin = time.perf_counter()
        error: Exception | None = None
        try:
            group.perform()
        except Exception as caught:  # whatever it was, what the disk holds is unknown
            error = caught
        self._settle(group, time.perf_counter() - begin, error)

    def _performed(self, group: Group, seconds: float, error: Exception | None) -> None:
        self.busy = False
        self._settle(group, seconds, error)
        if (self._store.pending() > 0 or self._wanted) and not self._store.broken:
            self._start(self._always or self._wanted)

    def _settle(self, group: Group, seconds: float, error: Exception | None) -> None:
        if error is not None:
            self._store.fail(error)
        else:
            self._store.settle(group)
            self.safe = group.lsn
            self._server.feeds.advance(group.lsn, group.number, group.offset)
            if group.sync:
                self._cost += (seconds - self._cost) / 8
                self._server.last_sync = self._server.now
                self._server.measures.synced(seconds)
            if self._store.stirred and self._keep_up is not None:
                self._keep_up()
        waiting = self._waiting
        self._waiting = []
        for waiter in waiting:
            waiter.release()

    def sync_now(self) -> None:
        """Sync what was only written so far (durability "interval", once a second)."""
        if not self.busy and not self._store.broken:
            group = self._store.take(True)
            if group is not None:
                self.busy = True
                self._perform(group, self._performed)
