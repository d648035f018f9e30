"""KV.WATCH KV.UNWATCH: being told of changes, as they become safe. Called through the registry.

A commit is told as one push: ["kv.watch", prefix, lsn, changes], a change being ["put", key, value]
or ["put", key, value, expires], ["delete", key] or ["delrange", min, max], in KV.RANGE's notation;
with TYPES the type of a value stands before it.
A watch that cannot go on ends with ["kv.unwatch", prefix, lsn, why], lsn being the last one told.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, integer
from kveik.command.command import Command, on_client
from kveik.command.feed import Feed
from kveik.command.job import Job
from kveik.command.state import Client
from kveik.engine.tail import LogGone, Tail
from kveik.errors import CommandError, KveikError
from kveik.limits import MAX_FEEDS, MAX_KEY

LOOK: Final = 0.002  # seconds between looks at whether it is found


def kv_watch(client: Client, args: list[bytes]) -> object:
    """KV.WATCH prefix [FROM lsn] [TYPES]: the LSN behind which it begins, that of what is safe now.

    FROM: everything behind an earlier one, for as long as the log is kept. Where that stands is
    looked for beside the loop, as the first commit of each segment is read, and may be large.
    """
    prefix = args[1]
    typed = len(args) > 2 and args[-1].upper() == b"TYPES"
    more = args[2:-1] if typed else args[2:]
    if len(more) not in (0, 2) or (more and more[0].upper() != b"FROM"):
        raise CommandError(SYNTAX)
    if len(prefix) > MAX_KEY:
        raise CommandError(f"ERR a key has at most {MAX_KEY} bytes")
    _check(client, prefix)
    feeds = client.server.feeds
    place = feeds.place
    lsn = integer(more[1]) if more else place.lsn
    if not 0 <= lsn <= place.lsn:
        raise CommandError(f"ERR FROM is an LSN from 0 to {place.lsn}, the last one that is safe")
    tail = Tail(feeds.disk, lsn, place if lsn == place.lsn else None)
    if lsn < place.lsn:
        return Search(client, prefix, typed, tail)
    return _begin(client, prefix, typed, tail)


def _check(client: Client, prefix: bytes) -> None:
    """CommandError if there cannot be another watch."""
    feeds = client.server.feeds
    client.feeds = [feed for feed in client.feeds if feed in feeds.all]
    if any([feed.prefix == prefix for feed in client.feeds]):
        raise CommandError("ERR this prefix is watched already")
    if len(feeds.all) >= MAX_FEEDS:
        raise CommandError(f"ERR at most {MAX_FEEDS} prefixes can be watched at once")


def _begin(client: Client, prefix: bytes, typed: bool, tail: Tail) -> object:
    lsn = tail.lsn
    feed = Feed(client.server.feeds, client, client.database, prefix, typed, tail)
    client.feeds.append(feed)
    feed.go_on()
    return lsn


class Search(Job):
    """Waits until the place of a watch in the log has been found."""

    def __init__(self, client: Client, prefix: bytes, typed: bool, tail: Tail) -> None:
        super().__init__()
        self.delay = LOOK
        self._client = client
        self._prefix = prefix
        self._typed = typed
        self._tail = tail
        self._found = False
        self._error: Exception | None = None
        client.server.feeds.beside(self._find, self._done)

    def _find(self) -> None:
        """Beside the loop."""
        try:
            self._tail.find()
        except LogGone as gone:
            self._error = CommandError(f"LOGGONE {gone}")
        except (KveikError, OSError) as error:
            self._error = error

    def _done(self) -> None:
        self._found = True

    def step(self) -> bool:
        if self._error is not None and self._found:
            raise self._error
        return not self._found

    def reply(self) -> object:
        _check(self._client, self._prefix)  # others have begun watches meanwhile
        return _begin(self._client, self._prefix, self._typed, self._tail)


def kv_unwatch(client: Client, args: list[bytes]) -> object:
    """KV.UNWATCH [prefix ...]: how many watches were ended; without a prefix all are."""
    watching = client.server.feeds.all
    feeds = [feed for feed in client.feeds if feed in watching]
    ended = [feed for feed in feeds if len(args) == 1 or feed.prefix in args[1:]]
    for feed in ended:
        feed.end()
    client.feeds = [feed for feed in feeds if feed not in ended]
    return len(ended)


COMMANDS: Final[list[Command]] = [
    on_client(
        kv_watch,
        "KV.WATCH",
        -2,
        "pubsub noscript no_multi",
        "pubsub",
        "Tells of changes to the keys with a prefix, from now on or from an earlier one.",
        since="0.1.0",
    ),
    on_client(
        kv_unwatch,
        "KV.UNWATCH",
        -1,
        "pubsub noscript",
        "pubsub",
        "Tells of changes to the keys with a prefix no more.",
        since="0.1.0",
    ),
]
