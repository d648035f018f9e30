"""Publish and subscribe: channels, patterns, shard channels, and the notifications about keys.

A message leaves once everything that was committed before it is safe, so who hears of something
finds it. Invariant: a subscription is in the client's table and in the server's, or in none.
Called through the registry; `notify` by the host.
"""

from __future__ import annotations

from typing import Final

from kveik.command.command import ALL, NONE, ONE, Command, on_client
from kveik.command.glob import Glob
from kveik.command.state import Client, Server
from kveik.errors import CommandError
from kveik.limits import MAX_PATTERNS, MAX_SUBSCRIPTIONS
from kveik.model import Push, Replies
from kveik.native import i64

Table = dict[bytes, dict[Client, None]]


# --- subscribing --------------------------------------------------------------------------------


def subscribe(client: Client, args: list[bytes]) -> object:
    return _join(client, client.channels, client.server.channels, b"subscribe", args)


def ssubscribe(client: Client, args: list[bytes]) -> object:
    return _join(client, client.shard_channels, client.server.shard_channels, b"ssubscribe", args)


def psubscribe(client: Client, args: list[bytes]) -> object:
    globs = client.server.globs
    read = {pattern: Glob(pattern) for pattern in args[1:] if pattern not in globs}
    reply = _join(client, client.patterns, client.server.patterns, b"psubscribe", args)
    globs.update(read)
    return reply


def unsubscribe(client: Client, args: list[bytes]) -> object:
    return _part(client, client.channels, client.server.channels, b"unsubscribe", args)


def sunsubscribe(client: Client, args: list[bytes]) -> object:
    return _part(client, client.shard_channels, client.server.shard_channels, b"sunsubscribe", args)


def punsubscribe(client: Client, args: list[bytes]) -> object:
    return _part(client, client.patterns, client.server.patterns, b"punsubscribe", args)


def _join(
    client: Client, mine: dict[bytes, None], all_: Table, kind: bytes, args: list[bytes]
) -> object:
    server = client.server
    most = MAX_PATTERNS if all_ is server.patterns else MAX_SUBSCRIPTIONS
    if len(all_) + len(args) - 1 > most or server.subscriptions + len(args) > MAX_SUBSCRIPTIONS:
        raise CommandError("ERR there are too many subscriptions")
    replies: list[object] = []
    for name in args[1:]:
        if name not in mine:
            mine[name] = None
            all_.setdefault(name, {})[client] = None
            server.subscriptions += 1
        replies.append(_confirmation(client, mine, kind, name))
    client.settle()
    return Replies(replies)


def _part(
    client: Client, mine: dict[bytes, None], all_: Table, kind: bytes, args: list[bytes]
) -> object:
    names = args[1:] or list(mine)
    replies: list[object] = []
    for name in names:
        _leave(client, mine, all_, name)
        replies.append(_confirmation(client, mine, kind, name))
    if not names:
        replies.append(_confirmation(client, mine, kind, None))
    client.settle()
    return Replies(replies)


def _confirmation(
    client: Client, mine: dict[bytes, None], kind: bytes, name: bytes | None
) -> object:
    sharded = mine is client.shard_channels
    count = len(mine) if sharded else client.subscriptions()
    return Push([kind, name, count], 0)


def _leave(client: Client, mine: dict[bytes, None], all_: Table, name: bytes) -> None:
    if name in mine:
        del mine[name]
        listeners = all_[name]
        del listeners[client]
        if not listeners:
            del all_[name]
            if mine is client.patterns:
                del client.server.globs[name]
        client.server.subscriptions -= 1


def forget(client: Client) -> None:
    """End all its subscriptions."""
    server = client.server
    for mine, all_ in (
        (client.channels, server.channels),
        (client.shard_channels, server.shard_channels),
        (client.patterns, server.patterns),
    ):
        for name in list(mine):
            _leave(client, mine, all_, name)


# --- publishing ---------------------------------------------------------------------------------


def publish_(client: Client, args: list[bytes]) -> object:
    return publish(client.server, args[1], args[2])


def spublish(client: Client, args: list[bytes]) -> object:
    server = client.server
    listeners = server.shard_channels.get(args[1])
    if listeners is None:
        return 0
    return _send(server, listeners, [b"smessage", args[1], args[2]])


def publish(server: Server, channel: bytes, message: bytes) -> i64:
    """Tell whoever listens; how many that are."""
    count: i64 = 0
    listeners = server.channels.get(channel)
    if listeners is not None:
        count += _send(server, listeners, [b"message", channel, message])
    if server.patterns:
        for pattern, others in list(server.patterns.items()):
            if server.globs[pattern].matches(channel):
                count += _send(server, others, [b"pmessage", pattern, channel, message])
    return count


def _send(server: Server, listeners: dict[Client, None], items: list[object]) -> i64:
    size: i64 = 0
    for item in items:
        assert isinstance(item, bytes)
        size += len(item)
    push = Push(items, size + OVERHEAD, server.store.lsn())
    for client in list(listeners):  # who is cut off for reading too slowly leaves the table
        client.push(push)
    return len(listeners)


OVERHEAD: Final = 64  # bytes that a message takes beside its own


# --- notifications about keys -------------------------------------------------------------------

_STRINGS: Final = frozenset((b"set", b"setrange", b"incrby", b"incrbyfloat", b"append", b"setbit"))


def notify(server: Server, database: i64, event: bytes, key: bytes) -> None:
    """Tell whoever listens that something has happened to a key."""
    classes = server.events
    kind = "$" if event in _STRINGS else "x" if event == b"expired" else "g"
    if kind not in classes:
        return
    if "K" in classes:
        publish(server, b"__keyspace@%d__:%s" % (int(database), key), event)
    if "E" in classes:
        publish(server, b"__keyevent@%d__:%s" % (int(database), event), key)


_GROUP: Final = "pubsub"
_FLAGS: Final = "pubsub noscript loading stale"
_ASKING: Final = "pubsub loading stale"

COMMANDS: Final[list[Command]] = [
    on_client(
        psubscribe,
        "PSUBSCRIBE",
        -2,
        f"{_FLAGS} no_multi",
        _GROUP,
        "Listens for messages of channels that match patterns.",
        since="2.0.0",
    ),
    on_client(
        publish_,
        "PUBLISH",
        3,
        f"{_ASKING} fast",
        _GROUP,
        "Posts a message to a channel.",
        since="2.0.0",
    ),
    on_client(
        punsubscribe,
        "PUNSUBSCRIBE",
        -1,
        f"{_FLAGS} no_multi",
        _GROUP,
        "Stops listening to patterns, or to all.",
        since="2.0.0",
    ),
    on_client(
        spublish,
        "SPUBLISH",
        3,
        f"{_ASKING} fast",
        _GROUP,
        "Posts a message to a shard channel.",
        ONE,
        "7.0.0",
    ),
    on_client(
        ssubscribe,
        "SSUBSCRIBE",
        -2,
        f"{_FLAGS} no_multi",
        _GROUP,
        "Listens for messages of shard channels.",
        ALL,
        "7.0.0",
    ),
    on_client(
        subscribe,
        "SUBSCRIBE",
        -2,
        f"{_FLAGS} no_multi",
        _GROUP,
        "Listens for messages of channels.",
        NONE,
        "2.0.0",
    ),
    on_client(
        sunsubscribe,
        "SUNSUBSCRIBE",
        -1,
        f"{_FLAGS} no_multi",
        _GROUP,
        "Stops listening to shard channels, or to all.",
        NONE,
        "7.0.0",
    ),
    on_client(
        unsubscribe,
        "UNSUBSCRIBE",
        -1,
        f"{_FLAGS} no_multi",
        _GROUP,
        "Stops listening to channels, or to all.",
        since="2.0.0",
    ),
]
