"""KVDBClient: the JSON lines protocol over a socket. Part of the public face."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast

from kveik.client.connection import Connection
from kveik.client.pooled import PooledClient
from kveik.errors import ServerError
from kveik.limits import CLIENT_CONNECTIONS


class KVDBClient(PooledClient):
    """A server, over the JSON lines protocol; threads share it, and it connects when it is used.

    ServerError: the server refuses. TimeoutError, a ConnectionError: there is no answer within
    `timeout` seconds; ConnectionError: nobody answers. Both only after `max_retries` more tries,
    with growing pauses. Where an answer is lost the request is sent again, as to write a value or
    to delete a key twice is to do it once; but it may overwrite what somebody else has written
    meanwhile, and `delete` answers False for what its first try has deleted. With max_retries=0
    nothing is sent twice; a write that ends with an error may or may not have happened.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 9999,
        timeout: float = 30.0,
        max_retries: int = 3,
        *,
        password: str | None = None,
        max_connections: int = CLIENT_CONNECTIONS,
    ) -> None:
        """max_connections: open at once; a thread waits for a free one, `timeout` at most."""
        super().__init__(host, port, timeout, max_retries, password, max_connections)

    def put(self, key: str, value: object) -> object:
        """Write a value (anything JSON can say); True once it is on the disk."""
        return self._ask({"command": "put", "key": key, "value": value})

    def read(self, key: str) -> object:
        """The value, or None."""
        return self._ask({"command": "read", "key": key})

    def read_key_range(self, start_key: str, end_key: str) -> dict[str, object]:
        """The entries from start_key to end_key, both included, in key order."""
        result = self._ask(
            {"command": "read_key_range", "start_key": start_key, "end_key": end_key}
        )
        return cast("dict[str, object]", result)

    def batch_put(self, keys: Sequence[str], values: Sequence[object]) -> object:
        """Write all of them, or none."""
        return self._ask({"command": "batch_put", "keys": list(keys), "values": list(values)})

    def delete(self, key: str) -> object:
        """Delete a key; whether there was one."""
        return self._ask({"command": "delete", "key": key})

    def _ask(self, request: dict[str, object]) -> object:
        return self._checked(self._call(request))

    # --- the protocol ---------------------------------------------------------------------------

    def _encode(self, request: dict[str, object]) -> bytes:
        return json.dumps(request, allow_nan=False).encode() + b"\n"

    def _receive(self, connection: Connection) -> object:
        try:
            answer = json.loads(connection.line())
        except RecursionError:
            raise ValueError("the answer is nested too deeply") from None
        if not isinstance(answer, dict):
            raise ValueError("the answer is no JSON object")
        return answer

    def _login(self, password: str) -> dict[str, object]:
        return {"command": "auth", "password": password}

    def _checked(self, answer: object) -> object:
        members = cast("dict[str, object]", answer)
        if members.get("status") != "ok":
            raise ServerError(str(members.get("message", "the server gave no reason")))
        return members.get("result")
