"""`kveik import`: the plain keys of a live Redis, with their expiries.

Idempotent: what breaks off is run again. Invariant: at most a page of keys, and LOAD_BYTES of
values or one larger value, are held at once.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from kveik.cli.dump_lines import Entry
from kveik.cli.load import Writer, add_existing
from kveik.cli.packages import need
from kveik.cli.target import HELP, answered, is_url, open_target, without_password
from kveik.cli.told import count
from kveik.cli.traffic import Traffic
from kveik.errors import KveikError, ServerError, UseError
from kveik.limits import IMPORT_SCAN, LOAD_BYTES, MAX_KEY
from kveik.model import BYTES

TIMEOUT = 30.0  # seconds for an answer
CONNECT_TIMEOUT = 5.0  # seconds


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "import",
        help="copy the plain keys of a live Redis",
        description="Copy the strings of a Redis, with their expiries, into a server or a "
        "directory while it serves. Keys of other types are counted and named, not copied. "
        "What broke off is simply run again.",
        epilog="Example: kveik import redis://127.0.0.1:6379/0 data --match 'session:*'. Exit "
        "code: 0, 1 if it broke off, 2 for wrong usage.",
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", help="redis://[:PASSWORD@]HOST:PORT[/DB], rediss://, unix://")
    add("target", metavar="TARGET", help=HELP.partition(";")[0])
    add("--match", metavar="PATTERN", help="only keys that match, as of Redis' SCAN")
    add_existing(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if not is_url(options.source):
        raise UseError(f"{options.source!r}: what is imported is a server, redis://HOST:PORT/DB")
    if options.source == options.target:
        raise UseError("the source is the target")
    source = Source(options.source, options.match)
    with open_target(options.target, write=True, create=True) as target:
        writer = Writer(target, options.keep)
        with Traffic("importing", source.size()) as traffic:
            try:
                _copy(source, writer, traffic)
            except (KveikError, KeyboardInterrupt):
                print(writer.summary(traffic, "broken off: imported"), file=sys.stderr)
                print("run it again to import the rest", file=sys.stderr)
                raise
    print(writer.summary(traffic, "imported"), file=sys.stderr)
    for told in source.left_out():
        print(told, file=sys.stderr)
    return 0


def _copy(source: Source, writer: Writer, traffic: Traffic) -> None:
    for entry in source.entries():
        if not writer.fits(entry):
            writer.flush(traffic, source.seen)
        writer.add(entry)
    writer.flush(traffic, source.seen)


class Source:
    """A Redis whose strings are read."""

    def __init__(self, url: str, match: str | None) -> None:
        redis = need("redis", "redis")
        options = {"socket_timeout": TIMEOUT, "socket_connect_timeout": CONNECT_TIMEOUT}
        if url.startswith("unix:"):
            del options["socket_connect_timeout"]
        try:
            self._redis: Any = redis.Redis.from_url(url, **options)
        except ValueError as error:
            raise UseError(f"{without_password(url)}: {error}") from None
        self._match = match
        self.seen = 0  # keys, of any type
        self._types: Counter[str] = Counter()  # of keys that are no strings
        self._misnamed = 0  # keys that cannot be keys of Kveik's

    def size(self) -> int:
        """How many keys there are; 0 if nobody knows how many of them match."""
        keys = int(answered(self._redis.dbsize))
        return 0 if self._match else keys

    def entries(self) -> Iterator[Entry]:
        cursor = 0
        while True:
            asked = cursor
            cursor, keys = answered(lambda: self._redis.scan(asked, self._match, IMPORT_SCAN))  # noqa: B023
            keys = list(dict.fromkeys(keys))
            self.seen += len(keys)
            good = [key for key in keys if 0 < len(key) <= MAX_KEY]
            self._misnamed += len(keys) - len(good)
            yield from self._strings(good)
            if cursor == 0:
                return

    def _strings(self, keys: list[bytes]) -> Iterator[Entry]:
        """The entries of those keys that are strings; the others are counted."""
        sizes = self._pipelined([("STRLEN", key) for key in keys])
        strings: list[bytes] = []
        held = 0
        others: list[bytes] = []
        for key, size in zip(keys, sizes, strict=True):
            if isinstance(size, Exception):
                others.append(key)
                continue
            if strings and held + size > LOAD_BYTES:
                yield from self._values(strings)
                strings, held = [], 0
            strings.append(key)
            held += size
        yield from self._values(strings)
        for kind in self._pipelined([("TYPE", key) for key in others]):
            name = kind.decode() if isinstance(kind, bytes) else str(kind)
            if name not in ("none", "string"):
                self._types[name] += 1

    def _values(self, keys: list[bytes]) -> Iterator[Entry]:
        now = int(time.time() * 1000)  # before it is asked: nothing lives longer than it should
        asked = [(name, key) for key in keys for name in ("GET", "PTTL")]
        replies = iter(self._pipelined(asked))
        for key, data, left in zip(keys, replies, replies, strict=True):
            if isinstance(data, bytes) and isinstance(left, int) and left != -2:
                yield Entry(key, BYTES, data, now + max(left, 1) if left >= 0 else 0)

    def _pipelined(self, commands: list[tuple[str, bytes]]) -> list[Any]:
        """The replies; an error that a value of another type gives stands in its place."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for words in commands:
                pipeline.execute_command(*words)
            replies: list[Any] = answered(lambda: pipeline.execute(raise_on_error=False))
        for reply in replies:
            if isinstance(reply, Exception) and "WRONGTYPE" not in str(reply):
                raise ServerError(str(reply))
        return replies

    def left_out(self) -> list[str]:
        """A line for each kind of key that was not copied."""
        told = [f"not copied: {count(n, 'key')} of type {name}" for name, n in self._types.items()]
        if self._misnamed:
            told.append(
                f"not copied: {count(self._misnamed, 'key')} of 0 or over {MAX_KEY:,} bytes"
            )
        return told
