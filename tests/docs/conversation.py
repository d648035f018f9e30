"""Blocks of commands and replies, as redis-cli shows them, on a server.

`> SET a 1` goes over the page's connection, `other> SET a 1` over one of that name. Each must be
answered as the lines below it say; lines behind the reply are told unasked, and are waited for.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.docs.pages import Block
from tests.docs.shown import agrees, difference, show
from tests.support.wire import Resp

_PROMPT = re.compile(r"^(\w*)>(?: (.*))?$")
RAW = {  # what redis-cli shows as it is
    "INFO", "CLIENT INFO", "CLIENT LIST", "LATENCY DOCTOR", "MEMORY DOCTOR", "MEMORY MALLOC-STATS",
}  # fmt: skip
_WORD = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\S+""")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}
CLOSE = 10  # seconds by which a TTL may differ from the one that is shown


class Turn(NamedTuple):
    line: int
    who: str
    words: list[bytes]
    shown: list[str]

    def name(self, count: int = 1) -> str:
        return b" ".join(self.words[:count]).decode("utf-8", "replace").upper()


def turns(block: Block) -> list[Turn]:
    found: list[Turn] = []
    for line, text in enumerate(block.code.splitlines(), block.line):
        prompt = _PROMPT.match(text)
        if prompt:
            found.append(Turn(line, prompt[1], _words(prompt[2] or ""), []))
        elif text.strip():
            assert found, f"{block}: the first line is no command: {text!r}"
            found[-1].shown.append(text)
    return found


def _words(text: str) -> list[bytes]:
    """As redis-cli reads them: in double quotes there are escapes."""
    return [_word(found[0]) for found in _WORD.finditer(text)]


def _word(text: str) -> bytes:
    if text[0] == "'":
        return text[1:-1].encode()
    if text[0] != '"':
        return text.encode()
    return _ESCAPE.sub(_escaped, text[1:-1].encode())


def _escaped(found: re.Match[bytes]) -> bytes:
    what = found[1]
    return bytes([int(what[1:], 16)]) if len(what) == 3 else ESCAPES.get(what, what)


class Conversation:
    """The connections of one page to one server, by name."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connections: dict[str, Resp] = {}

    def run(self, block: Block) -> list[str]:
        """The names of the commands that were run."""
        taken = turns(block)
        for turn in taken:
            self._take(block, turn)
        return [turn.name() for turn in taken if turn.words]

    def _take(self, block: Block, turn: Turn) -> None:
        connection = self._connections.get(turn.who)
        if connection is None:
            connection = self._connections[turn.who] = Resp(self._port)
        if turn.words:
            connection.send(_frame(turn.words))
        want = "\n".join(turn.shown)
        raw = not RAW.isdisjoint({turn.name(), turn.name(2)})
        got: list[str] = []
        while not got or sum(map(_lines, got)) < len(turn.shown):
            try:
                reply = connection.reply()
            except ConnectionError:
                break
            if turn.name() == "TTL" and f"(integer) {reply}" != want:
                reply = _about(reply, want)
            got.append(_as_shown(reply, raw))
        came = "\n".join(got)
        place = f"{block.page}:{turn.line}"
        assert agrees(want, came), f"{place}: {difference(want, came)}"

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def _about(seconds: int, want: str) -> int:
    """What is shown, if it comes close: time has passed."""
    shown = int(want.removeprefix("(integer) "))
    return shown if 0 < shown - seconds < CLOSE else seconds


def _as_shown(reply: object, raw: bool) -> str:
    if raw and isinstance(reply, bytes):
        return reply.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    return show(reply)


def _lines(text: str) -> int:
    return text.count("\n") + 1


def _frame(words: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
