"""Performs groups beside the loop, a thread for each that is under way at once.

Called by the gate through `perform`; what came of it is called back on the loop. The queue is
bounded by the gate, which hands over no more than it has lanes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from kveik.server.gate import LANES, Flight

Done = Callable[[Flight], None]


class Syncer:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Flight, Done] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"kveik-sync-{number}", daemon=True)
            for number in range(LANES)
        ]
        for thread in self._threads:
            thread.start()

    def perform(self, flight: Flight, done: Done) -> None:
        self._jobs.put((flight, done))

    def stop(self) -> None:
        """Finish what was handed over, then end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            flight, done = job
            begin = time.perf_counter()
            try:
                flight.group.perform()
            except Exception as caught:  # the gate decides; this thread must live on
                flight.error = caught
            flight.seconds = time.perf_counter() - begin
            self._loop.call_soon_threadsafe(done, flight)
