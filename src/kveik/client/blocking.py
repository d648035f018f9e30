"""Client: a server with the calls of the embedded database. Part of the public face.

A thin shell around redis-py: `calls` makes and reads the requests, `link` knows redis-py.
"""

from __future__ import annotations

from collections.abc import (
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    ValuesView,
)
from types import TracebackType
from typing import Any

from kveik import mapping
from kveik.client import batch as batches
from kveik.client import calls, link
from kveik.client.calls import MISSING, Call
from kveik.client.changes import Watch
from kveik.client.pages import Pages
from kveik.errors import ClosedError, ServerError
from kveik.format.keys import prefix_bounds

from redis.retry import Retry  # isort: skip  # link has said it if it is missing


class Client:
    """A server, used as `kveik.Database` is. Any number of threads share it; fork-safe.

    What may be done twice is sent again where an answer is lost: reads, plain puts, deletes,
    batches. So such a put may overwrite what somebody else has written meanwhile, and a delete may
    answer False for what it has deleted itself. Conditional writes, `cas` and `pop` are not sent
    again: after a ConnectionError they may or may not have happened.
    """

    def __init__(self, url: str = link.URL, *, max_retries: int = 5, **options: Any) -> None:
        """url: redis://[:password@]host:port[/database], rediss:// (TLS) or unix://path.

        max_retries: of connecting, and of sending again, with growing pauses, 1 s at most. Other
        options are redis-py's: socket_timeout (30 s), max_connections (50), protocol, ssl_... .
        """
        options = link.options_of(url, options)
        self._pool: Any = link.redis.BlockingConnectionPool.from_url(url, **options)
        self.redis: Any = link.redis.Redis(connection_pool=self._pool)
        self._retry: Any = link.retry(Retry, max_retries)
        self._names = link.names(self._pool)
        self._url = link.shown(url)
        self._closed = False

    # --- single keys ----------------------------------------------------------------------------

    def get(self, key: object, default: Any = None) -> Any:
        """The value of a key, or default."""
        return self._do(calls.get(key, default))

    def put(
        self,
        key: object,
        value: object,
        *,
        ttl: float | None = None,
        if_equal: object = MISSING,
        if_absent: bool = False,
    ) -> bool:
        """Write a value; with ttl it expires after so many seconds.

        if_equal: only where the key's value equals this one; if_absent: only where it has none.
        Whether it was written.
        """
        return bool(self._do(calls.put(key, value, ttl, if_equal, if_absent)))

    def cas(
        self, key: object, expected: object, new: object = MISSING, *, keep_ttl: bool = False
    ) -> bool:
        """Replace a value if it equals the expected one, or, without `new`, delete it.

        keep_ttl: the new one expires when the old one would have. Whether it was done.
        """
        return bool(self._do(calls.cas(key, expected, new, keep_ttl)))

    def delete(self, key: object) -> bool:
        """Delete a key; whether it had a value."""
        return bool(self._do(calls.delete(key)))

    # --- several keys ---------------------------------------------------------------------------

    def get_many(self, keys: Iterable[object], default: Any = None) -> list[Any]:
        """The values of keys at one instant, in their order; default where one has none."""
        found: list[Any] = self._do(calls.get_many(keys, default))
        return found

    def put_many(self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> None:
        """Write several values, all or none: a mapping, or pairs of key and value."""
        self._do(calls.put_many(items))

    def delete_range(self, start: object = None, end: object = None) -> None:
        """Delete every key from start (included) to end (excluded); None is no bound."""
        self._do(calls.delete_range(start, end))

    def batch(self) -> BatchBlock:
        """For `with`: what is put and deleted in it is written at its end, unless that raises."""
        self.check_open()
        return BatchBlock(self)

    def write(self, batch: Any) -> None:
        """Do all of a batch (also a `kveik.Batch`), or none of it. It is empty afterwards."""
        self._do(batches.write(batch))
        batches.emptied(batch)

    # --- ranges ---------------------------------------------------------------------------------

    def range(
        self,
        start: object = None,
        end: object = None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Entries:
        """The entries from start (included) to end (excluded) in key order; None is no bound.

        They are read page by page: any number takes little memory. Each page shows its own instant.
        """
        return Entries(self, Pages(*calls.bounds(start, end), reverse, limit, False))

    def scan(
        self, prefix: object = b"", *, reverse: bool = False, limit: int | None = None
    ) -> Entries:
        """The entries whose keys begin with a prefix: bytes, text, or a tuple's first items."""
        return Entries(self, Pages(*prefix_bounds(prefix), reverse, limit, False))

    def count(self, start: object = None, end: object = None) -> int:
        """How many keys there are from start (included) to end (excluded)."""
        return int(self._do(calls.count(start, end)))

    def watch(self, prefix: object = b"", from_lsn: int | None = None) -> Watch:
        """The commits that change keys with a prefix, from now on or behind an earlier one."""
        self.check_open()
        return Watch(self._pool, self._retry, prefix, from_lsn)

    # --- a mutable mapping ----------------------------------------------------------------------

    def __getitem__(self, key: object) -> Any:
        return self._do(calls.item(key))

    def __setitem__(self, key: object, value: object) -> None:
        self.put(key, value)

    def __delitem__(self, key: object) -> None:
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return bool(self._do(calls.contains(key)))

    def __iter__(self) -> Entries:
        return Entries(self, Pages(b"", None, False, None, True))

    def __reversed__(self) -> Entries:
        return Entries(self, Pages(b"", None, True, None, True))

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return next(Entries(self, Pages(b"", None, False, 1, True)), None) is not None

    def pop(self, key: object, default: Any = MISSING) -> Any:
        """Delete a key and return its value; default, or KeyError, where it has none."""
        return self._do(calls.pop(key, default))

    def popitem(self) -> tuple[Any, Any]:
        """Delete the last key and return it with its value; KeyError if there is none."""
        while True:
            last = next(self.range(reverse=True, limit=1), None)
            if last is None:
                raise KeyError("the database is empty")
            value = self.pop(last[0], self)
            if value is not self:  # else somebody was faster
                return last[0], value

    def setdefault(self, key: object, default: Any = None) -> Any:
        """The value of a key; where it has none, default, which it has from then on."""
        return self._do(calls.setdefault(key, default))

    def update(
        self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), **more: Any
    ) -> None:
        """Write several values, all or none, as dict.update takes them."""
        pairs = items.items() if isinstance(items, Mapping) else items
        self.put_many([*pairs, *more.items()])

    def __ior__(self, items: Any) -> Client:
        self.update(items)
        return self

    def clear(self) -> None:
        """Delete every key of the database."""
        self.delete_range()

    def keys(self) -> KeysView[Any]:
        """A live view of the keys, in order."""
        return mapping.Keys(self)

    def values(self) -> ValuesView[Any]:
        """A live view of the values, in the order of their keys."""
        return mapping.Values(self)

    def items(self) -> ItemsView[Any, Any]:
        """A live view of the pairs of key and value, in key order."""
        return mapping.Items(self)

    def __eq__(self, other: object) -> Any:
        if self is other:
            return True
        return mapping.same(self, other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    # --- the server -----------------------------------------------------------------------------

    def ping(self) -> bool:
        """True; ConnectionError if nobody answers."""
        return bool(self._do(calls.ping()))

    def sync(self) -> None:
        """Return once everything written so far is on the disk, whatever the durability."""
        self._do(calls.sync())

    def info(self, section: str = "default") -> dict[str, Any]:
        """What INFO says of the server."""
        found: dict[str, Any] = self._do(calls.info(section))
        return found

    def stats(self) -> dict[str, Any]:
        """What the engine holds and has done, as far as INFO tells."""
        found: dict[str, Any] = self._do(calls.stats())
        return found

    def close(self) -> None:
        """Close all connections, those in use once they have answered. Idempotent."""
        self._closed = True
        self._pool.disconnect(**link.idle_only(self._pool))

    def check_open(self) -> None:
        """ClosedError if it has been closed."""
        if self._closed:
            raise ClosedError("the client has been closed")

    def __enter__(self) -> Client:
        self.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kveik client {self._url}{', closed' if self._closed else ''}>"

    # --- how ------------------------------------------------------------------------------------

    def _do(self, call: Call) -> Any:
        """Have a call answered."""
        if not call.commands:
            self.check_open()
            return call.read([])
        try:
            return call.read(self._retry.call_with_retry(lambda: self._try(call), _pass))
        except link.Lost as lost:
            raise lost.error from None
        except Exception:
            self.check_open()  # closed by another thread, it fails as it likes
            raise

    def _try(self, call: Call) -> list[Any]:
        """Lost: it may be tried again."""
        self.check_open()
        try:
            connection = self._pool.get_connection(*self._names)
        except (link.redis.RedisError, OSError) as error:
            raise link.failed(error) from error
        try:
            return _exchange(connection, call)
        except link.LOST as error:
            connection.disconnect()
            raise link.failed(error, call.again) from error
        except BaseException as error:
            if not isinstance(error, ServerError):
                connection.disconnect()  # what comes next on it would answer an earlier question
            raise
        finally:
            if self._closed:
                connection.disconnect()
            self._pool.release(connection)


MutableMapping.register(Client)


def _exchange(connection: Any, call: Call) -> list[Any]:
    connection.send_packed_command(link.packed(connection, call.commands))
    replies = link.Replies(call.commands)
    while replies.want:
        try:
            replies.take(connection.read_response())
        except link.redis.ResponseError as error:
            replies.take(error)
    return replies.result()


def _pass(error: Exception) -> None:
    """Nothing is to be done between two tries."""


class BatchBlock(batches.Batch):
    """A batch that is written where a with block ends well."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def __enter__(self) -> BatchBlock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._client.write(self)


class Entries(Iterator[Any]):
    """An iterator over pages, for one thread at a time."""

    def __init__(self, client: Client, pages: Pages) -> None:
        self._client = client
        self._pages = pages
        self._page: Iterator[Any] = iter(())

    def __next__(self) -> Any:
        for entry in self._page:
            return entry
        while not self._pages.done:
            self._page = iter(self._client._do(self._pages.call()))
            for entry in self._page:
                return entry
        raise StopIteration

    def close(self) -> None:
        """There are no more entries."""
        self._pages.done = True
        self._page = iter(())
