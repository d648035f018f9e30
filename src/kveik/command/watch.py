"""KV.WATCH KV.UNWATCH: being told of changes, as they become safe. Called through the registry.

A commit is told as one push: ["kv.watch", prefix, lsn, changes], a change being ["put", key, value]
or ["put", key, value, expires], ["delete", key] or ["delrange", min, max], in KV.RANGE's notation.
A watch that cannot go on ends with ["kv.unwatch", prefix, lsn, why], lsn being the last one told.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, integer
from kveik.command.command import Command, on_client
from kveik.command.feed import Feed
from kveik.command.state import Client
from kveik.engine.tail import LogGone, Tail
from kveik.errors import CommandError
from kveik.limits import MAX_FEEDS, MAX_KEY


def kv_watch(client: Client, args: list[bytes]) -> object:
    """KV.WATCH prefix [FROM lsn]: the LSN behind which it begins, that of what is safe now.

    FROM: everything behind an earlier one, for as long as the log is kept.
    """
    feeds = client.server.feeds
    prefix = args[1]
    if len(args) not in (2, 4) or (len(args) == 4 and args[2].upper() != b"FROM"):
        raise CommandError(SYNTAX)
    if len(prefix) > MAX_KEY:
        raise CommandError(f"ERR a key has at most {MAX_KEY} bytes")
    client.feeds = [feed for feed in client.feeds if feed in feeds.all]
    if any([feed.prefix == prefix for feed in client.feeds]):
        raise CommandError("ERR this prefix is watched already")
    if len(feeds.all) >= MAX_FEEDS:
        raise CommandError(f"ERR at most {MAX_FEEDS} prefixes can be watched at once")
    place = feeds.place
    lsn = integer(args[3]) if len(args) == 4 else place.lsn
    if not 0 <= lsn <= place.lsn:
        raise CommandError(f"ERR FROM is an LSN from 0 to {place.lsn}, the last one that is safe")
    tail = Tail(feeds.disk, lsn, place if lsn == place.lsn else None)
    if lsn < place.lsn:
        try:
            tail.find()
        except LogGone as gone:
            raise CommandError(f"LOGGONE {gone}") from None
    feed = Feed(feeds, client, client.database, prefix, tail)
    client.feeds.append(feed)
    feed.go_on()
    return lsn


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
        "pubsub noscript",
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
