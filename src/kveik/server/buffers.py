"""What all connections hold back together, under one bound.

Half-received requests, gathered answers, replies and pushes that have not left: each connection
counts its own after so many bytes in and out, so the sum may lag behind. Before anybody is cut off
all are counted anew. Called by the sessions and, once a second, by the app.
"""

from __future__ import annotations

import logging
from typing import Protocol

from kveik.command.state import Client, Server
from kveik.limits import COUNT_EVERY
from kveik.native import i64

log = logging.getLogger("kveik")


class Holder(Protocol):
    """A connection."""

    client: Client

    def held(self) -> i64:
        """Bytes that it holds back."""
        ...

    def abort(self) -> None: ...


class Share:
    """What one connection holds back. size: when it last counted."""

    def __init__(self, buffers: Buffers, holder: Holder) -> None:
        self._buffers = buffers
        self._holder = holder
        self._server = buffers.server
        self._traffic: i64 = 0  # bytes in and out since it last counted
        self.size: i64 = 0
        buffers.shares[self] = None

    def came(self, size: i64) -> None:
        """So many bytes have come."""
        self._server.bytes_in += size
        self._traffic += size

    def left(self, size: i64) -> None:
        """So many bytes were sent."""
        self._server.bytes_out += size
        self._traffic += size

    def look_after(self) -> None:
        """After much in and out: see how much is held back; if it is too much, cut somebody off."""
        if self._traffic >= COUNT_EVERY:
            self.grown()

    def grown(self) -> None:
        """It may hold back much more."""
        self.count()
        if self._server.buffered > self._server.most_buffered:
            self._buffers.relieve()

    def count(self) -> i64:
        """What is held back now; the server's sum is brought up to date."""
        size = self._holder.held()
        self._server.buffered += size - self.size
        self.size = size
        self._traffic = 0
        return size

    def evict(self) -> None:
        """Cut it off: it holds back most, and all together hold back too much."""
        server = self._server
        address = self._holder.client.address
        held = f"it holds back {self.size} of the {server.buffered} bytes of all connections"
        log.warning("connection %s cut off: %s (bound: %d)", address, held, server.most_buffered)
        server.evicted += 1
        self.end()
        self._holder.abort()

    def end(self) -> None:
        """The connection is lost, or will be."""
        self._server.buffered -= self.size
        self.size = 0
        self._buffers.shares.pop(self, None)


class Buffers:
    """The shares of all connections."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.shares: dict[Share, None] = {}

    def relieve(self) -> None:
        """Cut off whoever holds back most, until all together are within the bound."""
        server = self.server
        for share in self.shares:
            share.count()
        while server.buffered > server.most_buffered and self.shares:
            max(self.shares, key=_size).evict()

    def tick(self) -> None:
        """A second or so has passed."""
        for share in list(self.shares):
            share.count()


def _size(share: Share) -> int:
    return share.size
