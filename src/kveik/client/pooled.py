"""What KVClient and KVDBClient share: a request goes out, its answer comes back, or it is retried.

Both protocols' operations may be done twice for once, so every one of them is sent again where its
connection is lost or no answer comes in time; an answer of the server's, good or bad, is final.
"""

from __future__ import annotations

import builtins
import random
import time
from types import TracebackType
from typing import Final, Self

from kveik.client.connection import Connection
from kveik.client.pool import Pool
from kveik.errors import ConnectionError, TimeoutError
from kveik.limits import CLIENT_CONNECTIONS

FIRST_PAUSE: Final = 0.1  # seconds before the first retry; each pause is twice the last
LONGEST_PAUSE: Final = 2.0  # seconds


def pause(failures: int) -> float:
    """Seconds until the next try; drawn, so that clients do not all come back at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 16))
    return longest * random.uniform(0.5, 1.0)


class PooledClient:
    """A client of a request-and-answer protocol. Threads share it; it connects when it is used."""

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float,
        max_retries: int,
        password: str | None,
        max_connections: int = CLIENT_CONNECTIONS,
    ) -> None:
        if not timeout > 0 or max_retries < 0 or max_connections < 1:
            raise ValueError("timeout and max_connections are more than 0, max_retries 0 or more")
        self._address = (host, port)
        self._timeout = timeout
        self._retries = max_retries
        self._password = password
        self._pool = Pool(self._connect, max_connections, timeout)

    # --- of each protocol -----------------------------------------------------------------------

    def _encode(self, request: dict[str, object]) -> bytes:
        """A request as bytes; raises what is wrong with it before anything is sent."""
        raise NotImplementedError

    def _receive(self, connection: Connection) -> object:
        """The answer; ValueError if it is none."""
        raise NotImplementedError

    def _login(self, password: str) -> dict[str, object]:
        """The request that gives the password."""
        raise NotImplementedError

    def _checked(self, answer: object) -> object:
        """What a request is answered with. ServerError if it was refused."""
        raise NotImplementedError

    # --- how ------------------------------------------------------------------------------------

    def _call(self, request: dict[str, object]) -> object:
        """The answer to a request, whatever it says."""
        data = self._encode(request)
        failures = 0
        while True:
            try:
                return self._exchange(data)
            except (OSError, ValueError) as error:
                failures += 1
                final = isinstance(error, (ValueError, ConnectionError))
                if final or failures > self._retries:
                    raise self._told(error) from error
                time.sleep(pause(failures))

    def _told(self, error: Exception) -> ConnectionError:
        host, port = self._address
        kind = TimeoutError if isinstance(error, builtins.TimeoutError) else ConnectionError
        return kind(f"{host}:{port}: {error}")

    def _exchange(self, data: bytes) -> object:
        connection, life = self._pool.take()
        try:
            connection.send(data)
            answer = self._receive(connection)
        except BaseException:  # what comes next on it would answer an earlier question
            self._pool.drop(connection)
            raise
        self._pool.give(connection, life)
        return answer

    def _connect(self) -> Connection:
        connection = Connection(self._address, self._timeout)
        try:
            if self._password is not None:
                connection.send(self._encode(self._login(self._password)))
                self._checked(self._receive(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close all connections; the next call opens another. Idempotent."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        host, port = self._address
        return f"{type(self).__name__}({host!r}, {port})"
