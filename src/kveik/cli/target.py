"""What a command works on: a server, named by its URL, or a directory, named by its path.

Both are used through the same calls: `kveik.Client` has those of `kveik.Database`. What must see
types and expiries (`cells`, `write_cells`) is here. Called by the sub-commands on keys.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from kveik.cli.dump_lines import KINDS, Entry
from kveik.cli.packages import need
from kveik.errors import LockedError, NotKveikError, OpenError, ServerError, UseError
from kveik.limits import PAGE_BYTES, PAGE_ROWS
from kveik.model import Cell

SCHEMES = ("redis", "rediss", "unix")
VARIABLE = "KVEIK_URL"
DEFAULT = "redis://127.0.0.1:6379"
HELP = (
    "a server's URL (redis://[:PASSWORD@]HOST:PORT[/DB], rediss://, unix://PATH) or a directory; "
    f"default: the environment's {VARIABLE}, else {DEFAULT}"
)


class Database(Protocol):
    """What `kveik.Database` and `kveik.Client` have in common, as far as it is used here."""

    def get(self, key: object, default: Any = None) -> Any: ...

    def put(
        self, key: object, value: object, *, ttl: float | None = None, if_absent: bool = False
    ) -> bool: ...

    def delete(self, key: object) -> bool: ...

    def __contains__(self, key: object) -> bool: ...

    def write(self, batch: Any) -> None: ...

    def close(self) -> None: ...


class Target:
    """A server or a directory that is open: for `with`."""

    def __init__(self, name: str, database: Database, remote: bool) -> None:
        self.name = name  # without a password
        self.database = database
        self.remote = remote

    def cells(
        self, low: bytes, high: bytes | None, reverse: bool = False, limit: int | None = None
    ) -> Iterator[Entry]:
        """The entries from low (included) to high (excluded), in key order.

        Of a directory at one instant; of a server page by page.
        """
        if limit == 0 or (high is not None and low >= high):
            return
        if self.remote:
            yield from self._asked(low, high, reverse, limit)
            return
        directory: Any = self.database
        for key, cell in directory.cells(low, high, reverse=reverse, limit=limit):
            yield Entry(key, cell.kind, cell.data, cell.expires)

    def _asked(
        self, low: bytes, high: bytes | None, reverse: bool, limit: int | None
    ) -> Iterator[Entry]:
        start = b"[" + low if low else b"-"
        stop = b"+" if high is None else b"(" + high
        while True:
            most = PAGE_ROWS if limit is None else min(limit, PAGE_ROWS)
            ends = (stop, start, "REV") if reverse else (start, stop)
            page = ("LIMIT", 0, most, "BYTES", PAGE_BYTES, "TYPES", "EXPIRES")
            flat = self.ask("KV.RANGE", *ends, *page)
            for at in range(0, len(flat), 4):
                key, kind, data, expires = flat[at : at + 4]
                yield Entry(key, KINDS[kind.decode()], data, int(expires))
            count = len(flat) // 4
            if limit is not None:
                limit -= count
            if not count or limit == 0:
                return
            if reverse:
                stop = b"(" + flat[-4]
            else:
                start = b"(" + flat[-4]

    def write_cells(self, entries: list[Entry], keep: bool) -> int:
        """Write entries, all or none, and return how many; keep: only where there is no value.

        On a server keep is done one by one: each entry is there or not.
        """
        if keep and self.remote:
            return self._put_absent(entries)
        if keep:
            seen: set[bytes] = set()
            fresh = [e for e in entries if e.key not in self.database and not _again(seen, e.key)]
            entries = fresh
        from kveik.engine.batch import Batch
        from kveik.engine.transaction import PREFIXES

        batch = Batch()
        for entry in entries:
            batch.writes.put(PREFIXES[0] + entry.key, Cell(entry.kind, entry.data, entry.expires))
        if entries:
            self.database.write(batch)
        return len(entries)

    def _put_absent(self, entries: list[Entry]) -> int:
        names = {kind: name for name, kind in KINDS.items()}
        client: Any = self.database
        with client.redis.pipeline(transaction=False) as pipeline:
            for entry in entries:
                until = ("PXAT", entry.expires) if entry.expires else ()
                value = (entry.key, names[entry.kind], entry.data)
                pipeline.execute_command("KV.PUT", *value, "NX", *until)
            return sum(reply is not None for reply in answered(pipeline.execute))

    def ask(self, *words: str | bytes | int) -> Any:
        """What a server answers to a command of Redis' protocol."""
        client: Any = self.database
        return answered(lambda: client.redis.execute_command(*words))

    def hinted(self, error: BaseException | None) -> ServerError | None:
        """What a server lacks that is no Kveik, in other words."""
        if not isinstance(error, ServerError) or "unknown command 'KV." not in str(error):
            return None
        return ServerError(f"{self.name} is no Kveik server, but `kveik import` copies from Redis")

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.database.close()
        hint = self.hinted(error)
        if hint is not None:
            raise hint from None


def _again(seen: set[bytes], key: bytes) -> bool:
    if key in seen:
        return True
    seen.add(key)
    return False


def answered(ask: Any) -> Any:
    """What redis-py is answered, its errors as Kveik's."""
    from kveik.client.link import translated

    import redis  # isort: skip

    try:
        return ask()
    except redis.RedisError as error:
        raise translated(error) from None


# --- opening --------------------------------------------------------------------------------------


def add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", "-t", metavar="TARGET", help=HELP)


def is_url(name: str) -> bool:
    """Whether a target is a server. UseError for a URL of another kind."""
    scheme, separator, _ = name.partition("://")
    if not separator or os.path.isdir(name):
        return False
    if scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise UseError(f"{without_password(name)!r}: a server's URL begins with {known}")
    return True


def without_password(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def open_target(name: str | None, *, write: bool = False, create: bool = False) -> Target:
    """write: nobody else may have the directory; create: make one where there is none.

    UseError, OpenError, CorruptionError, MissingPackage. A server is first asked when it is used.
    """
    name = name or os.environ.get(VARIABLE) or DEFAULT
    return _server(name) if is_url(name) else _directory(name, write, create)


def _server(url: str) -> Target:
    need("redis", "redis")
    import kveik

    try:
        client = kveik.Client(url)
    except ValueError as error:
        raise UseError(f"{without_password(url)}: {error}") from None
    return Target(without_password(url), cast(Database, client), True)


def _directory(path: str, write: bool, create: bool) -> Target:
    from kveik.embedded import open_database

    if not create and not os.path.isdir(path):
        raise NotKveikError(f"there is no directory {path}: a target is a directory or a URL")
    try:
        database = open_database(path, create=create, read_only=not write)
    except LockedError as error:
        raise OpenError(
            f"{error}; if a server has it, name the server's URL in its place, such as {DEFAULT}"
        ) from None
    return Target(path, database, False)
