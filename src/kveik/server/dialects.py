"""A dialect ties one protocol's codec to the host: bytes in, requests run, reply bytes out.

Invariants: `step` answers at most one request; replies gather in the dialect until the session
takes them; ProtocolError means that the connection's framing is lost. Called by the session. Here
is Redis' protocol; the others are in `answering`.
"""

from __future__ import annotations

from kveik.command.redis import RedisRequest
from kveik.command.request import Request
from kveik.command.state import Client
from kveik.engine.transaction import PREFIXES
from kveik.model import NO_REPLY, Pages
from kveik.native import i64
from kveik.server.host import Host, Parked
from kveik.wire.replies import clean_line
from kveik.wire.resp import GET, OTHER, SET, RequestDecoder


class Dialect:
    """Common to all protocols. need: the commit that must be safe before the replies may leave."""

    def __init__(self, host: Host, client: Client) -> None:
        self._host = host
        self._client = client
        self.need: i64 = 0
        self.drained = False  # the last step has answered all that had come
        self.parked: Parked | None = None  # what the current request waits for
        self.pages: Pages | None = None  # a long reply of which only a part has been gathered
        self._part: i64 = 0  # its next one

    def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """The peer sends no more; what it has begun may be whole for all that. Idempotent."""

    def step(self) -> i64:
        """Answer a request, or some; how many: 0 if no whole one is there, or if it is parked.

        Of a long reply only a part; the next call goes on.
        """
        raise NotImplementedError

    def waiting(self) -> i64:
        """Bytes held for requests that have not come, or have not been answered, as a whole."""
        size: i64 = self.received()
        parked = self.parked
        if parked is not None and parked.job is not None:
            size += parked.job.size
        for feed in self._client.feeds:
            size += feed.size
        pages = self.pages
        return size if pages is None else size + pages.size

    def received(self) -> i64:
        """Bytes that have come and make no whole request yet."""
        raise NotImplementedError

    def drop(self) -> None:
        """Nobody waits for what was begun any more."""
        self.pages = None
        parked = self.parked
        self.parked = None
        if parked is not None:
            parked.let_go()

    def _next_part(self, pages: Pages) -> list[object]:
        """The next part of a long reply, which is not held any longer."""
        parts = pages.parts
        if self._part == len(parts):
            self.pages = None
            self._part = 0
            return []
        part = list(parts[self._part])
        parts[self._part] = ()
        pages.size -= pages.size // (len(parts) - self._part)
        self._part += 1
        return part

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
        self.drained = False
        self._decoder.feed(data)

    def step(self) -> i64:
        host = self._host
        request = self._request
        pages = self.pages
        if pages is not None:
            self._encoder.protocol = self._client.protocol
            self._encoder.add_part(self._next_part(pages))
            return 1
        if self.parked is None:
            decoder = self._decoder
            if not decoder.more():
                return 0
            kind = decoder.short()
            if kind != OTHER and self._short(kind, decoder.key, decoder.value):
                answered: i64 = 1
                if decoder.more():
                    answered += self._sets() if kind == SET else self._gets()
                self.drained = not decoder.more()
                return answered
            args = decoder.next() if kind == OTHER else self._spelled(kind)
            if args is None:
                return 0
            request.args = args
        reply = self._reply(request)
        if self.parked is not None:
            return 0
        client = self._client
        if client.outbox:
            self.add_pushes()  # what came before the reply: none follows an UNSUBSCRIBE
        encoder = self._encoder
        encoder.protocol = client.protocol
        if not client.plain and client.silent():
            reply = NO_REPLY
        if isinstance(reply, Pages):
            encoder.add_head(reply)
            self.pages = reply
        else:
            encoder.add(reply)
        if host.need > self.need:
            self.need = host.need
        return 1

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
        for feed in client.feeds:
            feed.go_on()

    def received(self) -> i64:
        return self._decoder.waiting()

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

    def _gets(self) -> i64:
        """Answer the GETs that come next, as far as they are as plain as the one before them."""
        decoder = self._decoder
        keys = decoder.run(GET, PREFIXES[self._client.database])
        if not keys:
            return 0
        answered = self._host.get_run(keys)
        if answered < len(keys):
            decoder.give_back(answered)
        return answered

    def _sets(self) -> i64:
        """As _gets, for SETs."""
        decoder = self._decoder
        keys = decoder.run(SET, PREFIXES[self._client.database])
        if not keys:
            return 0
        host = self._host
        if not host.set_run(keys, decoder.values):
            decoder.give_back(0)
            return 0
        self._encoder.add_oks(len(keys))
        self.need = host.need
        return len(keys)

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
