"""Performs groups beside the loop: one thread, in order, with the result called back on the loop.

Called by the gate through `perform`. The queue is bounded by the gate, which hands over one group
at a time.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from kveik.engine.log import Group

Done = Callable[[Group, float, Exception | None], None]


class Syncer:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Group, Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="kveik-sync", daemon=True)
        self._thread.start()

    def perform(self, group: Group, done: Done) -> None:
        self._jobs.put((group, done))

    def stop(self) -> None:
        """Finish what was handed over, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, done = job
            begin = time.perf_counter()
            error: Exception | None = None
            try:
                group.perform()
            except Exception as caught:  # the gate decides; this thread must live on
                error = caught
            seconds = time.perf_counter() - begin
            self._loop.call_soon_threadsafe(done, group, seconds, error)
