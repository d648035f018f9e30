"""What one request of Redis' protocol does, and who may make it. Called by the host."""

from __future__ import annotations

from kveik.command import monitor, multi
from kveik.command.command import Command
from kveik.command.described import TABLE
from kveik.command.registry import Finder
from kveik.command.request import Request, told_to_redis
from kveik.command.state import Client
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.model import Failure

UNKNOWN_CLIENT = "NOAUTH Authentication required."
PUBLISHING = ("PUBLISH", "SPUBLISH")
# What a connection of RESP2 may ask for while it listens.
LISTENING = frozenset(
    (
        "PING",
        "PSUBSCRIBE",
        "PUNSUBSCRIBE",
        "QUIT",
        "RESET",
        "SSUBSCRIBE",
        "SUBSCRIBE",
        "SUNSUBSCRIBE",
        "UNSUBSCRIBE",
    )
)


class RedisRequest(Request):
    """args: the name of the command, and what stands behind it."""

    def __init__(self, client: Client, finder: Finder) -> None:
        self.args: list[bytes] = []
        self._client = client
        self._finder = finder
        self._found: Command | None = None
        self._called = False  # what was found is being performed, and not refused or queued

    def perform(self, txn: Transaction) -> object:
        args = self.args
        client = self._client
        self._called = False
        self._found = None
        if not client.plain:
            return self._admit(client, txn, args)
        self._found = command = self._finder.find(args)
        self._called = True
        return command.call(txn, client, args)

    def _admit(self, client: Client, txn: Transaction, args: list[bytes]) -> object:
        """As perform, for a client that may not do everything, or not now."""
        queue = client.queue
        try:
            self._found = command = self._finder.find(args)
            _refuse(command, client)
            if queue is not None and command.name not in multi.IMMEDIATE:
                return multi.enqueue(client, queue, command, args)
        except CommandError:
            if queue is not None:
                queue.failed = True
            raise
        self._called = True
        return command.call(txn, client, args)

    def name(self) -> str:
        return repr(self.args[0])

    def pauses(self, reads: bool) -> bool:
        command = TABLE.get(self.args[0].upper())
        if command is None:
            return reads
        queue = self._client.queue
        if command.name == "EXEC" and queue is not None:
            return reads or queue.writes
        if command.name == "CLIENT" and len(self.args) > 1:
            return reads and self.args[1].upper() not in (b"PAUSE", b"UNPAUSE")
        return reads or command.writes or command.name in PUBLISHING

    def failure(self, error: Exception) -> Failure:
        text = told_to_redis(error, self.name())
        if self.args[0].upper() == b"EXEC" and (self._client.queue is not None or not self._called):
            multi.leave(self._client)
            text = f"EXECABORT Transaction discarded because of: {text.removeprefix('ERR ')}"
        return Failure(text)

    def done(self, reply: object, seconds: float) -> None:
        client = self._client
        found = self._found
        measures = client.server.measures
        if self._called and found is not None:
            client.command = found.lower
            measures.note(found, client, self.args, seconds, reply)
            if client.server.monitors:
                monitor.feed(found, client, self.args)
        elif isinstance(reply, Failure):
            measures.refuse(found or TABLE.get(self.args[0].upper()), reply)


def _refuse(command: Command, client: Client) -> None:
    """CommandError for what a client may not do now."""
    flags = command.flags
    if not client.authenticated and "no_auth" not in flags:
        raise CommandError(UNKNOWN_CLIENT)
    if client.queue is not None and "no_multi" in flags:
        raise CommandError("ERR Command not allowed inside a transaction")
    if command.name not in LISTENING and client.listens():
        raise CommandError(
            f"ERR Can't execute '{command.lower}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING "
            "/ QUIT / RESET are allowed in this context"
        )
