"""Replies that wait behind the gate, each until the commit is safe that it shows.

Invariant: they leave in the order in which they were added. Called by the session.
"""

from __future__ import annotations

from kveik.native import i64


class Held:
    """size: bytes; need: the commit that the first piece waits for.

    Mostly one piece is held, which therefore has a place of its own.
    """

    def __init__(self) -> None:
        self.size: i64 = 0
        self.need: i64 = 0
        self._data = b""  # the first piece; empty where there is none
        self._queue: list[tuple[int, bytes]] = []  # the others: (commit, bytes)

    def empty(self) -> bool:
        return self.size == 0

    def add(self, need: i64, data: bytes) -> None:
        """Hold data, of which there is some, until the commit `need` is safe."""
        if self.size == 0:
            self.need = need
            self._data = data
        else:
            self._queue.append((need, data))
        self.size += len(data)

    def take(self, safe: i64) -> bytes:
        """What may leave now."""
        if self.need > safe:
            return b""
        ready = self._data
        self._data = b""
        if self._queue:
            ready = self._join(ready, safe)
        self.size -= len(ready)
        return ready

    def _join(self, first: bytes, safe: i64) -> bytes:
        """The first piece, and what may leave behind it; the next one takes its place."""
        queue = self._queue
        ready = [first]
        while queue:
            need, data = queue.pop(0)
            if need > safe:
                self.need = need
                self._data = data
                break
            ready.append(data)
        return b"".join(ready)

    def drop(self) -> None:
        """Nothing of it will ever leave."""
        self._data = b""
        self._queue = []
        self.size = 0
