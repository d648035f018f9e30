"""The host: runs commands, one after the other, on the one transaction, and commits what they did.

Invariants: a command that raises has changed nothing; after each call `need` is the commit that
must be safe before the reply may leave. A command that misses a block which the system has not got
in memory either is parked: the answer is None and `parked` says what is missing; once that has been
loaded the command runs again from the start. Called by the dialects, on the loop's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kveik.command import kvdb, registry
from kveik.command.state import Client, Server
from kveik.engine.cache import Cached
from kveik.engine.store import Store
from kveik.engine.table import Fault
from kveik.engine.transaction import PREFIXES, Transaction, unpin
from kveik.errors import CommandError, KveikError, StorageError
from kveik.limits import MAX_NAP
from kveik.model import Failure
from kveik.native import i64
from kveik.server.gate import Gate
from kveik.wire.replies import ReplyEncoder

log = logging.getLogger("kveik")


class Parked:
    """A command that waits for a block. held: what it has pinned; error: why there is no block."""

    def __init__(self, store: Store, fault: Fault, held: list[Cached]) -> None:
        self.fault = fault
        self.held = held
        self.loaded = False
        self.error: Exception | None = None
        self._store = store
        self._waits = False  # the table's file is kept for it

    def wait(self) -> None:
        """It will be loaded beside the loop; a compaction must not take the file away meanwhile."""
        self._waits = True
        self._store.keep(self.fault.table)

    def load(self) -> None:
        """Read the block; on any thread."""
        try:
            self.loaded = self.fault.load(False)
        except Exception as error:  # the command tells it
            self.error = error

    def settle(self) -> list[Cached]:
        """Put the block in its place; what the command has pinned so far."""
        self.fault.settle(self._store.cache)
        self._end_wait()
        return self.held + self.fault.pinned

    def let_go(self) -> None:
        """Nobody waits for it any more."""
        self._end_wait()
        unpin(self.held)
        self.held = []

    def _end_wait(self) -> None:
        if self._waits:
            self._waits = False
            self._store.let_go(self.fault.table)


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
        self.parked: Parked | None = None
        # One for all connections: a turn takes its replies before the next begins, and what one
        # has just used is still in the processor's cache for the next.
        self.encoder = ReplyEncoder()

    def get_plain(self, client: Client, key: bytes) -> bool:
        """Answer a GET if that is plain, in memory and safe to show; False: run GET."""
        view = self._store.view
        found = view.plain(PREFIXES[client.database] + key)
        if found is not None:
            self.encoder.add_value(found)
        elif view.absent:
            self.encoder.add(None)
        else:
            return False
        self.server.commands += 1
        return True

    def set_plain(self, client: Client, key: bytes, value: bytes) -> bool:
        """SET; False, and nothing done, if it cannot be: run SET, which says why."""
        try:
            self.need = self._store.put_plain(PREFIXES[client.database] + key, value)
        except Exception:
            return False
        self.server.commands += 1
        self.gate.commit_soon()
        return True

    def run_redis(self, client: Client, args: list[bytes]) -> object:
        """The reply to one Redis request; look at `parked` before it is used."""
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
        except Fault as fault:
            return self.run_again(client, args, Parked(self._store, fault, []))
        except Exception as error:
            self.need = txn.seen
            return Failure(_redis_text(error, args[0]))

    def run_again(self, client: Client, args: list[bytes], parked: Parked) -> object:
        """As run_redis, for a command that has missed a block."""
        txn = self._txn
        try:
            while self._get(parked):
                self._resume(client, parked)
                try:
                    command = self._finder.find(args)
                    reply = command.run(txn, args)
                    self._commit(txn)
                    return reply
                except Fault as fault:
                    parked = Parked(self._store, fault, txn.held())
        except Exception as error:
            self.need = txn.seen
            return Failure(_redis_text(error, args[0]))
        return None

    def _get(self, parked: Parked) -> bool:
        """Whether what is missing is there, or can be had at once; otherwise it is parked."""
        if parked.error is not None:
            parked.let_go()
            raise parked.error
        if not parked.loaded:
            try:
                parked.loaded = parked.fault.load(True)
            except Exception:
                parked.let_go()
                raise
        if not parked.loaded:
            parked.wait()
            self.parked = parked
        return parked.loaded

    def _resume(self, client: Client, parked: Parked) -> None:
        """The transaction of a command that has been parked, from the start."""
        txn = self._txn
        txn.begin(client.database)
        txn.adopt(parked.settle())
        self.need = 0

    def _run_server(self, command: registry.Command, client: Client, args: list[bytes]) -> object:
        on_server = command.on_server
        assert on_server is not None
        reply = on_server(self.server, args)
        if self.server.stopping:
            client.closing = True
            self._stop()
        return reply

    def run_kvdb(self, client: Client, request: dict[str, object]) -> object:
        """The result of one request of the JSON lines protocol; raises CommandError.

        Look at `parked` before it is used.
        """
        self.server.commands += 1
        self.need = 0
        txn = self._txn
        txn.begin(client.database)
        try:
            operation = kvdb.find(request)
            result = operation(txn, request)
            self._commit(txn)
            return result
        except Fault as fault:
            return self.run_kvdb_again(client, request, Parked(self._store, fault, []))
        except Exception as error:
            self.need = txn.seen
            raise CommandError(_plain_text(error, str(request.get("command")))) from None

    def run_kvdb_again(self, client: Client, request: dict[str, object], parked: Parked) -> object:
        """As run_kvdb, for a request that has missed a block."""
        txn = self._txn
        try:
            while self._get(parked):
                self._resume(client, parked)
                try:
                    operation = kvdb.find(request)
                    result = operation(txn, request)
                    self._commit(txn)
                    return result
                except Fault as fault:
                    parked = Parked(self._store, fault, txn.held())
        except Exception as error:
            self.need = txn.seen
            raise CommandError(_plain_text(error, str(request.get("command")))) from None
        return None

    def owed(self) -> float:
        """Seconds that whoever has just written should wait, as upkeep is behind."""
        return self._store.owed

    def pay(self) -> float:
        """A part of them, which then is no longer owed."""
        store = self._store
        nap = min(store.owed, MAX_NAP)
        store.owed -= nap
        store.stalled += nap
        return nap

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
    if isinstance(error, OSError):
        return f"ERR the data could not be read: {error}"
    if isinstance(error, KveikError):
        return f"ERR {error}"
    log.error("internal error in %r", command[:64], exc_info=error)
    return INTERNAL


def _plain_text(error: Exception, command: str) -> str:
    if isinstance(error, KveikError):
        return str(error)
    if isinstance(error, OSError):
        return f"the data could not be read: {error}"
    log.error("internal error in %r", command[:64], exc_info=error)
    return INTERNAL[4:]
