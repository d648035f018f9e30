"""The host: runs commands, one after the other, on the one transaction, and commits what they did.

Invariants: a command that raises has changed nothing; after each call `need` is the commit that
must be safe before the reply may leave. Called by the dialects, on the loop's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kveik.command import kvdb, registry
from kveik.command.state import Client, Server
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError, KveikError, StorageError
from kveik.model import Failure
from kveik.native import i64
from kveik.server.gate import Gate
from kveik.wire.resp import ReplyEncoder

log = logging.getLogger("kveik")

INTERNAL = "ERR internal error; the server's log has the details"


class Host:
    def __init__(self, server: Server, gate: Gate, stop: Callable[[], None]) -> None:
        self.server = server
        self.gate = gate
        self._stop = stop
        self._store = server.store
        self._txn = Transaction(server.store)
        self._finder = registry.Finder()
        self.need: i64 = 0
        # One for all connections: a turn takes its replies before the next begins, and what one
        # has just used is still in the processor's cache for the next.
        self.encoder = ReplyEncoder()

    def run_redis(self, client: Client, args: list[bytes]) -> object:
        """The reply to one Redis request."""
        self.server.commands += 1
        self.need = 0
        txn = self._txn
        txn.begin(client.database)
        try:
            command = self._finder.find(args)
            if command.on_data is not None:
                reply = command.run(txn, args)
                self._commit(txn)
                return reply
            on_client = command.on_client
            if on_client is not None:
                return on_client(client, args)
            return self._run_server(command, client, args)
        except Exception as error:
            self.need = txn.seen
            return Failure(_redis_text(error, args[0]))

    def _run_server(self, command: registry.Command, client: Client, args: list[bytes]) -> object:
        on_server = command.on_server
        assert on_server is not None
        reply = on_server(self.server, args)
        if self.server.stopping:
            client.closing = True
            self._stop()
        return reply

    def run_kvdb(self, client: Client, request: dict[str, object]) -> object:
        """The result of one request of the JSON lines protocol; raises CommandError."""
        self.server.commands += 1
        self.need = 0
        txn = self._txn
        txn.begin(client.database)
        try:
            operation = kvdb.find(request)
            result = operation(txn, request)
            self._commit(txn)
            return result
        except Exception as error:
            self.need = txn.seen
            raise CommandError(_plain_text(error, str(request.get("command")))) from None

    def _commit(self, txn: Transaction) -> None:
        if txn.dirty():
            self.need = self._store.commit(txn.writes)
            self.gate.commit_soon()
        else:
            self.need = txn.seen


def _redis_text(error: Exception, command: bytes) -> str:
    """What a client is told; our own bugs go to the log with their trace."""
    if isinstance(error, CommandError):
        return str(error)
    if isinstance(error, StorageError):
        return f"MISCONF {error}"
    if isinstance(error, KveikError):
        return f"ERR {error}"
    log.error("internal error in %r", command[:64], exc_info=error)
    return INTERNAL


def _plain_text(error: Exception, command: str) -> str:
    if isinstance(error, KveikError):
        return str(error)
    log.error("internal error in %r", command[:64], exc_info=error)
    return INTERNAL[4:]
