"""KVClient: the length-prefixed protocol over a socket. Part of the public face.

Invariant: nothing in an answer is run; format/unpickling.py reads it, within the bounds of a
message. Keys and values come back with the types they went in with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kveik.client.connection import Connection
from kveik.client.pooled import PooledClient
from kveik.errors import LimitError, ServerError
from kveik.format.pickling import dump
from kveik.format.unpickling import load
from kveik.limits import CLIENT_CONNECTIONS, MAX_FRAME

HEAD: Final = 4  # bytes of a message's length
ERROR: Final = frozenset(("error", "message"))  # members of an error answer


class Answer(str):
    """'OK' or 'NOT_FOUND', to be compared with; true only where something was done."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return self == "OK"


class KVClient(PooledClient):
    """A server, over the length-prefixed protocol; threads share it.

    Keys are str, bytes, int, float, bool, None or tuples of them; values any plain data: these,
    lists, dicts, sets and frozensets. TypeError or LimitError for others, before anything is sent.

    ServerError: the server refuses; its `code` says why. TimeoutError, a ConnectionError: there is
    no answer within `timeout` seconds; ConnectionError: nobody answers. Both only after
    `max_retries` more tries, with growing pauses. Where an answer is lost the request is sent
    again, as to write a value or to delete a key twice is to do it once; but it may overwrite what
    somebody else has written meanwhile, and `delete` answers 'NOT_FOUND' for what its first try
    has deleted. With max_retries=0 nothing is sent twice; a write that ends with an error may or
    may not have happened.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 65433,
        timeout: float = 5.0,
        max_retries: int = 3,
        *,
        password: str | None = None,
        max_connections: int = CLIENT_CONNECTIONS,
    ) -> None:
        """max_connections: open at once; a thread waits for a free one, `timeout` at most."""
        super().__init__(host, port, timeout, max_retries, password, max_connections)

    # --- single keys ----------------------------------------------------------------------------

    def set(self, key: object, value: object) -> str:
        """Write a value; 'OK' once it is on the disk."""
        return str(self._ask("SET", key=key, value=value))

    put = set

    def get(self, key: object, default: Any = None) -> Any:
        """The value of a key, or default."""
        value: Any = None
        if default is None:
            value = self._call({"cmd": "GET", "key": key})
            if not _is_error(value):
                return value
        # A pair tells a stored None from none, and a stored dict from an error that looks like it.
        pairs: Any = self._ask("GET_RANGE", start=key, end=key)
        if pairs:
            return pairs[0][1]
        if key in ("", b"") and value is not None:  # no key, but an end of a range
            self._checked(value)
        return default

    def delete(self, key: object) -> Answer:
        """Delete a key: 'OK', or 'NOT_FOUND', which is false, where there was none."""
        return Answer(self._ask("DELETE", key=key))

    def exists(self, key: object) -> bool:
        """Whether a key has a value."""
        return bool(self._ask("EXISTS", key=key))

    # --- several keys ---------------------------------------------------------------------------

    def bulk_set(self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> str:
        """Write pairs of key and value, or a dict, all or none; 'OK' once they are on the disk."""
        pairs = items.items() if isinstance(items, Mapping) else items
        return str(self._ask("BULKSET", items=[tuple(pair) for pair in pairs]))

    def batch_put(self, keys: Sequence[object], values: Sequence[object]) -> str:
        """Write keys with their values, all or none; 'OK' once they are on the disk."""
        return str(self._ask("BATCH_PUT", keys=list(keys), values=list(values)))

    def keys(self) -> list[Any]:
        """All keys, in their order."""
        found: Any = self._ask("KEYS")
        return list(found)

    def get_range(self, start: object, end: object) -> list[tuple[Any, Any]]:
        """The pairs of key and value from start to end, both included, in key order."""
        found: Any = self._ask("GET_RANGE", start=start, end=end)
        return list(found)

    def ping(self) -> bool:
        """True; ConnectionError if nobody answers."""
        return self._ask("PING") == "PONG"

    def _ask(self, command: str, **members: object) -> object:
        return self._checked(self._call({"cmd": command, **members}))

    # --- the protocol ---------------------------------------------------------------------------

    def _encode(self, request: dict[str, object]) -> bytes:
        data = dump(request)
        if len(data) > MAX_FRAME:
            raise LimitError(f"a message has at most {MAX_FRAME} bytes, not {len(data)}")
        return len(data).to_bytes(HEAD, "big") + data

    def _receive(self, connection: Connection) -> object:
        size = int.from_bytes(connection.exactly(HEAD), "big")
        if size > MAX_FRAME:
            raise ValueError(f"an answer has at most {MAX_FRAME} bytes, not {size}")
        return load(connection.exactly(size))

    def _login(self, password: str) -> dict[str, object]:
        return {"cmd": "AUTH", "password": password}

    def _checked(self, answer: object) -> object:
        if _is_error(answer):
            assert isinstance(answer, dict)
            code = str(answer["error"])
            raise ServerError(f"{code}: {answer.get('message', '')}".removesuffix(": "), code)
        return answer


def _is_error(answer: object) -> bool:
    """Whether the server says so, or somebody has stored what looks like it."""
    return isinstance(answer, dict) and "error" in answer and ERROR.issuperset(answer)
