"""Following changes: KV.WATCH on a connection of its own, taken up again where that is lost.

Invariant: every commit is given as a whole, once, in order, whatever connections come and go;
`lsn` is that of the last one given, so another watch from there misses nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from kveik.client import link
from kveik.client.calls import value_of
from kveik.errors import ClosedError, ServerError
from kveik.format.keys import decode_key, prefix_bounds

QUIET: Final = 15.0  # seconds without a word until the server is asked whether it is still there


@dataclass(frozen=True, slots=True)
class Change:
    """kind: "put", "delete" or "delete_range", where key is the start, or None, and end likewise.

    expires: Unix seconds at which what was put expires.
    """

    kind: str
    key: Any
    value: Any = None
    expires: float | None = None
    end: Any = None


@dataclass(frozen=True, slots=True)
class Commit:
    """What has happened together. lsn: its number, for `watch(prefix, from_lsn=lsn)`."""

    lsn: int
    changes: list[Change]

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)


class Told:
    """What a watch asks, and what it is told. lsn: None before it has begun."""

    def __init__(self, prefix: object, from_lsn: int | None) -> None:
        self.prefix = prefix_bounds(prefix)[0]
        self.lsn = from_lsn

    def command(self) -> tuple[str | bytes | int, ...]:
        behind = () if self.lsn is None else ("FROM", self.lsn)
        return ("KV.WATCH", self.prefix, *behind, "TYPES")

    def take(self, message: Any) -> Commit | None:
        """A commit; None for an answer to PING. ServerError where the watch cannot go on."""
        if not isinstance(message, list):
            return None
        if message[0] == b"kv.unwatch":
            raise ServerError(message[3].decode("utf-8", "replace"), "LOGGONE")
        self.lsn = int(message[2])
        return Commit(self.lsn, [_change(*change) for change in message[3]])


def _change(kind: bytes, key: bytes, *more: Any) -> Change:
    if kind == b"put":
        expires = more[2] / 1000 if len(more) > 2 else None
        return Change("put", decode_key(key), value_of(more[0], more[1]), expires)
    if kind == b"delete":
        return Change("delete", decode_key(key))
    return Change("delete_range", _end(key), end=_end(more[0]))


def _end(text: bytes) -> Any:
    return None if text in (b"-", b"+") else decode_key(text[1:])


class Watch(Iterator[Commit]):
    """An iterator of commits, which waits for the next one; any thread may close it."""

    def __init__(self, pool: Any, retry: Any, prefix: object, from_lsn: int | None) -> None:
        self._pool = pool
        self._retry = retry
        self._told = Told(prefix, from_lsn)
        self._connection: Any = None
        self._closed = False
        self._reading = threading.Lock()
        self._again(self._begin)

    @property
    def lsn(self) -> int:
        """The commit that was given last, or behind which it has begun."""
        return self._told.lsn or 0

    def __next__(self) -> Commit:
        commit = self.poll(None)
        assert commit is not None
        return commit

    def poll(self, timeout: float | None = 0.0) -> Commit | None:
        """The next commit; None if there is none within so many seconds (None: wait for it)."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = QUIET if until is None else min(until - time.monotonic(), QUIET)
            commit = self._locked(max(left, 0.0))
            if commit is not None or (until is not None and time.monotonic() >= until):
                return commit

    def _locked(self, seconds: float) -> Commit | None:
        with self._reading:
            try:
                found: Commit | None = self._again(lambda: self._next(seconds))
                return found
            finally:
                if self._closed:  # meanwhile, by another thread, which has left the rest to us
                    self._drop()

    def _again(self, work: Any) -> Any:
        try:
            return self._retry.call_with_retry(work, lambda error: None)
        except link.Lost as lost:
            raise lost.error from None

    def _next(self, seconds: float) -> Commit | None:
        self._check_open()
        if self._connection is None:
            self._begin()
        try:
            if not self._connection.can_read(timeout=seconds):
                if seconds == QUIET:
                    self._connection.send_command("PING")
                    if not self._connection.can_read(timeout=QUIET):
                        raise link.redis.TimeoutError("the server has fallen silent")
                return None
            return self._told.take(self._connection.read_response())
        except link.LOST as error:
            self._drop()
            raise link.failed(error) from error
        except BaseException:
            self._drop()
            raise

    def _begin(self) -> None:
        connection = link.apart(self._pool)
        try:
            connection.connect()
            connection.send_command(*self._told.command())
            self._told.lsn = int(connection.read_response())
        except BaseException as error:
            connection.disconnect()
            if isinstance(error, (link.redis.RedisError, OSError)):
                raise link.failed(error) from error
            raise
        self._connection = connection

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the watch has been closed")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def close(self) -> None:
        """End it. Idempotent."""
        self._closed = True
        if self._reading.acquire(blocking=False):
            self._drop()
            self._reading.release()
        else:
            link.wake(self._connection)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
