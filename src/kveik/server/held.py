"""Replies that wait behind the gate, each until the commit is safe that it shows.

Invariant: they leave in the order in which they were added. Called by the session.
"""

from __future__ import annotations

from kveik.native import i64


class Held:
    """size: bytes."""

    def __init__(self) -> None:
        self.size: i64 = 0
        self._queue: list[tuple[int, bytes]] = []  # (commit, bytes)

    def empty(self) -> bool:
        return len(self._queue) == 0

    def add(self, need: i64, data: bytes) -> None:
        """Hold data until the commit `need` is safe."""
        self._queue.append((need, data))
        self.size += len(data)

    def take(self, safe: i64) -> bytes:
        """What may leave now."""
        queue = self._queue
        ready: list[bytes] = []
        while queue and queue[0][0] <= safe:
            data = queue.pop(0)[1]
            self.size -= len(data)
            ready.append(data)
        return ready[0] if len(ready) == 1 else b"".join(ready)

    def drop(self) -> None:
        """Nothing of it will ever leave."""
        self._queue = []
        self.size = 0
