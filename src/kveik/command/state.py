"""What commands know of a connection and of the server. Plain state: no sockets, no asyncio.

The session keeps one Client each, the host one Server; both layers change them.
"""

from __future__ import annotations

from collections.abc import Callable

from kveik.command.cursors import Cursors
from kveik.command.feed import Feed, Feeds
from kveik.disk.api import Disk
from kveik.engine.store import Store
from kveik.errors import CommandError
from kveik.limits import MAX_BUFFERED, MAX_CONNECTIONS
from kveik.model import Push
from kveik.native import i64


def _nobody() -> None:
    pass


def _nowhere(work: Callable[[], None]) -> None:
    raise CommandError("ERR this server has no threads")


def _no_place() -> Disk:
    raise CommandError("ERR this server has no place for copies")


class Client:
    """One connection. protocol: RESP's version; closing: the reply being made is the last."""

    def __init__(self, server: Server, number: i64, address: str) -> None:
        self.server = server
        self.number = number
        self.address = address
        self.database: i64 = 0
        self.protocol: i64 = 2
        self.name = b""
        self.library = b""
        self.library_version = b""
        self.authenticated = not server.password
        self.loopback = False  # it is on this machine
        self.closing = False
        self.plain = self.authenticated  # its GETs and SETs need no more than the short way
        self.outbox: list[Push] = []  # what it is told unasked and has not been sent
        self.outbox_size: i64 = 0  # bytes
        self.wake: Callable[[], None] = _nobody  # its session looks at the outbox
        self.feeds: list[Feed] = []  # its KV.WATCHes

    def push(self, push: Push) -> None:
        """Tell it something unasked."""
        self.outbox.append(push)
        self.outbox_size += push.size
        self.wake()

    def settle(self) -> None:
        """Something has changed that says whether it is plain."""
        self.plain = self.authenticated

    def reset(self) -> None:
        """As if newly connected."""
        self.database = 0
        self.protocol = 2
        self.name = b""
        self.leave_feeds()

    def leave_feeds(self) -> None:
        """End all its KV.WATCHes."""
        for feed in self.feeds:
            feed.end()
        self.feeds = []


class Server:
    """The whole server. started: Unix seconds; configuration: what CONFIG GET shows.

    stop begins a graceful end.
    """

    def __init__(
        self,
        store: Store,
        configuration: dict[str, str],
        started: float,
        stop: Callable[[], None],
    ) -> None:
        self.store = store
        self.stop = stop
        self.configuration = configuration
        self.started = started
        self.facts: dict[str, str] = {}  # of this installation: loop, flavour, pid, port
        self.most_connections: i64 = MAX_CONNECTIONS
        self.password = b""  # empty: everybody may do everything
        self.keep_up: Callable[[], None] = _nobody  # begins whatever upkeep is due
        self.beside: Callable[[Callable[[], None]], None] = _nowhere  # runs it on another thread
        self.place: Callable[[], Disk] = _no_place  # makes an empty directory for a copy
        self.connections: i64 = 0  # now open
        self.connections_ever: i64 = 0
        self.refused: i64 = 0  # connections past most_connections
        self.evicted: i64 = 0  # connections cut off, as all together held back too much
        self.slow: i64 = 0  # connections cut off, as they did not read what they are told unasked
        self.idle: i64 = 0  # connections closed, as nothing came for idle_timeout
        self.idle_timeout: i64 = 0  # seconds; 0 for none
        self.buffered: i64 = 0  # bytes held back for all connections: requests, replies, pushes
        self.most_buffered: i64 = MAX_BUFFERED
        self.bytes_in: i64 = 0
        self.bytes_out: i64 = 0
        self.rate = 0.0  # commands a second, lately
        self.measured: i64 = 0  # commands when that was last measured
        self.feeds = Feeds(store)
        self.commands: i64 = 0
        self.used_memory = 0  # bytes resident; the app refreshes it
        self.peak_memory = 0
        self.cpu_user = 0.0
        self.cpu_system = 0.0
        self.now = started
        self.cursors = Cursors()
