"""What the server has done beside the loop: blocks that commands wait for, and the upkeep.

Invariant: results are taken note of on the loop, as they come. Called by the app.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from kveik.engine.upkeep import Upkeep, Work
from kveik.server.host import Parked

LOADERS: Final = 4  # threads that read blocks; each has one request to the disk under way
READERS: Final = 2  # threads that read the log for KV.WATCH
LANES: Final = 4  # threads for a flush, a compaction, the removal of files, and copies


class Loader:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads = ThreadPoolExecutor(LOADERS, thread_name_prefix="kveik-load")

    def load(self, parked: Parked, done: Callable[[Parked], None]) -> None:
        """Read what a command waits for; done is called on the loop."""
        self._threads.submit(self._run, parked, done)

    def _run(self, parked: Parked, done: Callable[[Parked], None]) -> None:
        parked.load()
        try:
            self._loop.call_soon_threadsafe(done, parked)
        except RuntimeError:
            pass  # the loop has ended

    def stop(self) -> None:
        """Begin nothing more; what is under way harms nobody, and may take long."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Reader:
    """Reads the log for those who follow the changes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stopped = False
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="kveik-feed")

    def run(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        """Do the work beside the loop, then call done on it; nothing of it at the end."""
        if not self._stopped:
            self._threads.submit(self._run, work, done)

    def _run(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        work()
        try:
            self._loop.call_soon_threadsafe(done)
        except RuntimeError:
            pass  # the loop has ended

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True
        self._threads.shutdown(wait=False, cancel_futures=True)


class Keeper:
    def __init__(self, loop: asyncio.AbstractEventLoop, upkeep: Upkeep) -> None:
        self._loop = loop
        self.upkeep = upkeep
        self._threads = ThreadPoolExecutor(LANES, thread_name_prefix="kveik-upkeep")

    def keep_up(self) -> None:
        """Begin whatever upkeep is due."""
        work = self.upkeep.due()
        while work is not None:
            self._threads.submit(self._run, work)
            work = self.upkeep.due()
        self.upkeep.set_pace()

    def tick(self) -> None:
        """A second or so has passed: there may be time to tidy up, or room on the disk again."""
        self.upkeep.tick()
        self.keep_up()

    def _run(self, work: Work) -> None:
        work.perform()
        self._loop.call_soon_threadsafe(self._done, work)

    def _done(self, work: Work) -> None:
        self.upkeep.finish(work)
        self.keep_up()

    def beside(self, work: Callable[[], None]) -> None:
        """Run something on a thread of the upkeep."""
        self._threads.submit(work)

    async def end(self) -> None:
        """Let flushes end, so that little is replayed at the next start; break off the rest."""
        self.upkeep.end_compactions()
        while not self.upkeep.idle():
            await asyncio.sleep(0.005)
        self.upkeep.close()
        self._threads.shutdown(wait=True)
