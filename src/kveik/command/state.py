"""What commands know of a connection and of the server. Plain state: no sockets, no asyncio.

The session keeps one Client each, the host one Server; both layers change them.
"""

from __future__ import annotations

from collections.abc import Callable

from kveik.command.command import Command
from kveik.command.cursors import Cursors
from kveik.command.feed import Feed, Feeds
from kveik.command.glob import Glob
from kveik.command.measures import Measures
from kveik.disk.api import Disk
from kveik.engine.notices import Notices
from kveik.engine.store import Store
from kveik.engine.upkeep import Upkeep
from kveik.errors import CommandError
from kveik.limits import MAX_BUFFERED, MAX_CONNECTIONS
from kveik.model import Push
from kveik.native import i64


def _nothing() -> None:
    pass


def _nowhere(work: Callable[[], None]) -> None:
    raise CommandError("ERR this server has no threads")


def _no_place() -> Disk:
    raise CommandError("ERR this server has no place for copies")


def _never() -> bool:
    return False


class Queue:
    """What a client has sent since MULTI. failed: something of it was refused, so EXEC will be."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.arguments: list[list[bytes]] = []
        self.size: i64 = 0  # bytes
        self.failed = False
        self.writes = False


class Watch:
    """A key that a client watches. expires: of its value then; present: there was one."""

    def __init__(self, client: Client, present: bool, expires: i64) -> None:
        self.client = client
        self.present = present
        self.expires = expires


class Client:
    """One connection. protocol: RESP's version; closing: the reply being made is the last."""

    def __init__(self, server: Server, number: i64, address: str) -> None:
        self.server = server
        self.number = number
        self.address = address
        self.local = ""  # the address it has connected to
        self.descriptor = -1
        self.since = server.now  # Unix seconds
        self.active = server.now  # when it was last heard of
        self.heard = False  # since the last look
        self.command = ""  # its last one that was no plain GET or SET
        self.database: i64 = 0
        self.protocol: i64 = 2
        self.name = b""
        self.library = b""
        self.library_version = b""
        self.authenticated = not server.password
        self.loopback = False  # it is on this machine
        self.refusals: i64 = 0  # wrong passwords in a row
        self.closing = False
        self.plain = self.authenticated  # its GETs and SETs need no more than the short way
        self.silence: i64 = TALKS
        self.queue: Queue | None = None  # after MULTI
        self.watches: dict[bytes, Watch] = {}  # by stored key
        self.touched: i64 = 0  # the commit that changed one of them; 0 for none
        self.channels: dict[bytes, None] = {}
        self.shard_channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.feeds: list[Feed] = []  # its KV.WATCHes
        self.monitors = False
        self.waiting: Waiting | None = None  # a command that waits for time to pass
        self.outbox: list[Push] = []  # what it is told unasked and has not been sent
        self.outbox_size: i64 = 0  # bytes
        self.ended = False  # it is told nothing more
        # Its session: looks at the outbox; ends at once; goes on with what waits for time to pass.
        self.wake: Callable[[], None] = _nothing
        self.cut: Callable[[], None] = _nothing
        self.resume: Callable[[], None] = _nothing
        self.busy: Callable[[], bool] = _never  # whether it waits for an answer

    def push(self, push: Push) -> None:
        """Tell it something unasked."""
        if self.ended:
            return
        self.outbox.append(push)
        self.outbox_size += push.size
        self.wake()

    def leave_feeds(self) -> None:
        """End all its KV.WATCHes."""
        for feed in self.feeds:
            feed.end()
        self.feeds = []

    def subscriptions(self) -> i64:
        """To channels and patterns, as SUBSCRIBE counts them."""
        return len(self.channels) + len(self.patterns)

    def listens(self) -> bool:
        """Whether it may ask for nothing but subscriptions, as RESP2 has no pushes."""
        if self.protocol == 3:
            return False
        return bool(self.channels or self.patterns or self.shard_channels)

    def kind(self) -> bytes:
        """As CLIENT LIST TYPE has it; for Redis who monitors is a replica."""
        if self.channels or self.patterns or self.shard_channels:
            return b"pubsub"
        return b"replica" if self.monitors else b"normal"

    def settle(self) -> None:
        """Something has changed that says whether it is plain."""
        self.plain = (
            self.authenticated
            and self.queue is None
            and self.silence == TALKS
            and not self.listens()
        )

    def silent(self) -> bool:
        """Whether CLIENT REPLY keeps the reply back that has just been made."""
        silence = self.silence
        if silence == SKIPS_NEXT:
            self.silence = SKIPS
        elif silence == SKIPS:
            self.silence = TALKS
            self.settle()
        return silence != TALKS


class Waiting:
    """A command that waits for time to pass. unblocked: by CLIENT UNBLOCK, with an error or not."""

    def __init__(self) -> None:
        self.unblocked = False
        self.error = False


# What CLIENT REPLY has asked for.
TALKS = 0
OFF = 1
SKIPS_NEXT = 2  # its own reply, then the next one
SKIPS = 3


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
        self.now = started
        self.facts: dict[str, str] = {}  # of this installation: loop, flavour, pid, port
        self.most_connections: i64 = MAX_CONNECTIONS
        self.connection_limit: i64 = MAX_CONNECTIONS  # the system allows no more
        self.connections: i64 = 0  # now open
        self.connections_ever: i64 = 0
        self.connections_before: i64 = 0  # of these, when statistics were last reset
        self.refused: i64 = 0  # connections beyond most_connections
        self.evicted: i64 = 0  # connections cut off, as all together held back too much
        self.slow: i64 = 0  # connections cut off, as they did not read what they are told unasked
        self.buffered: i64 = 0  # bytes held back for all connections: requests, replies, pushes
        self.most_buffered: i64 = MAX_BUFFERED
        self.bytes_in: i64 = 0
        self.bytes_out: i64 = 0
        self.clients: dict[int, Client] = {}
        self.password = b""  # empty: everybody may do everything
        self.idle_timeout: i64 = 0  # seconds after which who says nothing is cut off; 0: never
        self.idle: i64 = 0  # connections cut off for that
        # Who is told of what others do. The short ways look at the two flags alone.
        self.reads_plain = True
        self.writes_plain = True
        self.notices = Notices()
        self.events: frozenset[str] = frozenset()  # classes of keyspace notifications
        self.watched: dict[bytes, dict[Client, Watch]] = {}  # by stored key
        self.channels: dict[bytes, dict[Client, None]] = {}
        self.shard_channels: dict[bytes, dict[Client, None]] = {}
        self.patterns: dict[bytes, dict[Client, None]] = {}
        self.globs: dict[bytes, Glob] = {}  # of each pattern
        self.subscriptions: i64 = 0  # of all clients
        self.monitors: dict[Client, None] = {}
        self.paused_until = 0.0  # as time.monotonic; 0 for no pause
        self.pauses_reads = False
        self.queued: i64 = 0  # bytes in all queues
        self.commands: i64 = 0  # but for the plain ones
        self.plain_hits: i64 = 0  # plain GETs that found something
        self.plain_misses: i64 = 0
        self.plain_sets: i64 = 0
        self.forgotten: i64 = 0  # of all commands, when statistics were last reset
        self.measures = Measures()
        self.last_sync = started  # Unix seconds
        self.cursors = Cursors()
        self.feeds = Feeds(store)
        self.upkeep: Upkeep | None = None  # for its statistics
        self.keep_up: Callable[[], None] = _nothing  # begins whatever upkeep is due
        self.beside: Callable[[Callable[[], None]], None] = _nowhere  # runs it on another thread
        self.place: Callable[[], Disk] = _no_place  # makes an empty directory for a copy
        self.sync: Callable[[], None] = _nothing  # begin one soon
        self.used_memory = 0  # bytes resident; the app refreshes it
        self.peak_memory = 0
        self.cpu_user = 0.0
        self.cpu_system = 0.0
        self.rate = 0.0  # commands a second, lately
        self.performed_before = 0  # commands, when that was last reckoned

    def settle(self) -> None:
        """Something has changed that says whether anybody must be told of what is done."""
        paused = self.paused_until > 0.0
        self.reads_plain = not (self.monitors or (paused and self.pauses_reads))
        told = paused or self.watched or self.notices.on
        self.writes_plain = self.reads_plain and not told

    def resume(self) -> None:
        """The pause is over."""
        self.paused_until = 0.0
        self.settle()
        for client in list(self.clients.values()):
            client.resume()

    def performed(self) -> int:
        """Commands, all in all."""
        return self.commands + self.plain_hits + self.plain_misses + self.plain_sets
