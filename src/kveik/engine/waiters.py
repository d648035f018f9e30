"""Threads that wait for a commit to be safe: each is woken once it is, and one of the rest to lead.

A condition would wake everybody after each sync, most of them in vain. Invariant: as long as anyone
waits and nobody syncs, somebody has been woken to. Called by the shared store, its lock held.
"""

from __future__ import annotations

from kveik.native import Lock, i64


class Waiter:
    """One thread, which stands at a gate until it is released."""

    def __init__(self, lsn: i64) -> None:
        self.lsn = lsn
        self.gate = Lock()
        self.gate.acquire()


class Waiters:
    def __init__(self, lock: Lock) -> None:
        """lock: what callers hold; given away while they wait."""
        self._lock = lock
        self._queue: list[Waiter] = []

    def wait(self, lsn: i64) -> None:
        """Return when there is news: lsn may be safe, or it is up to this thread to see to it."""
        waiter = Waiter(lsn)
        self._queue.append(waiter)
        self._lock.release()
        through = False
        try:
            waiter.gate.acquire()
            through = True
        finally:
            self._lock.acquire()
            if not through:  # Ctrl-C: what it was woken for is another's
                if waiter in self._queue:
                    self._queue.remove(waiter)
                self.lead()

    def wake(self, safe: i64) -> None:
        """Wake whoever waits for no more than safe."""
        left: list[Waiter] = []
        for waiter in self._queue:
            if waiter.lsn <= safe:
                waiter.gate.release()
            else:
                left.append(waiter)
        self._queue = left

    def lead(self) -> None:
        """Wake one, to see to it that the rest need not wait for ever."""
        if self._queue:
            self._queue.pop(0).gate.release()
