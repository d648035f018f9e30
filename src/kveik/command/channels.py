"""PUBSUB: who listens to what. Called through the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import wrong_member
from kveik.command.command import Command, family, member, on_client
from kveik.command.glob import Glob
from kveik.command.pubsub import Table
from kveik.command.state import Client
from kveik.errors import CommandError


def _channels(client: Client, args: list[bytes]) -> object:
    return _named(client.server.channels, args)


def _shard_channels(client: Client, args: list[bytes]) -> object:
    return _named(client.server.shard_channels, args)


def _named(table: Table, args: list[bytes]) -> object:
    if len(args) > 3:
        raise CommandError(wrong_member("PUBSUB", args))
    if len(args) == 2:
        return list(table)
    glob = Glob(args[2])
    return [name for name in table if glob.matches(name)]


def _numsub(client: Client, args: list[bytes]) -> object:
    return _counts(client.server.channels, args)


def _shard_numsub(client: Client, args: list[bytes]) -> object:
    return _counts(client.server.shard_channels, args)


def _counts(table: Table, args: list[bytes]) -> object:
    counts: list[object] = []
    for name in args[2:]:
        counts += [name, len(table.get(name, ()))]
    return counts


def _numpat(client: Client, args: list[bytes]) -> object:
    return len(client.server.patterns)


_GROUP: Final = "pubsub"
_ASKING: Final = "pubsub loading stale"
COMMANDS: Final[list[Command]] = [
    family(
        "PUBSUB",
        _GROUP,
        "A container for Pub/Sub commands.",
        [
            member(
                on_client(
                    _channels,
                    "PUBSUB|CHANNELS",
                    -2,
                    _ASKING,
                    _GROUP,
                    "Returns the active channels.",
                ),
                "[<pattern>]",
            ),
            member(
                on_client(
                    _numpat, "PUBSUB|NUMPAT", 2, _ASKING, _GROUP, "Returns the number of patterns."
                ),
                "",
            ),
            member(
                on_client(
                    _numsub,
                    "PUBSUB|NUMSUB",
                    -2,
                    _ASKING,
                    _GROUP,
                    "Returns the number of subscribers of channels.",
                ),
                "[<channel> ...]",
            ),
            member(
                on_client(
                    _shard_channels,
                    "PUBSUB|SHARDCHANNELS",
                    -2,
                    _ASKING,
                    _GROUP,
                    "Returns the active shard channels.",
                    since="7.0.0",
                ),
                "[<pattern>]",
            ),
            member(
                on_client(
                    _shard_numsub,
                    "PUBSUB|SHARDNUMSUB",
                    -2,
                    _ASKING,
                    _GROUP,
                    "Returns the number of subscribers of shard channels.",
                    since="7.0.0",
                ),
                "[<shardchannel> ...]",
            ),
        ],
        "2.8.0",
    )
]
