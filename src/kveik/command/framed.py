"""The operations of the length-prefixed protocol: SET GET DELETE BULKSET EXISTS KEYS and their kin.

Each is a function of (transaction, request dict) and returns the answer as a pickle. Errors start
with their code. Keys are what Python's users give (format/keys.py), values plain data that come
back just as they went in. Called by the dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kveik.command.access import REQUIRED, check_password
from kveik.command.request import Request
from kveik.command.state import Client
from kveik.command.walk import Walk, short
from kveik.engine.scan import Rows
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError, DiskFullError, LimitError, StorageError
from kveik.format.coding import BytesWriter
from kveik.format.keys import encode_key
from kveik.format.pickling import HEAD, STOP, dump
from kveik.format.values import encode_plain, put_key, put_value
from kveik.limits import MAX_FRAME, MAX_KEY
from kveik.model import Cell, Failure
from kveik.native import i64

Members = dict[object, object]

DONE: Final[bytes] = dump("OK")
NOTHING: Final[bytes] = dump(None)
ROOM: Final = 64  # bytes that a message has besides its values, at least


def set_(txn: Transaction, request: Members) -> object:
    _put(txn, _member(request, "key", "MISSING_KEY"), _member(request, "value", "MISSING_VALUE"))
    return DONE


def get(txn: Transaction, request: Members) -> object:
    cell = txn.get(_key(_member(request, "key", "MISSING_KEY")))
    if cell is None:
        return NOTHING
    if len(cell.data) > MAX_FRAME - ROOM:
        raise CommandError(f"VALUE_TOO_LARGE an answer has at most {MAX_FRAME} bytes")
    out = BytesWriter()
    out.write(HEAD)
    put_value(out, cell.kind, cell.data)
    out.write(STOP)
    return out.getvalue()


def delete(txn: Transaction, request: Members) -> object:
    key = _key(_member(request, "key", "MISSING_KEY"))
    if not txn.delete(key):
        return dump("NOT_FOUND")
    txn.tell(b"del", key)
    return DONE


def exists(txn: Transaction, request: Members) -> object:
    return dump(txn.get(_key(_member(request, "key", "MISSING_KEY"))) is not None)


def bulk_set(txn: Transaction, request: Members) -> object:
    """All of the pairs, or none."""
    items = _member(request, "items", "MISSING_ITEMS")
    if isinstance(items, dict):
        items = list(items.items())
    for pair in _sequence(items, "items"):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise CommandError("INVALID_REQUEST each of 'items' is a pair of a key and a value")
        _put(txn, pair[0], pair[1])
    return DONE


def batch_put(txn: Transaction, request: Members) -> object:
    """All of the keys with their values, or none."""
    keys = _sequence(_member(request, "keys", "MISSING_KEY"), "keys")
    values = _sequence(_member(request, "values", "MISSING_VALUE"), "values")
    if len(keys) != len(values):
        raise CommandError(f"INVALID_REQUEST {len(keys)} keys for {len(values)} values")
    for at in range(len(keys)):
        _put(txn, keys[at], values[at])
    return DONE


def keys(txn: Transaction, request: Members) -> object:
    """A list of all keys, in their order."""
    return _read(txn, b"", None, KeyList())


def get_range(txn: Transaction, request: Members) -> object:
    """A list of (key, value), in the keys' order; both ends are included."""
    start = _bound(_member(request, "start", "MISSING_KEY"))
    return _read(txn, start, _bound(_member(request, "end", "MISSING_KEY")) + b"\x00", PairList())


def _read(txn: Transaction, start: bytes, stop: bytes | None, answer: KeyList) -> object:
    rows = short(txn, start, stop)
    if rows is None:
        return LongList(txn, start, stop, answer)
    answer.add(rows)
    return answer.reply()


class LongList(Walk):
    """A list of very many."""

    def __init__(self, txn: Transaction, start: bytes, stop: bytes | None, answer: KeyList) -> None:
        super().__init__(txn, start, stop)
        self._answer = answer

    def take(self, rows: Rows) -> bool:
        self._answer.add(rows)
        self.size = self._answer.size()
        return True

    def reply(self) -> object:
        return self._answer.reply()


class KeyList:
    """A list of keys, as a pickle in the making."""

    def __init__(self) -> None:
        self._out = BytesWriter()
        self._out.write(HEAD + b"](")

    def size(self) -> i64:
        """Bytes so far."""
        return len(self._out)

    def add(self, rows: Rows) -> None:
        """CommandError if it is too much."""
        for at in range(len(rows.keys)):
            self.put(rows.keys[at], rows.cell(at))
            if len(self._out) > MAX_FRAME - ROOM:
                raise CommandError(
                    f"MESSAGE_TOO_LARGE an answer has at most {MAX_FRAME} bytes: ask for less"
                )

    def put(self, key: bytes, cell: Cell) -> None:
        put_key(self._out, key)

    def reply(self) -> object:
        self._out.write(b"e" + STOP)
        return self._out.getvalue()


class PairList(KeyList):
    """A list of (key, value)."""

    def put(self, key: bytes, cell: Cell) -> None:
        out = self._out
        put_key(out, key)
        put_value(out, cell.kind, cell.data)
        out.write(b"\x86")


FRAMED: Final[dict[str, Callable[[Transaction, Members], object]]] = {
    "SET": set_,
    "PUT": set_,
    "GET": get,
    "READ": get,
    "DELETE": delete,
    "BULKSET": bulk_set,
    "BATCH_PUT": batch_put,
    "EXISTS": exists,
    "KEYS": keys,
    "GET_RANGE": get_range,
}
WRITES: Final = (set_, delete, bulk_set, batch_put)


class FramedRequest(Request):
    """members: of the dict that was sent."""

    def __init__(self, client: Client, members: Members) -> None:
        self.members = members
        self._client = client

    def perform(self, txn: Transaction) -> object:
        client = self._client
        command = _member(self.members, "cmd", "MISSING_COMMAND")
        name = command.upper() if isinstance(command, str) else ""
        if name == "AUTH":
            return self._log_in(_member(self.members, "password", "MISSING_PASSWORD"))
        if name == "PING":
            return dump("PONG")
        if not client.authenticated:
            raise CommandError(
                f"NOT_AUTHENTICATED {REQUIRED}: {{'cmd': 'AUTH', 'password': '...'}}"
            )
        return find(command)(txn, self.members)

    def _log_in(self, password: object) -> object:
        try:
            check_password(self._client, password)
        except CommandError as error:
            raise CommandError(f"NOT_AUTHENTICATED {error}") from None
        return DONE

    def pauses(self, reads: bool) -> bool:
        command = self.members.get("cmd")
        operation = FRAMED.get(command.upper()) if isinstance(command, str) else None
        return reads or operation in WRITES

    def name(self) -> str:
        return _shown(self.members.get("cmd"))

    def failure(self, error: Exception) -> Failure:
        if isinstance(error, CommandError):
            return Failure(str(error))
        code = "INTERNAL_ERROR"
        if isinstance(error, (StorageError, OSError)):
            code = "DISK_FULL" if isinstance(error, DiskFullError) else "STORAGE_ERROR"
        elif isinstance(error, LimitError):
            code = "MESSAGE_TOO_LARGE"
        return Failure(f"{code} {super().failure(error).text}")


def find(command: object) -> Callable[[Transaction, Members], object]:
    """The operation that a request names."""
    operation = FRAMED.get(command.upper()) if isinstance(command, str) else None
    if operation is None:
        shown = f"UNKNOWN_COMMAND unknown command {_shown(command)}"
        raise CommandError(f"{shown}: known are {', '.join(FRAMED)}, PING, AUTH")
    return operation


def _shown(command: object) -> str:
    """Of anything that may be sent; not all of it has a short repr, or one at all."""
    return repr(command[:64]) if isinstance(command, str) else f"of type {type(command).__name__}"


def _put(txn: Transaction, key: object, value: object) -> None:
    try:
        kind, data = encode_plain(value)
    except LimitError as error:
        raise CommandError(f"VALUE_TOO_LARGE {error}") from None
    stored = _key(key)
    txn.put(stored, kind, data)
    txn.tell(b"set", stored)


def _member(request: Members, name: str, code: str) -> object:
    if name not in request:
        raise CommandError(f"{code} the member {name!r} is missing")
    return request[name]


def _key(key: object) -> bytes:
    try:
        return encode_key(key)
    except LimitError as error:
        long = isinstance(key, (str, bytes)) and len(key) > MAX_KEY // 4
        raise CommandError(f"{'KEY_TOO_LARGE' if long else 'INVALID_KEY'} {error}") from None
    except TypeError as error:
        raise CommandError(f"INVALID_KEY {error}") from None


def _bound(key: object) -> bytes:
    return b"" if key in ("", b"") else _key(key)


def _sequence(items: object, name: str) -> list[object]:
    if not isinstance(items, (list, tuple)):
        raise CommandError(f"INVALID_REQUEST {name!r} is a list")
    return list(items)
