"""A dialect ties one protocol's codec to the host: bytes in, requests run, reply bytes out.

Invariants: `step` answers at most one request; replies gather in the dialect until the session
takes them; ProtocolError means that the connection's framing is lost. Called by the session.
"""

from __future__ import annotations

from kveik.command.state import Client
from kveik.errors import CommandError
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
        self._args: list[bytes] = []  # of the request that is parked

    def feed(self, data: bytes) -> None:
        self._decoder.feed(data)

    def step(self) -> bool:
        host = self._host
        client = self._client
        parked = self.parked
        if parked is None:
            decoder = self._decoder
            kind = decoder.short()
            if kind != OTHER and self._short(kind, decoder.key, decoder.value):
                return True
            args = decoder.next() if kind == OTHER else self._spelled(kind)
            if args is None:
                return False
            reply = host.run_redis(client, args)
        else:
            self.parked = None
            args = self._args
            reply = host.run_again(client, args, parked)
        if host.parked is not None:
            self.parked = host.parked
            host.parked = None
            self._args = args
            return False
        encoder = self._encoder
        encoder.protocol = client.protocol
        encoder.add(reply)
        if host.need > self.need:
            self.need = host.need
        return True

    def _short(self, kind: i64, key: bytes, value: bytes) -> bool:
        """Answer a GET or SET without more ado; False, and nothing done, if there is more to it."""
        host = self._host
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
        self._request: dict[str, object] = {}  # that is parked

    def feed(self, data: bytes) -> None:
        self._decoder.feed(data)

    def step(self) -> bool:
        parked = self.parked
        line: bytes | None = None
        if parked is None:
            line = self._decoder.next()
            if line is None:
                return False
        host = self._host
        host.need = 0
        try:
            if line is not None:
                request = decode_request(line)
                result = host.run_kvdb(self._client, request)
            else:
                assert parked is not None
                self.parked = None
                request = self._request
                result = host.run_kvdb_again(self._client, request, parked)
            if host.parked is not None:
                self.parked = host.parked
                host.parked = None
                self._request = request
                return False
            answer = jsonlines.encode_result(result)
        except CommandError as error:
            answer = jsonlines.encode_error(str(error))
        self._answers.append(answer)
        self._size += len(answer)
        if host.need > self.need:
            self.need = host.need
        return True

    def gathered(self) -> i64:
        return self._size

    def take(self) -> bytes:
        answers = self._answers
        self._answers = []
        self._size = 0
        return b"".join(answers)

    def refusal(self, text: str) -> bytes:
        return jsonlines.encode_error(text)
