"""AsyncClient: Client for asyncio. Part of the public face.

The same thin shell around redis-py's asyncio part: `calls` makes and reads the requests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from kveik.client import batch as batches
from kveik.client import calls, link
from kveik.client.async_changes import AsyncWatch
from kveik.client.calls import MISSING, Call
from kveik.client.pages import Pages
from kveik.errors import ClosedError, ServerError
from kveik.format.keys import prefix_bounds

from redis import asyncio as redis  # isort: skip  # link has said it if it is missing
from redis.asyncio.retry import Retry  # isort: skip


class AsyncClient:
    """A server, used as Client is, with `await`, `async for` and `async with`.

    Any number of tasks of one event loop share it. What may be sent again, and what that means,
    is as with Client. There is no dict syntax, as that cannot be awaited.
    """

    def __init__(self, url: str = link.URL, *, max_retries: int = 5, **options: Any) -> None:
        """As Client's."""
        options = link.options_of(url, options)
        self._pool: Any = redis.BlockingConnectionPool.from_url(url, **options)
        self.redis: Any = redis.Redis(connection_pool=self._pool)
        self._retry: Any = link.retry(Retry, max_retries)
        self._names = link.names(self._pool)
        self._url = link.shown(url)
        self._closed = False

    # --- single keys ----------------------------------------------------------------------------

    async def get(self, key: object, default: Any = None) -> Any:
        """The value of a key, or default."""
        return await self._do(calls.get(key, default))

    async def put(
        self,
        key: object,
        value: object,
        *,
        ttl: float | None = None,
        if_equal: object = MISSING,
        if_absent: bool = False,
    ) -> bool:
        """Write a value, as Client.put; whether it was written."""
        return bool(await self._do(calls.put(key, value, ttl, if_equal, if_absent)))

    async def cas(
        self, key: object, expected: object, new: object = MISSING, *, keep_ttl: bool = False
    ) -> bool:
        """Replace a value if it equals the expected one, or, without `new`, delete it."""
        return bool(await self._do(calls.cas(key, expected, new, keep_ttl)))

    async def delete(self, key: object) -> bool:
        """Delete a key; whether it had a value."""
        return bool(await self._do(calls.delete(key)))

    async def exists(self, key: object) -> bool:
        """Whether a key has a value."""
        return bool(await self._do(calls.contains(key)))

    async def pop(self, key: object, default: Any = MISSING) -> Any:
        """Delete a key and return its value; default, or KeyError, where it has none."""
        return await self._do(calls.pop(key, default))

    async def setdefault(self, key: object, default: Any = None) -> Any:
        """The value of a key; where it has none, default, which it has from then on."""
        return await self._do(calls.setdefault(key, default))

    # --- several keys ---------------------------------------------------------------------------

    async def get_many(self, keys: Iterable[object], default: Any = None) -> list[Any]:
        """The values of keys at one instant, in their order; default where one has none."""
        found: list[Any] = await self._do(calls.get_many(keys, default))
        return found

    async def put_many(self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> None:
        """Write several values, all or none: a mapping, or pairs of key and value."""
        await self._do(calls.put_many(items))

    async def delete_range(self, start: object = None, end: object = None) -> None:
        """Delete every key from start (included) to end (excluded); None is no bound."""
        await self._do(calls.delete_range(start, end))

    async def clear(self) -> None:
        """Delete every key of the database."""
        await self.delete_range()

    def batch(self) -> AsyncBatchBlock:
        """For `async with`: what is put and deleted in it is written at its end, all or none."""
        self.check_open()
        return AsyncBatchBlock(self)

    async def write(self, batch: Any) -> None:
        """Do all of a batch (also a `kveik.Batch`), or none of it. It is empty afterwards."""
        await self._do(batches.write(batch))
        batches.emptied(batch)

    # --- ranges ---------------------------------------------------------------------------------

    def range(
        self,
        start: object = None,
        end: object = None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> AsyncEntries:
        """For `async for`: the entries from start (included) to end (excluded), in key order.

        They are read page by page: any number takes little memory. Each page shows its own instant.
        """
        return AsyncEntries(self, Pages(*calls.bounds(start, end), reverse, limit, False))

    def scan(
        self, prefix: object = b"", *, reverse: bool = False, limit: int | None = None
    ) -> AsyncEntries:
        """For `async for`: the entries whose keys begin with bytes, text, or a tuple's items."""
        return AsyncEntries(self, Pages(*prefix_bounds(prefix), reverse, limit, False))

    def keys(self) -> AsyncEntries:
        """For `async for`: all keys, in order."""
        return AsyncEntries(self, Pages(b"", None, False, None, True))

    def __aiter__(self) -> AsyncEntries:
        return self.keys()

    async def count(self, start: object = None, end: object = None) -> int:
        """How many keys there are from start (included) to end (excluded)."""
        return int(await self._do(calls.count(start, end)))

    def watch(self, prefix: object = b"", from_lsn: int | None = None) -> AsyncWatch:
        """The commits that change keys with a prefix, from now on or behind an earlier one.

        It begins with `async with`, or with the first commit that is asked for.
        """
        self.check_open()
        return AsyncWatch(self._pool, self._retry, prefix, from_lsn)

    # --- the server -----------------------------------------------------------------------------

    async def ping(self) -> bool:
        """True; ConnectionError if nobody answers."""
        return bool(await self._do(calls.ping()))

    async def sync(self) -> None:
        """Return once everything written so far is on the disk, whatever the durability."""
        await self._do(calls.sync())

    async def info(self, section: str = "default") -> dict[str, Any]:
        """What INFO says of the server."""
        found: dict[str, Any] = await self._do(calls.info(section))
        return found

    async def stats(self) -> dict[str, Any]:
        """What the engine holds and has done, as far as INFO tells."""
        found: dict[str, Any] = await self._do(calls.stats())
        return found

    async def close(self) -> None:
        """Close all connections, those in use once they have answered. Idempotent."""
        self._closed = True
        await self._pool.disconnect(**link.idle_only(self._pool))

    aclose = close  # as contextlib.aclosing has it

    def check_open(self) -> None:
        """ClosedError if it has been closed."""
        if self._closed:
            raise ClosedError("the client has been closed")

    async def __aenter__(self) -> AsyncClient:
        self.check_open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<kveik async client {self._url}{', closed' if self._closed else ''}>"

    # --- how ------------------------------------------------------------------------------------

    async def _do(self, call: Call) -> Any:
        """Have a call answered."""
        if not call.commands:
            self.check_open()
            return call.read([])
        try:
            return call.read(await self._retry.call_with_retry(lambda: self._try(call), _pass))
        except link.Lost as lost:
            raise lost.error from None

    async def _try(self, call: Call) -> list[Any]:
        """Lost: it may be tried again."""
        self.check_open()
        try:
            connection = await self._pool.get_connection(*self._names)
        except (link.redis.RedisError, OSError) as error:
            raise link.failed(error) from error
        try:
            return await _exchange(connection, call)
        except link.LOST as error:
            await connection.disconnect(nowait=True)
            raise link.failed(error, call.again) from error
        except BaseException as error:
            if not isinstance(error, ServerError):
                await connection.disconnect(nowait=True)  # a late answer would be the next one's
            raise
        finally:
            if self._closed:
                await connection.disconnect(nowait=True)
            await self._pool.release(connection)


async def _exchange(connection: Any, call: Call) -> list[Any]:
    await connection.send_packed_command(link.packed(connection, call.commands))
    replies = link.Replies(call.commands)
    while replies.want:
        try:
            replies.take(await connection.read_response())
        except link.redis.ResponseError as error:
            replies.take(error)
    return replies.result()


async def _pass(error: Exception) -> None:
    """Nothing is to be done between two tries."""


class AsyncBatchBlock(batches.Batch):
    """A batch that is written where an async with block ends well."""

    def __init__(self, client: AsyncClient) -> None:
        super().__init__()
        self._client = client

    async def __aenter__(self) -> AsyncBatchBlock:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            await self._client.write(self)


class AsyncEntries(AsyncIterator[Any]):
    """An iterator over pages, for one task at a time."""

    def __init__(self, client: AsyncClient, pages: Pages) -> None:
        self._client = client
        self._pages = pages
        self._page: Iterator[Any] = iter(())

    async def __anext__(self) -> Any:
        for entry in self._page:
            return entry
        while not self._pages.done:
            self._page = iter(await self._client._do(self._pages.call()))
            for entry in self._page:
                return entry
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """There are no more entries."""
        self._pages.done = True
        self._page = iter(())
