"""AsyncWatch: Watch for asyncio. Invariants as in `changes`, whose Told reads what is told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from kveik.client import link
from kveik.client.changes import QUIET, Commit, Told
from kveik.errors import ClosedError


class AsyncWatch(AsyncIterator[Commit]):
    """An iterator of commits, which waits for the next one. For one task at a time."""

    def __init__(self, pool: Any, retry: Any, prefix: object, from_lsn: int | None) -> None:
        self._pool = pool
        self._retry = retry
        self._told = Told(prefix, from_lsn)
        self._connection: Any = None
        self._reading: asyncio.Task[Any] | None = None  # goes on when nobody waits for it
        self._closed = False

    @property
    def lsn(self) -> int:
        """The commit that was given last, or behind which it has begun."""
        return self._told.lsn or 0

    async def __anext__(self) -> Commit:
        commit = await self.poll(None)
        assert commit is not None
        return commit

    async def poll(self, timeout: float | None = 0.0) -> Commit | None:
        """The next commit; None if there is none within so many seconds (None: wait for it)."""
        clock = asyncio.get_running_loop().time
        until = None if timeout is None else clock() + timeout
        while True:
            left = QUIET if until is None else max(min(until - clock(), QUIET), 0.0)
            commit: Commit | None = await self._again(lambda left=left: self._next(left))
            if commit is not None or (until is not None and clock() >= until):
                return commit

    async def _again(self, work: Any) -> Any:
        try:
            return await self._retry.call_with_retry(work, _pass)
        except link.Lost as lost:
            raise lost.error from None

    async def _next(self, seconds: float) -> Commit | None:
        self._check_open()
        if self._connection is None:
            await self._begin()
        try:
            message = await self._message(seconds)
            if message is None and seconds == QUIET:
                await self._connection.send_command("PING")
                message = await self._message(QUIET)
                if message is None:
                    raise link.redis.TimeoutError("the server has fallen silent")
            return self._told.take(message)
        except link.LOST as error:
            await self._drop()
            raise link.failed(error) from error

    async def _message(self, seconds: float) -> Any:
        """The next one; None if it takes longer, but then it is still being read."""
        reading = self._reading
        if reading is None:
            reading = asyncio.ensure_future(self._connection.read_response(timeout=math.inf))
            self._reading = reading
        done, _ = await asyncio.wait([reading], timeout=seconds)
        self._check_open()
        if not done:
            return None
        self._reading = None
        return reading.result()

    async def _begin(self) -> None:
        connection = link.apart(self._pool)
        try:
            await connection.connect()
            await connection.send_command(*self._told.command())
            self._told.lsn = int(await connection.read_response())
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, (link.redis.RedisError, OSError)):
                raise link.failed(error) from error
            raise
        self._connection = connection

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the watch has been closed")

    async def _drop(self) -> None:
        reading, self._reading = self._reading, None
        connection, self._connection = self._connection, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """End it. Idempotent."""
        self._closed = True
        await self._drop()

    aclose = close

    async def __aenter__(self) -> AsyncWatch:
        if self._connection is None:
            await self._again(self._begin)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _pass(error: Exception) -> None:
    """Nothing is to be done between two tries."""
