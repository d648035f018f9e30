"""The text protocol: one command a line, one JSON object a line back. Called by the dialects.

    SET mykey "hello world"   ->   {"status": "OK", "message": "Key 'mykey' set"}

Invariant: a bad line costs an error answer, never the connection, but for a line that a browser
may have been made to send.
"""

from __future__ import annotations

import json
from typing import Final

from kveik.errors import CommandError, ProtocolError
from kveik.format.strictjson import parse
from kveik.format.values import as_json_text
from kveik.model import Cell, Failure
from kveik.native import i64

QUOTES: Final = "\"'"
IAC: Final = 0xFF  # telnet's escape: a byte that text never has
SUBNEGOTIATION: Final = 0xFA
SUBNEGOTIATION_END: Final = b"\xff\xf0"
# Lines of an HTTP request that carry what a web page wants: never taken for commands.
FOREIGN: Final = ("POST", "HOST:")
# What may be done by a line that the end of input has cut off, perhaps in the middle of a word: who
# vanishes while it sends must not leave half a value, or delete another key than it meant.
HARMLESS: Final = ("GET", "PING")
CUT_OFF: Final = "The line has no end, so it may not be whole: nothing was done"
JSON_BEGINS: Final = frozenset('"-0123456789[{tfn')


def decode_request(line: bytes) -> list[str]:
    """The command in capital letters, then the key and the rest of the line as far as there are."""
    if IAC in line:
        line = _without_telnet(line)
    try:
        words = line.decode().split(None, 2)
    except UnicodeDecodeError:
        raise CommandError("the line is not UTF-8") from None
    if not words:
        return []
    words[0] = words[0].upper()
    if words[0] in FOREIGN:
        raise ProtocolError("this is no HTTP server")
    return words


def unquoted(text: str) -> str:
    """A value without the one pair of quotes around it, whatever stands inside."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES:
        return text[1:-1]
    return text


def decode_value(text: str) -> object:
    """The JSON value that a text is, or else the text."""
    if text.lstrip()[:1] not in JSON_BEGINS:
        return text
    try:
        return parse(text)
    except CommandError:
        return text


def encode_answer(reply: object) -> bytes:
    """The answer line: a Cell's value, the message of a str or Failure, nothing more for None."""
    if isinstance(reply, Cell):
        return b'{"status": "OK", "value": ' + as_json_text(reply.kind, reply.data) + b"}\n"
    if isinstance(reply, Failure):
        return encode_error(reply.text)
    if reply is None:
        return b'{"status": "OK"}\n'
    return json.dumps({"status": "OK", "message": reply}).encode() + b"\n"


def encode_error(message: str) -> bytes:
    """The error line; text that is no Unicode is escaped."""
    return json.dumps({"status": "ERROR", "message": message}).encode() + b"\n"


def _without_telnet(line: bytes) -> bytes:
    """The line without what a telnet client says about itself."""
    kept = bytearray()
    at: i64 = 0
    end: i64 = len(line)
    while at < end:
        byte: i64 = line[at]
        if byte != IAC:
            kept.append(byte)
            at += 1
            continue
        command: i64 = line[at + 1] if at + 1 < end else 0
        if command == SUBNEGOTIATION:
            stop: i64 = line.find(SUBNEGOTIATION_END, at)
            at = end if stop < 0 else stop + 2
        else:
            at += 3 if command > SUBNEGOTIATION and command < IAC else 2
    return bytes(kept)
