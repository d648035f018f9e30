"""JSON lines: one object a line, each way. Called by the dialects.

    {"command": "put", "key": "k", "value": 1}   ->   {"status": "ok", "result": true}
                                                      {"status": "error", "message": "..."}

Invariant: a bad line costs an error answer, never the connection.
"""

from __future__ import annotations

import json
from typing import Final

from kveik.errors import CommandError
from kveik.format.strictjson import parse
from kveik.format.values import as_json_text, dump_json
from kveik.model import Cell
from kveik.native import i64


def decode_request(line: bytes) -> dict[str, object]:
    """The object on a line; CommandError says what is wrong with it."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise CommandError("the line is not UTF-8") from None
    request = parse(text)
    if not isinstance(request, dict):
        raise CommandError('a request is a JSON object such as {"command": "read", "key": "k"}')
    return request


def encode_result(result: object) -> bytes:
    """The answer line: a Cell or a dict of cells as their JSON, anything else as JSON itself."""
    return b'{"status": "ok", "result": ' + _text(result) + b"}\n"


def _text(result: object) -> bytes:
    if isinstance(result, Cell):
        return as_json_text(result.kind, result.data)
    if isinstance(result, dict):
        members = [dump_json(key) + b": " + _text(item) for key, item in result.items()]
        return b"{" + b", ".join(members) + b"}"
    return dump_json(result)


OPENED: Final = b'{"status": "ok", "result": {'  # the answer line of a long object, its members,
CLOSED: Final = b"}}\n"  # and its end


def encode_members(items: list[object], first: bool) -> bytes:
    """Members of a long object, from key, value, ...; first: there are none before."""
    members = [] if first else [b""]
    at: i64 = 0
    while at < len(items):
        members.append(dump_json(items[at]) + b": " + _text(items[at + 1]))
        at += 2
    return b", ".join(members)


def encode_error(message: str) -> bytes:
    """The error line; text that is no Unicode is escaped."""
    text = json.dumps({"status": "error", "message": message})
    return text.encode() + b"\n"
