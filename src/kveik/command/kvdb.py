"""The five operations of the JSON lines protocol: put, read, read_key_range, batch_put, delete.

Each is a function of (transaction, request object) and returns what stands behind "result": a Cell
for values, which the wire writes as their JSON. Called by the dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kveik.command.access import REQUIRED, check_password
from kveik.command.request import Request
from kveik.command.state import Client
from kveik.command.walk import Gather, short
from kveik.engine.scan import Rows
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.format.values import encode_json_value, key_as_text
from kveik.native import i64

Members = dict[str, object]


def put(txn: Transaction, request: Members) -> object:
    key = _key(request, "key")
    kind, data = encode_json_value(_member(request, "value"))
    txn.put(key, kind, data)
    txn.tell(b"set", key)
    return True


def read(txn: Transaction, request: Members) -> object:
    return txn.get(_key(request, "key"))


def read_key_range(txn: Transaction, request: Members) -> object:
    """Both ends included; one object, its members in key order."""
    start = _key(request, "start_key")
    stop = _key(request, "end_key") + b"\x00"
    rows = short(txn, start, stop)
    if rows is None:
        return RangeJob(txn, start, stop, pairs=True)
    return {key_as_text(key): rows.cell(at) for at, key in enumerate(rows.keys)}


class RangeJob(Gather):
    """A long read_key_range."""

    def take(self, rows: Rows) -> bool:
        items: list[object] = []
        size: i64 = rows.size
        for at, key in enumerate(rows.keys):
            items.append(key_as_text(key))
            items.append(rows.cell(at))
            size += len(key)
        self.gather(items, size)
        return True


def batch_put(txn: Transaction, request: Members) -> object:
    keys = _list(request, "keys")
    values = _list(request, "values")
    if len(keys) != len(values):
        raise CommandError(f"{len(keys)} keys for {len(values)} values")
    for key, value in zip(keys, values, strict=True):
        kind, data = encode_json_value(value)
        stored = _encoded(key, "each of 'keys'")
        txn.put(stored, kind, data)
        txn.tell(b"set", stored)
    return True


def delete(txn: Transaction, request: Members) -> object:
    key = _key(request, "key")
    deleted = txn.delete(key)
    if deleted:
        txn.tell(b"del", key)
    return deleted


KVDB: Final[dict[str, Callable[[Transaction, Members], object]]] = {
    "put": put,
    "read": read,
    "read_key_range": read_key_range,
    "batch_put": batch_put,
    "delete": delete,
}


WRITES: Final = ("put", "batch_put", "delete")


class KvdbRequest(Request):
    """members: of the object that was sent."""

    def __init__(self, client: Client, members: Members) -> None:
        self.members = members
        self._client = client

    def perform(self, txn: Transaction) -> object:
        client = self._client
        command = self.members.get("command")
        if command == "auth":
            check_password(client, _member(self.members, "password"))
            return True
        if command == "ping":
            return "PONG"
        if not client.authenticated:
            raise CommandError(f'{REQUIRED}: {{"command": "auth", "password": "..."}}')
        return find(self.members)(txn, self.members)

    def pauses(self, reads: bool) -> bool:
        return reads or self.members.get("command") in WRITES

    def name(self) -> str:
        return repr(self.members.get("command"))


def find(request: Members) -> Callable[[Transaction, Members], object]:
    """The operation a request names."""
    name = _member(request, "command")
    operation = KVDB.get(name) if isinstance(name, str) else None
    if operation is None:
        shown = f"unknown command {name!r}"[:200]
        raise CommandError(f"{shown}: known are {', '.join(KVDB)}")
    return operation


def _member(request: Members, name: str) -> object:
    if name not in request:
        raise CommandError(f"the member {name!r} is missing")
    return request[name]


def _key(request: Members, name: str) -> bytes:
    return _encoded(_member(request, name), repr(name))


def _encoded(key: object, what: str) -> bytes:
    if not isinstance(key, str):
        raise CommandError(f"{what} must be a string")
    try:
        return key.encode()
    except UnicodeEncodeError:
        raise CommandError(f"{what} must be valid Unicode (it has a lone surrogate)") from None


def _list(request: Members, name: str) -> list[object]:
    items = _member(request, name)
    if not isinstance(items, list):
        raise CommandError(f"{name!r} must be a list")
    return items
