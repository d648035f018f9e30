"""The dialects in which each request has one answer: JSON lines, the text protocol, frames.

Called by the session, as `dialects` says.
"""

from __future__ import annotations

from kveik.command.framed import FramedRequest
from kveik.command.kvdb import KvdbRequest
from kveik.command.request import Request
from kveik.command.state import Client
from kveik.command.text import TextRequest
from kveik.errors import CommandError
from kveik.model import Failure, Pages
from kveik.native import i64
from kveik.server.dialects import Dialect, RedisDialect
from kveik.server.host import Host
from kveik.wire import detect, framed, jsonlines, text
from kveik.wire.framed import FrameDecoder
from kveik.wire.lines import LineDecoder


def speak(protocol: str, host: Host, client: Client) -> Dialect:
    """The dialect of a protocol that `detect` names."""
    if protocol == detect.JSON:
        return JsonDialect(host, client)
    if protocol == detect.TEXT:
        return TextDialect(host, client)
    if protocol == detect.FRAME:
        return FramedDialect(host, client)
    return RedisDialect(host, client)


class AnsweringDialect(Dialect):
    def __init__(self, host: Host, client: Client) -> None:
        super().__init__(host, client)
        self._answers: list[bytes] = []
        self._size: i64 = 0
        self._request: Request | None = None  # the one that is parked

    def _next(self) -> Request | None:
        """The next request, if it is whole. CommandError: it was bad, and is done with."""
        raise NotImplementedError

    def _answer(self, reply: object) -> bytes:
        """A reply that is no Failure. CommandError: it cannot be said."""
        raise NotImplementedError

    def _more(self, pages: Pages) -> bytes:
        """The next part of a long reply."""
        raise NotImplementedError

    def step(self) -> i64:
        pages = self.pages
        if pages is not None:
            self._add(self._more(pages))
            return 1
        request = self._request
        if request is None:
            try:
                request = self._next()
            except CommandError as error:
                self._add(self.refusal(str(error)))
                return 1
            if request is None:
                return 0
        reply = self._reply(request)
        if self.parked is not None:
            self._request = request
            return 0
        self._request = None
        if isinstance(reply, Failure):
            self._add(self.refusal(reply.text))
        elif isinstance(reply, Pages):
            self.pages = reply
        else:
            self._add(self._answer(reply))
        if self._host.need > self.need:
            self.need = self._host.need
        return 1

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


class LineDialect(AnsweringDialect):
    """What protocols of lines have in common."""

    def __init__(self, host: Host, client: Client) -> None:
        super().__init__(host, client)
        self._decoder = LineDecoder()

    def feed(self, data: bytes) -> None:
        self._decoder.feed(data)

    def end(self) -> None:
        self._decoder.end()

    def received(self) -> i64:
        return self._decoder.waiting()


class JsonDialect(LineDialect):
    def _next(self) -> Request | None:
        line = self._decoder.next()
        if line is None:
            return None
        return KvdbRequest(self._client, jsonlines.decode_request(line))

    def _answer(self, reply: object) -> bytes:
        return jsonlines.encode_result(reply)

    def _more(self, pages: Pages) -> bytes:
        first = self._part == 0
        part = jsonlines.encode_members(self._next_part(pages), first)
        if self.pages is None:
            part = jsonlines.CLOSED
        return jsonlines.OPENED + part if first else part

    def refusal(self, text: str) -> bytes:
        return jsonlines.encode_error(text)


class TextDialect(LineDialect):
    def _next(self) -> Request | None:
        line = self._decoder.next()
        if line is None:
            return None
        words = text.decode_request(line)
        if not self._decoder.whole and words and words[0] not in text.HARMLESS:
            raise CommandError(text.CUT_OFF)
        if len(words) < 3:
            return TextRequest(self._client, words, None)
        words[2] = text.unquoted(words[2])
        return TextRequest(self._client, words, text.decode_value(words[2]))

    def _answer(self, reply: object) -> bytes:
        return text.encode_answer(reply)

    def refusal(self, message: str) -> bytes:
        return text.encode_error(message)


class FramedDialect(AnsweringDialect):
    def __init__(self, host: Host, client: Client) -> None:
        super().__init__(host, client)
        self._decoder = FrameDecoder()

    def feed(self, data: bytes) -> None:
        self._decoder.feed(data)

    def received(self) -> i64:
        return self._decoder.waiting()

    def _next(self) -> Request | None:
        message = self._decoder.next()
        if message is None:
            return None
        return FramedRequest(self._client, framed.decode_request(message))

    def _answer(self, reply: object) -> bytes:
        assert isinstance(reply, bytes)
        return framed.encode_answer(reply)

    def refusal(self, text: str) -> bytes:
        code, _, rest = text.partition(" ")
        if not (code.isupper() and rest):
            text = f"SERVER_ERROR {text}"  # of the session, which has no codes
        return framed.encode_error(text)
