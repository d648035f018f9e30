"""What all connections hold back together, under one bound; and who has been idle for too long.

Half-received requests, gathered answers, replies and pushes that have not left: each connection
counts its own now and then, so the sum may lag behind. Before anybody is cut off all are counted
anew. Called by the sessions and, once a second, by the app.
"""

from __future__ import annotations

from typing import Protocol

from kveik.command.state import Server
from kveik.native import i64


class Holder(Protocol):
    """A connection."""

    def count(self) -> i64:
        """Bytes that it holds back, counted now."""
        ...

    def evict(self) -> None:
        """Cut it off: it holds back most, and all together hold back too much."""
        ...

    def end_if_idle(self, before: float) -> None:
        """Close it if nothing has come since (Unix seconds), and nothing is under way."""
        ...


class Buffers:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._holders: dict[Holder, None] = {}

    def add(self, holder: Holder) -> None:
        self._holders[holder] = None

    def remove(self, holder: Holder) -> None:
        self._holders.pop(holder, None)

    def relieve(self) -> None:
        """Cut off whoever holds back most, until all together are within the bound."""
        server = self._server
        sizes = {holder: holder.count() for holder in self._holders}
        while server.buffered > server.most_buffered and sizes:
            largest = max(sizes, key=lambda holder: sizes[holder])
            del sizes[largest]
            largest.evict()

    def tick(self) -> None:
        """A second or so has passed."""
        server = self._server
        before: float = server.now - float(server.idle_timeout)
        for holder in list(self._holders):
            holder.count()
            if server.idle_timeout > 0:
                holder.end_if_idle(before)
