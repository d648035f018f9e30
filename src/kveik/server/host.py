"""The host: runs commands, one after the other, on the one transaction, and commits what they did.

Invariants: a command that raises has changed nothing; after each call `need` is the commit that
must be safe before the reply may leave. A command that misses a block which the system has not got
in memory either is parked: the answer is None and `parked` says what is missing; once that has been
loaded the command runs again from the start. Called by the dialects, on the loop's thread.
"""

from __future__ import annotations

import time

from kveik.command import multi, pubsub
from kveik.command.job import Job, Unfinished
from kveik.command.registry import Finder
from kveik.command.request import Request
from kveik.command.state import Client, Server
from kveik.engine.cache import Cached
from kveik.engine.store import Store
from kveik.engine.table import Fault
from kveik.engine.transaction import PREFIXES, Transaction, unpin
from kveik.errors import KveikError
from kveik.limits import MAX_NAP, OUTPUT_BOUND, WALK_LOADS
from kveik.model import Writes
from kveik.native import i64
from kveik.server.buffers import Buffers
from kveik.server.gate import Gate
from kveik.wire.replies import ReplyEncoder


class Parked:
    """A request that is put aside. held: what it has pinned; error: why there is no block.

    It waits for a block (fault), or for others to have their turn, or for time to pass (delay).
    """

    def __init__(self, store: Store, fault: Fault | None, held: list[Cached]) -> None:
        self.fault = fault
        self.held = held
        self.job: Job | None = None  # that goes on; without one the request runs from the start
        self.delay = 0.0  # seconds
        self.seconds = 0.0  # that it took so far
        self.loaded = fault is None
        self.error: Exception | None = None
        self._store = store
        self._waits = False  # the table's file is kept for it

    def fetch(self) -> bool:
        """Whether what is missing is there, or can be had at once.

        Otherwise it will be loaded beside the loop: a compaction must not take the file away.
        """
        if self.error is not None:
            raise self.error
        fault = self.fault
        if not self.loaded and fault is not None:
            self.loaded = fault.load(True)
            if not self.loaded:
                self._waits = True
                self._store.keep(fault.table)
        return self.loaded

    def load(self) -> None:
        """Read the block; on any thread."""
        assert self.fault is not None
        try:
            self.loaded = self.fault.load(False)
        except Exception as error:  # the command tells it
            self.error = error

    def settle(self) -> list[Cached]:
        """Put the block in its place; what the command has pinned so far."""
        held = self.held
        self.held = []
        fault = self.fault
        if fault is not None:
            fault.settle(self._store.cache)
            held = held + fault.pinned
        self._end_wait()
        return held

    def let_go(self) -> None:
        """Nobody waits for it any more."""
        self._end_wait()
        unpin(self.held)
        self.held = []
        if self.job is not None:
            self.job.end()

    def _end_wait(self) -> None:
        fault = self.fault
        if self._waits and fault is not None:
            self._waits = False
            self._store.let_go(fault.table)


class Host:
    def __init__(self, server: Server, gate: Gate) -> None:
        self.server = server
        self.gate = gate
        self._store = server.store
        self._txn = Transaction(server.store, server.notices)
        self.need: i64 = 0
        self.parked: Parked | None = None
        # One for all connections: a turn takes its replies before the next begins, and what one
        # has just used is still in the processor's cache for the next.
        self.encoder = ReplyEncoder()
        self.buffers = Buffers(server)
        self.finder = Finder()  # it remembers the last command, whoever sent it

    def get_plain(self, client: Client, key: bytes) -> bool:
        """Answer a GET if that is plain, in memory and safe to show; False: run GET."""
        if not self.server.reads_plain:
            return False
        view = self._store.view
        found = view.plain(PREFIXES[client.database] + key)
        if found is not None:
            self.encoder.add_value(found)
            self.server.plain_hits += 1
        elif view.absent:
            self.encoder.add(None)
            self.server.plain_misses += 1
        else:
            return False
        return True

    def get_run(self, keys: list[bytes]) -> i64:
        """As get_plain, for stored keys that are asked for together: how many were answered."""
        values = self._store.view.plain_run(keys, OUTPUT_BOUND)
        misses = self.encoder.add_values(values)
        self.server.plain_hits += len(values) - misses
        self.server.plain_misses += misses
        return len(values)

    def set_plain(self, client: Client, key: bytes, value: bytes) -> bool:
        """SET; False, and nothing done, if it cannot be: run SET, which says why."""
        if not self.server.writes_plain:
            return False
        try:
            self.need = self._store.put_plain(PREFIXES[client.database] + key, value)
        except Exception:
            return False
        self.server.plain_sets += 1
        self.gate.commit_soon()
        return True

    def set_run(self, keys: list[bytes], values: list[bytes]) -> bool:
        """As set_plain, for stored keys that come together: all of them, or none."""
        try:
            need = self._store.put_run(keys, values)
        except Exception:
            return False
        if need == 0:
            return False
        self.need = need
        self.server.plain_sets += len(keys)
        self.gate.commit_soon()
        return True

    def run(self, client: Client, request: Request) -> object:
        """The reply to one request; look at `parked` before it is used."""
        server = self.server
        if server.paused_until > 0.0 and self._paused(request):
            return None
        server.commands += 1
        self.need = 0
        txn = self._txn
        txn.begin(client.database)
        begin = time.perf_counter()
        try:
            reply = self._performed(request)
        except Fault as fault:
            parked = Parked(self._store, fault, [])
            parked.seconds = time.perf_counter() - begin
            return self.run_again(client, request, parked)
        except Exception as error:
            self.need = txn.seen
            reply = request.failure(error)
        seconds = time.perf_counter() - begin
        if self.parked is None:
            request.done(reply, seconds)
        else:
            self.parked.seconds = seconds
        return reply

    def run_again(self, client: Client, request: Request, parked: Parked) -> object:
        """As run, for a request that has been parked."""
        if parked.delay > 0.0 and parked.job is None:  # for a CLIENT PAUSE: it has not begun
            return self.run(client, request)
        begin = time.perf_counter() - parked.seconds
        reply = self._run_again(client, request, parked)
        seconds = time.perf_counter() - begin
        if self.parked is None:
            request.done(reply, seconds)
        else:
            self.parked.seconds = seconds
        return reply

    def _run_again(self, client: Client, request: Request, parked: Parked) -> object:
        job = parked.job
        left: i64 = WALK_LOADS
        try:
            while parked.fetch() and (job is None or left > 0):
                left -= 1
                try:
                    if job is None:
                        return self._perform_again(client, request, parked)
                    return self._go_on(job, parked)
                except Fault as fault:
                    parked = Parked(self._store, fault, self._txn.held())
                    parked.job = job
            self.parked = parked
        except Exception as error:
            parked.let_go()
            self.need = self._txn.seen if job is None else job.seen
            return request.failure(error if job is None else job.failure(error))
        return None

    def _perform_again(self, client: Client, request: Request, parked: Parked) -> object:
        txn = self._txn
        txn.begin(client.database)
        txn.adopt(parked.settle())
        self.need = 0
        return self._performed(request)

    def _performed(self, request: Request) -> object:
        txn = self._txn
        reply = request.perform(txn)
        if not self.server.writes_plain:
            self._bury()
        if txn.dirty():
            self.need = self._store.commit(txn.writes)
            self.gate.commit_soon()
        else:
            self.need = txn.seen
        if not self.server.writes_plain:
            self._tell(txn.writes)
        if isinstance(reply, Job):
            reply.seen = max(reply.seen, self.need)
            self._put_aside(reply)
            return None
        return reply.finish() if isinstance(reply, Unfinished) else reply

    def _bury(self) -> None:
        """Delete the values that were met and have expired, as somebody is to be told of each once.

        They are gone for everybody either way, so it is no part of the command.
        """
        expired = self.server.notices.expired
        if not expired:
            return
        writes = Writes()
        for stored in expired:
            writes.delete(stored)
        try:
            lsn = self._store.commit(writes)
        except KveikError:
            return  # there is no room, or no more writing: told another time
        self.gate.commit_soon()
        multi.touch(self.server, writes, lsn)
        for stored in expired:
            pubsub.notify(self.server, stored[0], b"expired", stored[1:])

    def _tell(self, writes: Writes) -> None:
        """Tell those who want to know of what has just been done, and committed."""
        server = self.server
        if server.watched:
            multi.touch(server, writes, self.need)
        for event in server.notices.events:
            pubsub.notify(server, event.database, event.name, event.key)

    def _paused(self, request: Request) -> bool:
        """Whether CLIENT PAUSE puts a request aside, to be run later."""
        server = self.server
        left = server.paused_until - time.monotonic()
        if left <= 0.0:
            server.resume()
        elif request.pauses(server.pauses_reads):
            self.parked = Parked(self._store, None, [])
            self.parked.delay = left
            return True
        return False

    def _go_on(self, job: Job, parked: Parked) -> object:
        """A step of a long command, and its reply if that was the last."""
        txn = self._txn
        txn.begin(0)
        txn.adopt(parked.settle())
        if job.step():
            self._put_aside(job)
            return None
        self.need = job.seen
        reply = job.reply()
        job.end()
        return reply

    def _put_aside(self, job: Job) -> None:
        self.parked = Parked(self._store, None, [])
        self.parked.job = job
        self.parked.delay = job.delay

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
