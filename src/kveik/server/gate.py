"""The gate: a reply leaves when what it shows is safe, at the end of the loop's turn.

What has come in a turn is answered together, and its replies leave together: a client that waits
for several is woken once, not by each. What is committed in a turn makes a group. It is performed
on the loop itself where that is cheaper than handing it over: when there is no other connection to
keep waiting, or while the disk syncs in less time than a hand-over takes. A slow disk has several
syncs under way, each in a lane of its own.
Invariants: `safe` never falls; groups are settled in the order in which they were taken, and none
after one has failed; sessions are released in the order in which they came to wait. Called by the
host and the sessions, on the loop's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from kveik.command.state import Server
from kveik.engine.log import Group
from kveik.limits import SMALL_READ
from kveik.native import i64

CHEAP_SYNC: Final = 0.00025  # seconds; below it a hand-over gains less than it costs
LANES: Final = 4  # syncs under way at once
SAMPLE: Final = 16  # flights, the fastest of which tells what a sync takes


class Waiter:
    """Whoever has requests to answer and holds replies back."""

    def go_on(self) -> None:
        """Answer what has come."""
        raise NotImplementedError

    def release(self) -> None:
        """More is safe."""
        raise NotImplementedError


class Loop(Protocol):
    """What the gate needs of an event loop."""

    def call_soon(self, callback: Callable[[], None], /) -> object: ...


class Flight:
    """A group that is performed beside the loop. seconds, error: how that went, once it is over."""

    def __init__(self, group: Group, lane: i64) -> None:
        self.group = group
        self.lane = lane
        self.over = False
        self.seconds = 0.0
        self.error: Exception | None = None


# Performs a flight beside the loop, then calls back on the loop.
Perform = Callable[[Flight, Callable[[Flight], None]], None]


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
        self.busy = False  # groups are being performed beside the loop, or wait for that
        self._flights: list[Flight] = []  # in the order in which they were taken
        self._held: Group | None = None  # the next, which goes alone
        self._taken: i64 = 0  # the last commit of the last group
        self._scheduled = False
        self._wanted = False  # a sync, whatever the durability
        self._asked: list[Waiter] = []  # to be answered at the end of this turn
        self._waiting: list[Waiter] = []
        self._leaving: list[Waiter] = []  # at the end of this turn
        self._cost = 0.0  # seconds a sync takes, lately
        self._fastest = 0.0  # seconds that a flight of the sample took
        self._sampled: i64 = 0
        self.safe: i64 = self._store.lsn()
        server.sync = self.sync_soon

    def answer(self, waiter: Waiter, size: i64) -> None:
        """Have it answer what has come, size bytes: at the end of this turn, one after the other.

        So code and data that all of them need stay in the processor's caches, where they would be
        replaced between two reads. At once if that keeps nobody waiting, or much has come.
        """
        if size > SMALL_READ or self._server.connections <= 1:
            waiter.go_on()
        else:
            self._asked.append(waiter)
            self.commit_soon()

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
        asked = self._asked
        self._asked = []
        try:
            for waiter in asked:
                waiter.go_on()
        finally:
            self._scheduled = False
        leaving = self._leaving
        self._leaving = []
        if not self.busy:
            self._start(self._always or self._wanted)
        elif (self._store.lsn() - self._taken) * LANES >= self._server.connections:
            self._join()  # of fewer it costs more than it gains
        for waiter in leaving:
            waiter.release()

    def _start(self, sync: bool) -> None:
        if sync:
            self._wanted = False
        group = self._take(sync)
        if group is None:
            return
        if not sync or self._server.connections <= 1 or self._cost < CHEAP_SYNC:
            self._perform_here(group)
        else:
            self._hand_over(group)

    def _join(self) -> None:
        """Let another group set out while others are under way, if it may."""
        if not self._has_lane():
            return
        group = self._take(True)
        if group is None:
            return
        lane: i64 = 0
        while any([flight.lane == lane for flight in self._flights]):
            lane += 1
        if not group.goes_alone() and group.take_lane(lane):
            self._hand_over(group, lane)
        else:
            self._held = group

    def _has_lane(self) -> bool:
        flights: i64 = len(self._flights)
        if not 0 < flights < LANES or self._held is not None or not self._always:
            return False
        if self._flights[0].group.goes_alone():
            return False
        return self._cost >= CHEAP_SYNC and self._store.pending() > 0

    def _hand_over(self, group: Group, lane: i64 = 0) -> None:
        self.busy = True
        flight = Flight(group, lane)
        self._flights.append(flight)
        self._perform(flight, self._landed)

    def _perform_here(self, group: Group) -> None:
        begin = time.perf_counter()
        error: Exception | None = None
        try:
            group.perform()
        except Exception as caught:  # whatever it was, what the disk holds is unknown
            error = caught
        seconds = time.perf_counter() - begin
        if group.sync:
            self._cost += (seconds - self._cost) / 8
        self._settle(group, seconds, error)

    def _landed(self, flight: Flight) -> None:
        """A flight is over; settle those that are over and that no other one is ahead of."""
        flight.over = True
        flights = self._flights
        if flight.error is not None and not self._store.broken:
            self._settle(flight.group, flight.seconds, flight.error)
        while flights and flights[0].over:
            first = flights.pop(0)
            self._learn(first.seconds)
            if not self._store.broken:
                self._settle(first.group, first.seconds, None)
        self.busy = len(flights) > 0
        if self.busy:
            self._join()
        else:
            self._go_on()

    def _learn(self, seconds: float) -> None:
        """What the disk takes; a flight also waited for the interpreter, while others ran."""
        self._fastest = seconds if self._sampled == 0 else min(self._fastest, seconds)
        self._sampled += 1
        if self._sampled == SAMPLE:
            self._cost = self._fastest
            self._sampled = 0

    def _go_on(self) -> None:
        """Nothing is under way any more."""
        held = self._held
        self._held = None
        if self._store.broken:
            return
        if held is not None:
            self._hand_over(held)
        elif self._store.pending() > 0 or self._wanted:
            self._start(self._always or self._wanted)

    def _settle(self, group: Group, seconds: float, error: Exception | None) -> None:
        if error is not None:
            self._store.fail(error)
        else:
            self._store.settle(group)
            self.safe = group.lsn
            self._server.feeds.advance(group.lsn, group.number, group.offset)
            if group.sync:
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
            group = self._take(True)
            if group is not None:
                self._hand_over(group)

    def _take(self, sync: bool) -> Group | None:
        group = self._store.take(sync)
        if group is not None:
            self._taken = group.lsn
        return group
