"""A dialect ties one protocol's codec to the host: bytes in, requests run, reply bytes out.

Invariants: `step` answers at most one request; replies gather in the dialect until the session
takes them; ProtocolError means that the connection's framing is lost. Called by the session.
"""

from __future__ import annotations

from kveik.command.kvdb import KvdbRequest
from kveik.command.redis import RedisRequest
from kveik.command.request import Request
from kveik.command.state import Client
from kveik.errors import CommandError
from kveik.model import Failure
from kveik.native import i64
from kveik.server.host import Host, Parked
from kveik.wire import jsonlines
from kveik.wire.jsonlines import LineDecoder, decode_request
from kveik.wire.replies import clean_line
from kveik.wire.resp import GET, OTHER, RequestDecoder


class Dialect:
    """Common to all protocols. need: the commit that must be safe before the replies may leave."""

    def __init__(self, host: Host, client: Client) -> None:
        self._host = host
        self._client = client
        self.need: i64 = 0
        self.parked: Parked | None = None  # what the current request waits for

    def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def step(self) -> bool:
        """Answer one request; False if no whole one is there, or if it is parked."""
        raise NotImplementedError

    def _reply(self, request: Request) -> object:
        """The reply to a request, or to the one that is parked; it may be parked again."""
        host = self._host
        parked = self.parked
        if parked is None:
            reply = host.run(self._client, request)
        else:
            self.parked = None
            reply = host.run_again(self._client, request, parked)
        if host.parked is not None:
            self.parked = host.parked
            host.parked = None
        return reply

    def add_pushes(self) -> None:
        """Gather what the client is to be told unasked; most protocols have no way to say it."""
        self._client.outbox = []
        self._client.outbox_size = 0

    def gathered(self) -> i64:
        """Bytes of replies not yet taken."""
        raise NotImplementedError

    def take(self) -> bytes:
        """The replies."""
        raise NotImplementedError

    def refusal(self, text: str) -> bytes:
        """An error in this protocol's own form."""
        raise NotImplementedError


class RedisDialect(Dialect):
    def __init__(self, host: Host, client: Client) -> None:
        super().__init__(host, client)
        self._decoder = RequestDecoder()
        self._encoder = host.encoder
        self._request = RedisRequest(client, host.finder)

    def feed(self, data: bytes) -> None:
        self._decoder.feed(data)

    def step(self) -> bool:
        host = self._host
        request = self._request
        if self.parked is None:
            decoder = self._decoder
            kind = decoder.short()
            if kind != OTHER and self._short(kind, decoder.key, decoder.value):
                return True
            args = decoder.next() if kind == OTHER else self._spelled(kind)
            if args is None:
                return False
            request.args = args
        reply = self._reply(request)
        if self.parked is not None:
            return False
        client = self._client
        if client.outbox:
            self.add_pushes()  # what came before the reply: none follows an UNSUBSCRIBE
        encoder = self._encoder
        encoder.protocol = client.protocol
        if client.plain or not client.silent():
            encoder.add(reply)
        if host.need > self.need:
            self.need = host.need
        return True

    def add_pushes(self) -> None:
        client = self._client
        outbox = client.outbox
        client.outbox = []
        client.outbox_size = 0
        encoder = self._encoder
        encoder.protocol = client.protocol
        for push in outbox:
            encoder.add(push)
            if push.need > self.need:
                self.need = push.need

    def _short(self, kind: i64, key: bytes, value: bytes) -> bool:
        """Answer a GET or SET without more ado; False, and nothing done, if there is more to it."""
        host = self._host
        if not self._client.plain:
            return False
        if kind == GET:
            self._encoder.protocol = self._client.protocol
            return host.get_plain(self._client, key)
        if host.set_plain(self._client, key, value):
            self._encoder.add_ok()
            self.need = host.need
            return True
        return False

    def _spelled(self, kind: i64) -> list[bytes]:
        """The request that the decoder has found to be a GET or SET."""
        decoder = self._decoder
        if kind == GET:
            return [b"GET", decoder.key]
        return [b"SET", decoder.key, decoder.value]

    def gathered(self) -> i64:
        return self._encoder.size()

    def take(self) -> bytes:
        return self._encoder.take()

    def refusal(self, text: str) -> bytes:
        return b"-ERR " + clean_line(text) + b"\r\n"


class JsonDialect(Dialect):
    def __init__(self, host: Host, client: Client) -> None:
        super().__init__(host, client)
        self._decoder = LineDecoder()
        self._answers: list[bytes] = []
        self._size: i64 = 0
        self._request: KvdbRequest | None = None  # the one that is parked

    def feed(self, data: bytes) -> None:
        self._decoder.feed(data)

    def step(self) -> bool:
        host = self._host
        request = self._request
        if request is None:
            line = self._decoder.next()
            if line is None:
                return False
            try:
                request = KvdbRequest(decode_request(line))
            except CommandError as error:
                self._add(jsonlines.encode_error(str(error)))
                return True
        reply = self._reply(request)
        if self.parked is not None:
            self._request = request
            return False
        self._request = None
        self._add(_json_answer(reply))
        if host.need > self.need:
            self.need = host.need
        return True

    def _add(self, answer: bytes) -> None:
        self._answers.append(answer)
        self._size += len(answer)

    def gathered(self) -> i64:
        return self._size

    def take(self) -> bytes:
        answers = self._answers
        self._answers = []
        self._size = 0
        return b"".join(answers)

    def refusal(self, text: str) -> bytes:
        return jsonlines.encode_error(text)


def _json_answer(reply: object) -> bytes:
    if isinstance(reply, Failure):
        return jsonlines.encode_error(reply.text)
    try:
        return jsonlines.encode_result(reply)
    except CommandError as error:
        return jsonlines.encode_error(str(error))
