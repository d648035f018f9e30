"""A connection without a socket: commands run as the server runs them, on a store in memory."""

from __future__ import annotations

import pytest

from kveik.command import kvdb, multi
from kveik.command.configuration import settle
from kveik.command.job import Job, Unfinished
from kveik.command.redis import RedisRequest
from kveik.command.registry import Finder
from kveik.command.request import told_to_redis
from kveik.command.sessions import enter
from kveik.command.state import Client, Server
from kveik.disk.memory import MemoryDisk
from kveik.engine.log import Group
from kveik.engine.opening import open_store
from kveik.engine.transaction import Transaction
from kveik.errors import KveikError
from kveik.model import Failure, Simple, Verbatim
from kveik.wire.replies import ReplyEncoder

START = 1_700_000_000_000  # Unix milliseconds at which a desk opens


class Desk:
    """One client at a server of its own. now: its clock, in Unix milliseconds."""

    def __init__(self) -> None:
        self.now = START
        self.store = open_store(MemoryDisk(), memory=8 << 20, clock=lambda: (self.now + 0.5) / 1000)
        self.stopped = False
        configuration = {"port": "6379", "databases": "16", "maxmemory": "0"}
        self.server = Server(self.store, configuration, START / 1000, self._stop)
        settle(self.server)
        self.client = Client(self.server, 7, "127.0.0.1:5000")
        self.txn = Transaction(self.store)
        self.need = 0  # the newest commit that the last answer shows
        self._request = RedisRequest(self.client, Finder())
        enter(self.client)
        self._group: Group | None = None  # written, and not yet taken note of

    def run(self, line: str, *more: bytes) -> object:
        """The reply to a command: the words of a line, and arguments that follow as they are.

        Words of the protocol and text for people come as str. Raises what the command raises.
        """
        reply = self._call([*(word.encode() for word in line.split()), *more])
        if isinstance(reply, Simple):
            return reply.text.decode()
        return reply.text if isinstance(reply, Verbatim) else reply

    def error(self, line: str, *more: bytes) -> str:
        """The text of the error that a command is answered with."""
        with pytest.raises(KveikError) as caught:
            self.run(line, *more)
        return str(caught.value)

    def reply(self, args: list[bytes]) -> bytes:
        """The bytes of the reply to a request, errors included."""
        encoder = ReplyEncoder()
        try:
            reply = self._call(args)
        except KveikError as error:
            reply = Failure(told_to_redis(error, "a test's"))
        encoder.protocol = self.client.protocol
        encoder.add(reply)
        return encoder.take()

    def ask(self, **request: object) -> object:
        """The result of a request of the JSON lines protocol."""
        self.txn.begin(self.client.database)
        result = kvdb.find(request)(self.txn, request)
        self._commit()
        return result

    def refusal(self, **request: object) -> str:
        """The text of the error that a request of the JSON lines protocol is answered with."""
        with pytest.raises(KveikError) as caught:
            self.ask(**request)
        return str(caught.value)

    def write(self) -> None:
        """Put everything that was committed so far on the disk; `settle` takes note of it."""
        self._group = self._group or self.store.take(True)
        if self._group is not None:
            self._group.perform()

    def settle(self) -> None:
        group, self._group = self._group, None
        if group is not None:
            self.store.settle(group)

    def _call(self, args: list[bytes]) -> object:
        self.txn.begin(self.client.database)
        self._request.args = args
        try:
            reply = self._request.perform(self.txn)
            self._commit()
        except KveikError as error:
            self._request.done(self._request.failure(error), 0.0)
            raise
        if isinstance(reply, Unfinished):
            reply = reply.finish()
        if isinstance(reply, Job):
            reply = reply.at_once()
        self._request.done(reply, 0.0)
        return reply

    def _stop(self) -> None:
        self.stopped = True

    def _commit(self) -> None:
        self.need = self.txn.seen
        if self.txn.dirty():
            self.need = self.store.commit(self.txn.writes)
            multi.touch(self.server, self.txn.writes, self.need)
