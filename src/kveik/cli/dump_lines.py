"""Entries <-> JSON lines. docs/formats/dump-lines.md. Called by `kveik dump`, `load` and `range`.

Invariant: `parse(line(entry))` is the same entry.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import NamedTuple

from kveik.errors import CommandError, UseError
from kveik.format import strictjson
from kveik.format.keys import encode_key
from kveik.format.shown import KIND_NAMES
from kveik.format.values import checked, dump_json
from kveik.limits import MAX_DUMP_LINE, MAX_NESTING
from kveik.model import BYTES, JSON, PICKLE, TEXT

KINDS = {KIND_NAMES[kind]: kind for kind in (BYTES, TEXT, JSON, PICKLE)}
MEMBERS = ("key", "key_base64", "type", "value", "value_base64", "expires")
MAX_EXPIRES = 1 << 62  # milliseconds; what is added to it stays a 64-bit number


class Entry(NamedTuple):
    """key: the bytes. kind: a content type. expires: Unix milliseconds, 0 for never."""

    key: bytes
    kind: int
    data: bytes
    expires: int

    def size(self) -> int:
        return len(self.key) + len(self.data)


# --- writing --------------------------------------------------------------------------------------


def line(entry: Entry) -> bytes:
    """One line, with its end."""
    members: dict[str, object] = {}
    try:
        members["key"] = entry.key.decode()
    except UnicodeDecodeError:
        members["key_base64"] = _base64(entry.key)
    members["type"] = KIND_NAMES[entry.kind]
    try:
        members["value"] = _as_json(entry)
    except ValueError:
        members["value_base64"] = _base64(entry.data)
    if entry.expires:
        members["expires"] = entry.expires
    encoded = _encode(members)
    if len(encoded) > MAX_DUMP_LINE:  # almost all of it had to be escaped
        del members["value"]
        encoded = _encode({**members, "value_base64": _base64(entry.data)})
    return encoded


def _encode(members: dict[str, object]) -> bytes:
    return json.dumps(members, ensure_ascii=False).encode() + b"\n"


def _as_json(entry: Entry) -> object:
    """What stands as the value; ValueError where it would not give the same bytes again."""
    if entry.kind == PICKLE:
        raise ValueError("never text")
    text = entry.data.decode()
    if entry.kind != JSON:
        return text
    if text.count("{") + text.count("[") >= MAX_NESTING:
        raise ValueError("perhaps nested too deeply")
    try:
        value = strictjson.parse(text)
    except CommandError:
        raise ValueError("not strict") from None
    if dump_json(value) != entry.data:
        raise ValueError("written another way")
    return value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- reading --------------------------------------------------------------------------------------


def parse(text: bytes) -> Entry:
    """The entry of a line; UseError (LimitError) says what is wrong with it."""
    try:
        members = strictjson.parse(text.decode())
    except UnicodeDecodeError as error:
        raise UseError(f"not UTF-8: byte {error.start}") from None
    except CommandError as error:
        raise UseError(str(error)) from None
    if not isinstance(members, dict):
        raise UseError("a line is one JSON object")
    for name in members:
        if name not in MEMBERS:
            raise UseError(f"unknown member {name[:80]!r}: known are {', '.join(MEMBERS)}")
    kind, data = _value(members)
    key = _data(members, "key")
    return Entry(encode_key(key), kind, checked(kind, data)[1], _expires(members))


def _value(members: dict[str, object]) -> tuple[int, bytes]:
    value = members.get("value")
    plain = "value" in members
    usual = "bytes" if not plain else "text" if isinstance(value, str) else "json"
    name = members.get("type", usual)
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise UseError(f"the type is one of {', '.join(KINDS)}, not {json.dumps(name)[:80]}")
    if plain and "value_base64" not in members and kind == JSON:
        try:
            return kind, dump_json(value)
        except (ValueError, RecursionError) as error:  # half a character
            raise UseError(f"the value is no JSON: {error}") from None
    if plain and kind == PICKLE:
        raise UseError("a pickle stands as value_base64")
    data = _data(members, "value")
    check_kind(kind, data)
    return kind, data


def check_kind(kind: int, data: bytes) -> None:
    """UseError if a value is not what its type promises."""
    try:
        if kind == TEXT:
            data.decode()
        elif kind == JSON:
            json.loads(data)
    except (ValueError, RecursionError):
        raise UseError(f"the value is no valid {KIND_NAMES[kind]}") from None


def _data(members: dict[str, object], name: str) -> bytes:
    """The bytes that one of two members gives: as text, or in base64."""
    encoded = f"{name}_base64"
    if (name in members) == (encoded in members):
        raise UseError(f"one of {name!r} and {encoded!r} is needed")
    text = members.get(name, members.get(encoded))
    if not isinstance(text, str):
        raise UseError(f"{name!r} is a string here, not {json.dumps(text)[:80]}")
    return from_base64(text) if encoded in members else as_utf8(text)


def as_utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UseError("text must be valid Unicode (it has a lone surrogate)") from None


def from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UseError(f"{text[:80]!r} is not base64") from None


def _expires(members: dict[str, object]) -> int:
    expires = members.get("expires", 0)
    if isinstance(expires, bool) or not isinstance(expires, int):
        raise UseError("'expires' is a whole number of Unix milliseconds")
    return check_expires(expires, "expires" in members)


def check_expires(expires: int, given: bool) -> int:
    if given and not 0 < expires <= MAX_EXPIRES:
        raise UseError(f"'expires' is from 1 to {MAX_EXPIRES}: Unix milliseconds")
    return expires
