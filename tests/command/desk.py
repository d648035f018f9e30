"""A connection without a socket: commands run as the server runs them, on a store in memory."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from kveik.command import framed, kvdb, multi
from kveik.command.configuration import settle
from kveik.command.job import Job, Unfinished
from kveik.command.redis import RedisRequest
from kveik.command.registry import Finder
from kveik.command.request import Request, told_to_redis
from kveik.command.sessions import enter
from kveik.command.state import Client, Server
from kveik.command.text import TextRequest
from kveik.disk.memory import MemoryDisk
from kveik.engine.log import Group
from kveik.engine.opening import open_store
from kveik.engine.table import Fault
from kveik.engine.transaction import Transaction
from kveik.errors import KveikError
from kveik.model import Failure, Pages, Simple, Verbatim
from kveik.wire import framed as framed_wire
from kveik.wire import text
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
        self.steps = 0  # of the last command, if it took several
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
        if isinstance(reply, Pages):
            return [item for part in reply.parts for item in part]
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
        result = self.performed(kvdb.KvdbRequest(self.client, request))
        if isinstance(result, Pages):
            items = [item for part in result.parts for item in part]
            return dict(zip(items[::2], items[1::2], strict=True))
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

    def frame(self, request: object) -> object:
        """The answer to a message of the length-prefixed protocol, errors included."""
        one: framed.FramedRequest | None = None
        try:
            one = framed.FramedRequest(
                self.client, framed_wire.decode_request(pickle.dumps(request))
            )
            data = self.performed(one)
            assert isinstance(data, bytes)
        except KveikError as error:
            text = str(error) if one is None else one.failure(error).text
            data = framed_wire.encode_error(text)[framed_wire.HEAD :]
        return pickle.loads(data)  # noqa: S301

    def line(self, line: str | bytes) -> Any:
        """The answer to a line of the text protocol, errors included."""
        try:
            words = text.decode_request(line if isinstance(line, bytes) else line.encode())
            value: object = None
            if len(words) > 2:
                words[2] = text.unquoted(words[2])
                value = text.decode_value(words[2])
            reply = self.performed(TextRequest(self.client, words, value))
        except KveikError as error:
            return json.loads(text.encode_error(str(error)))
        return json.loads(text.encode_answer(reply))

    def performed(self, request: Request) -> object:
        """The reply to a request as the host gives it: a block is loaded, a job done to its end."""
        self.txn.begin(self.client.database)
        self.steps = 0
        try:
            reply = self._unfaulted(lambda: request.perform(self.txn))
            self._commit()
        except KveikError:
            self.need = self.txn.seen
            raise
        if isinstance(reply, Unfinished):
            return reply.finish()
        if not isinstance(reply, Job):
            return reply
        try:
            while self._unfaulted(reply.step):
                self.steps += 1
            self.need = max(self.need, reply.seen)
            return reply.reply()
        finally:
            reply.end()

    def _unfaulted(self, step: Callable[[], object]) -> object:
        while True:
            try:
                return step()
            except Fault as fault:
                fault.load(False)
                fault.settle(self.store.cache)
                self.txn.hold(fault.pinned)
                self.txn.again(self.client.database)

    def _call(self, args: list[bytes]) -> object:
        self._request.args = args
        request = self._request
        try:
            reply = self.performed(request)
        except KveikError as error:
            request.done(request.failure(error), 0.0)
            raise
        request.done(reply, 0.0)
        return reply

    def _stop(self) -> None:
        self.stopped = True

    def _commit(self) -> None:
        self.need = self.txn.seen
        if self.txn.dirty():
            self.need = self.store.commit(self.txn.writes)
            multi.touch(self.server, self.txn.writes, self.need)
