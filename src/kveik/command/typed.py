"""The content types of values in Redis' protocol. Called by the KV commands.

Redis' own commands know bytes alone; the KV commands name the type beside the bytes. What a type
promises is checked here: text is UTF-8, JSON is stored as Kveik writes it, on one line.
"""

from __future__ import annotations

import json
from typing import Final

from kveik.command.arguments import shown
from kveik.errors import CommandError
from kveik.format.strictjson import parse
from kveik.format.values import encode_json_value
from kveik.limits import MAX_JSON
from kveik.model import BYTES, JSON, PICKLE, TEXT, Cell
from kveik.native import i64

NAMES: Final[dict[int, bytes]] = {
    BYTES: b"bytes",
    TEXT: b"text",
    JSON: b"json",
    PICKLE: b"pickle",
}
_KINDS: Final[dict[bytes, int]] = {
    b"BYTES": BYTES,
    b"TEXT": TEXT,
    b"JSON": JSON,
    b"PICKLE": PICKLE,
}


def typed(name: bytes, data: bytes) -> tuple[int, bytes]:
    """(content type, bytes) of a value in a request; CommandError if it is not what it says."""
    kind = _KINDS.get(name.upper())
    if kind is None:
        raise CommandError(f"ERR a value is bytes, text, json or pickle, not {shown(name)}")
    if kind in (BYTES, PICKLE):
        return kind, data
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise CommandError(f"ERR {NAMES[kind].decode()} is UTF-8") from None
    if kind == TEXT:
        return kind, data
    if len(data) > MAX_JSON:
        raise CommandError(f"ERR a JSON value has at most {MAX_JSON} bytes, not {len(data)}")
    try:
        return encode_json_value(parse(text))  # a JSON string is text
    except CommandError as error:
        raise CommandError(f"ERR {error}") from None


def same(cell: Cell, kind: i64, data: bytes) -> bool:
    """Whether a value is of this type and equal; JSON is compared as what it says."""
    if cell.kind != kind:
        return False
    if cell.data == data or kind != JSON:
        return cell.data == data
    if len(cell.data) > MAX_JSON:
        raise CommandError(f"ERR JSON of more than {MAX_JSON} bytes is not compared")
    return bool(json.loads(cell.data) == json.loads(data))
