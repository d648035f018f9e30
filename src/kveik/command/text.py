"""The operations of the text protocol: SET GET DELETE PING AUTH FLUSH SNAPSHOT SHUTDOWN.

What they return: a Cell for a value, a str for the message of an answer, None for an answer without
one, or a Job. Called by the dialect.
"""

from __future__ import annotations

from typing import Final

from kveik.command.access import REQUIRED, check_password, may_stop
from kveik.command.checkpoints import FlushJob, SnapshotJob
from kveik.command.request import Request
from kveik.command.state import Client
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError, LimitError
from kveik.format.values import encode_json_value

UNKNOWN: Final = "Unknown command"
WRITES: Final = ("SET", "DELETE")
USAGE: Final[dict[str, str]] = {
    "SET": "SET key value",
    "GET": "GET key",
    "DELETE": "DELETE key",
    "AUTH": "AUTH password",
    "PING": "PING",
    "FLUSH": "FLUSH",
    "SNAPSHOT": "SNAPSHOT",
    "SHUTDOWN": "SHUTDOWN",
}


class TextRequest(Request):
    """words: the command in capital letters, the key, the text; value: what JSON the text is."""

    def __init__(self, client: Client, words: list[str], value: object) -> None:
        self._client = client
        self._words = words
        self._value = value

    def perform(self, txn: Transaction) -> object:
        words = self._words
        name = words[0] if words else ""
        usage = USAGE.get(name)
        if usage is None:
            raise CommandError(UNKNOWN)
        if not self._client.authenticated and name not in ("AUTH", "PING"):
            raise CommandError(f"{REQUIRED}: AUTH password")
        if len(words) != len(usage.split()):
            raise CommandError(f"Usage: {usage}")
        if len(words) == 1:
            return self._administer(name)
        if name == "AUTH":
            check_password(self._client, words[1])
            return "Authenticated"
        return self._data(txn, name, words[1])

    def _data(self, txn: Transaction, name: str, key: str) -> object:
        stored = key.encode()
        if name == "SET":
            kind, data = _encoded(self._words[2], self._value)
            txn.put(stored, kind, data)
            txn.tell(b"set", stored)
            return f"Key '{key}' set"
        cell = txn.get(stored)
        if cell is None:
            raise CommandError(f"Key '{key}' not found")
        if name == "GET":
            return cell
        txn.delete(stored)
        txn.tell(b"del", stored)
        return None

    def _administer(self, name: str) -> object:
        client = self._client
        if name == "PING":
            return "PONG"
        if name == "FLUSH":
            return FlushJob(client.server)
        if name == "SNAPSHOT":
            return SnapshotJob(client.server)
        if not may_stop(client):
            raise CommandError("SHUTDOWN is for clients on this machine, or with a password")
        client.closing = True
        client.server.stop()
        return "Server shutting down"

    def pauses(self, reads: bool) -> bool:
        return reads or (bool(self._words) and self._words[0] in WRITES)

    def name(self) -> str:
        return repr(self._words[0])


def _encoded(text: str, value: object) -> tuple[int, bytes]:
    """(content type, bytes) of a value; where JSON cannot say it after all, of the text."""
    try:
        return encode_json_value(value)
    except LimitError:
        return encode_json_value(text)
