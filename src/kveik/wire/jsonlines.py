"""JSON lines: one object a line, each way. Called by the dialects.

    {"command": "put", "key": "k", "value": 1}   ->   {"status": "ok", "result": true}
                                                      {"status": "error", "message": "..."}

Invariants: `next` returns one whole line without its end, or None, or raises ProtocolError for one
that is longer than MAX_LINE. A bad line costs an error answer, never the connection.
"""

from __future__ import annotations

import json
from typing import Final

from kveik.errors import CommandError, ProtocolError
from kveik.format.values import as_json_text, dump_json
from kveik.limits import MAX_LINE, MAX_NESTING
from kveik.model import Cell
from kveik.native import i64


class LineDecoder:
    def __init__(self) -> None:
        self._data = b""
        self._at: i64 = 0
        self._later: list[bytes] = []  # pieces of a line whose end has not come
        self._later_size: i64 = 0

    def feed(self, data: bytes) -> None:
        if b"\n" in data:
            self._data = b"".join([self._data[self._at :], *self._later, data])
            self._at = 0
            self._later = []
            self._later_size = 0
        else:
            self._later.append(data)
            self._later_size += len(data)
            if len(self._data) - self._at + self._later_size > MAX_LINE:
                raise ProtocolError(f"a line has at most {MAX_LINE} bytes")

    def waiting(self) -> i64:
        """Bytes that have come and make no whole line yet."""
        if self._at >= len(self._data):
            self._data = b""
            self._at = 0
        return len(self._data) - self._at + self._later_size

    def next(self) -> bytes | None:
        """One line that is not blank."""
        while True:
            end: i64 = self._data.find(b"\n", self._at)
            if end < 0:
                return None
            if end - self._at > MAX_LINE:
                raise ProtocolError(f"a line has at most {MAX_LINE} bytes")
            line = self._data[self._at : end].strip()
            self._at = end + 1
            if line:
                return line


def decode_request(line: bytes) -> dict[str, object]:
    """The object on a line; CommandError says what is wrong with it."""
    try:
        request = json.loads(line.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise CommandError("the line is not UTF-8") from None
    except ValueError as error:
        raise CommandError(f"not valid JSON: {error}") from None
    except RecursionError:
        raise CommandError(f"JSON is nested at most {MAX_NESTING} deep") from None
    if not isinstance(request, dict):
        raise CommandError('a request is a JSON object such as {"command": "read", "key": "k"}')
    if line.count(b"{") + line.count(b"[") > MAX_NESTING and _depth(request) > MAX_NESTING:
        raise CommandError(f"JSON is nested at most {MAX_NESTING} deep")
    return request


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _depth(value: object) -> int:
    """Levels of a JSON value; the parser has bounded them, so this does not recurse too far."""
    deepest = 0
    level: list[object] = [value]
    while level:
        deepest += 1
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = [item for item in below if isinstance(item, (dict, list))]
    return deepest


def encode_result(result: object) -> bytes:
    """The answer line: a Cell or a dict of cells as their JSON, anything else as JSON itself."""
    return b'{"status": "ok", "result": ' + _result_text(result) + b"}\n"


def _result_text(result: object) -> bytes:
    if isinstance(result, Cell):
        return as_json_text(result.kind, result.data)
    if isinstance(result, dict):
        members = [dump_json(key) + b": " + _result_text(item) for key, item in result.items()]
        return b"{" + b", ".join(members) + b"}"
    return dump_json(result)


OPENED: Final = b'{"status": "ok", "result": {'  # the answer line of a long object, its members,
CLOSED: Final = b"}}\n"  # and its end


def encode_members(items: list[object], first: bool) -> bytes:
    """Members of a long object, from key, value, ...; first: there are none before."""
    members = [] if first else [b""]
    at: i64 = 0
    while at < len(items):
        members.append(dump_json(items[at]) + b": " + _result_text(items[at + 1]))
        at += 2
    return b", ".join(members)


def encode_error(message: str) -> bytes:
    """The error line; text that is no Unicode is escaped."""
    text = json.dumps({"status": "error", "message": message})
    return text.encode() + b"\n"
