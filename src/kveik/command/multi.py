"""Transactions: MULTI EXEC DISCARD WATCH UNWATCH. Called through the registry; `touch` by the host.

EXEC runs everything that was queued on one transaction. As that may run again from the start, a
queued command on the connection (PUBLISH, CLIENT) is only done once the transaction is committed,
by `Executed.finish`; nothing but SELECT makes a difference to what comes after it.
Invariant: every watched key is in the server's `watched` and in its client's `watches`, or in none.
"""

from __future__ import annotations

import time
from typing import Final

from kveik.command import monitor
from kveik.command.arguments import TOO_MUCH, database_number
from kveik.command.command import ALL, NONE, Command, on_both, on_client
from kveik.command.job import Job, Unfinished
from kveik.command.request import told_to_redis
from kveik.command.state import Client, Queue, Server, Watch
from kveik.engine.table import Fault
from kveik.engine.transaction import PREFIXES, Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_QUEUE, MAX_QUEUED, MAX_REPLY, MAX_WATCHED
from kveik.model import CLEARED, NULL_ARRAY, OK, QUEUED, Cell, Failure, Pages, Writes
from kveik.native import i64

ABORTED = "EXECABORT Transaction discarded because of previous errors."
ARGUMENT: Final = 64  # bytes that an argument in a queue takes beside its own
IMMEDIATE: Final = frozenset(("DISCARD", "EXEC", "MULTI", "QUIT", "RESET", "WATCH"))


def multi(client: Client, args: list[bytes]) -> object:
    if client.queue is not None:
        raise CommandError("ERR MULTI calls can not be nested")
    client.queue = Queue()
    client.settle()
    return OK


def discard(client: Client, args: list[bytes]) -> object:
    if client.queue is None:
        raise CommandError("ERR DISCARD without MULTI")
    leave(client)
    return OK


def enqueue(client: Client, queue: Queue, command: Command, args: list[bytes]) -> object:
    """Keep a command for EXEC."""
    size = sum([len(arg) + ARGUMENT for arg in args])
    if len(queue.commands) >= MAX_QUEUED:
        raise CommandError(f"ERR a transaction has at most {MAX_QUEUED} commands")
    if client.server.queued + size > MAX_QUEUE:
        raise CommandError(f"ERR the commands after MULTI would have more than {MAX_QUEUE} bytes")
    queue.commands.append(command)
    queue.arguments.append(args)
    queue.size += size
    queue.writes = queue.writes or command.writes
    client.server.queued += size
    return QUEUED


def leave(client: Client) -> None:
    """The transaction is over: forget its commands, and what was watched for it."""
    queue = client.queue
    if queue is not None:
        client.server.queued -= queue.size
        client.queue = None
        client.settle()
    forget(client)


# --- WATCH --------------------------------------------------------------------------------------


def watch(txn: Transaction, client: Client, args: list[bytes]) -> object:
    if client.queue is not None:
        raise CommandError("ERR WATCH inside MULTI is not allowed")
    server = client.server
    if len(server.watched) + len(args) - 1 > MAX_WATCHED:
        raise CommandError(f"ERR at most {MAX_WATCHED} keys can be watched")
    cells = [txn.get(key) for key in args[1:]]  # all of them first: a block may be missing
    for key, cell in zip(args[1:], cells, strict=True):
        stored = PREFIXES[txn.database] + key
        if stored not in client.watches:
            one = Watch(client, cell is not None, 0 if cell is None else cell.expires)
            client.watches[stored] = one
            server.watched.setdefault(stored, {})[client] = one
    server.settle()
    return OK


def unwatch(client: Client, args: list[bytes]) -> object:
    forget(client)
    return OK


def forget(client: Client) -> None:
    """Watch nothing any more."""
    client.touched = 0
    if not client.watches:
        return
    watched = client.server.watched
    for stored in client.watches:
        watchers = watched[stored]
        del watchers[client]
        if not watchers:
            del watched[stored]
    client.watches = {}
    client.server.settle()


def touch(server: Server, writes: Writes, lsn: i64) -> None:
    """Take note of a commit for whoever watches what it changed."""
    at: i64 = 0
    while at < writes.count and server.watched:
        cell = writes.cells[at]
        if cell.kind == CLEARED:
            _touch_range(server, writes.keys[at], cell.data, lsn)
        else:
            watchers = server.watched.get(writes.keys[at])
            if watchers is not None:
                for client in watchers:
                    client.touched = lsn
        at += 1


def _touch_range(server: Server, start: bytes, stop: bytes, lsn: i64) -> None:
    for stored, watchers in server.watched.items():
        if start <= stored < stop:
            for client, one in watchers.items():
                if one.present:  # of a key that was not there nothing was deleted
                    client.touched = lsn


def _changed(txn: Transaction, client: Client) -> bool:
    """Whether anything that is watched is not what it was."""
    if client.touched > 0:
        txn.seen = client.touched  # who hears of it may hear of that commit
        return True
    return any([0 < one.expires <= txn.now() for one in client.watches.values()])


# --- EXEC ---------------------------------------------------------------------------------------


def execute(txn: Transaction, client: Client, args: list[bytes]) -> object:
    queue = client.queue
    if queue is None:
        raise CommandError("ERR EXEC without MULTI")
    if queue.failed:
        leave(client)
        raise CommandError(ABORTED)
    if _changed(txn, client):
        leave(client)
        return NULL_ARRAY
    executed = Executed(client, queue)
    executed.run(txn)
    return executed


class Executed(Unfinished):
    """An EXEC whose commands on data have been run."""

    def __init__(self, client: Client, queue: Queue) -> None:
        self._client = client
        self._queue = queue
        self._replies: list[object] = []
        self._seconds: list[float] = []  # that each command took
        self._size: i64 = 0  # bytes of the replies

    def run(self, txn: Transaction) -> None:
        """Run what is on data. Fault: nothing but the transaction has changed."""
        queue = self._queue
        for command, args in zip(queue.commands, queue.arguments, strict=True):
            begin = time.perf_counter()
            reply: object = None
            if command.on_client is None:
                reply = self._call(command, txn, args)
            elif command.name == "SELECT":
                _select(txn, args)
            self._replies.append(reply)
            self._seconds.append(time.perf_counter() - begin)
            self._size += _size(reply)
            if self._size > MAX_REPLY:
                raise CommandError(TOO_MUCH)

    def _call(self, command: Command, txn: Transaction, args: list[bytes]) -> object:
        txn.save()
        try:
            reply = command.call(txn, self._client, args)
            if isinstance(reply, Job):
                job = reply
                reply = job.at_once()
                txn.seen = max(txn.seen, job.seen)
            return reply
        except Fault:
            raise
        except Exception as error:
            txn.roll_back()
            return Failure(told_to_redis(error, command.name))

    def finish(self) -> object:
        """It is committed: do the rest."""
        client = self._client
        queue = self._queue
        leave(client)
        replies = self._replies
        for at, (command, args) in enumerate(zip(queue.commands, queue.arguments, strict=True)):
            seconds = self._seconds[at]
            if command.on_client is not None:
                begin = time.perf_counter()
                replies[at] = _on_client(command, client, args)
                seconds = time.perf_counter() - begin
            client.server.measures.note(command, client, args, seconds, replies[at])
            if client.server.monitors:
                monitor.feed(command, client, args)
        return replies


def _on_client(command: Command, client: Client, args: list[bytes]) -> object:
    function = command.on_client
    assert function is not None
    try:
        reply = function(client, args)
        return reply.at_once() if isinstance(reply, Job) else reply
    except Exception as error:
        return Failure(told_to_redis(error, command.name))


def _select(txn: Transaction, args: list[bytes]) -> None:
    """What comes after it is on another database; the client's is changed at the end."""
    try:
        txn.select(database_number(args[1]))
    except CommandError:
        pass  # told at the end


def _size(reply: object) -> i64:
    """About the bytes of a reply."""
    if isinstance(reply, bytes):
        return len(reply)
    if isinstance(reply, Cell):
        return len(reply.data)
    if isinstance(reply, list):
        size: i64 = 0
        for item in reply:
            size += _size(item)
        return size
    return reply.size if isinstance(reply, Pages) else 0


COMMANDS: Final[list[Command]] = [
    on_client(
        discard,
        "DISCARD",
        1,
        "noscript loading stale fast allow_busy",
        "transactions",
        "Discards a transaction.",
        since="2.0.0",
    ),
    on_both(
        execute,
        "EXEC",
        1,
        "noscript loading stale skip_slowlog",
        "transactions",
        "Executes all commands in a transaction.",
        since="1.2.0",
    ),
    on_client(
        multi,
        "MULTI",
        1,
        "noscript loading stale fast allow_busy",
        "transactions",
        "Starts a transaction.",
        since="1.2.0",
    ),
    on_client(
        unwatch,
        "UNWATCH",
        1,
        "noscript loading stale fast allow_busy",
        "transactions",
        "Forgets about watched keys of a transaction.",
        NONE,
        "2.2.0",
    ),
    on_both(
        watch,
        "WATCH",
        -2,
        "noscript loading stale fast allow_busy",
        "transactions",
        "Monitors changes to keys to determine the execution of a transaction.",
        ALL,
        "2.2.0",
    ),
]
