"""Python values <-> (content type, bytes). docs/formats/values.md.

bytes are bytes, str is text, everything else that JSON can say is JSON; plain data that it cannot
say are a pickle. Called by the public face, the protocols' commands and the command line.
"""

from __future__ import annotations

import base64
import json
import math
from json.encoder import encode_basestring_ascii
from typing import Final

from kveik.errors import LimitError
from kveik.format.coding import BytesWriter
from kveik.format.keys import decode_key
from kveik.format.pickling import dump, put, put_bytes, put_text
from kveik.format.unpickling import load
from kveik.limits import MAX_VALUE
from kveik.model import BYTES, JSON, PICKLE, TEXT

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode_value(value: object) -> tuple[int, bytes]:
    """(content type, bytes) of a Python value; TypeError for what JSON cannot say."""
    if isinstance(value, bytes):
        return checked(BYTES, value)
    if isinstance(value, (bytearray, memoryview)):
        return checked(BYTES, bytes(value))
    return encode_json_value(value)


def encode_json_value(value: object) -> tuple[int, bytes]:
    """(content type, bytes) of a value that came as JSON: text for a string, JSON for the rest."""
    try:
        if isinstance(value, str):
            return checked(TEXT, value.encode())
        return checked(JSON, dump_json(value))
    except UnicodeEncodeError:
        raise LimitError("text must be valid Unicode (it has a lone surrogate)") from None
    except ValueError as error:  # NaN, infinity, a circle
        raise error if isinstance(error, LimitError) else LimitError(str(error)) from None
    except RecursionError:
        raise LimitError("the value is nested too deeply") from None


def encode_plain(value: object) -> tuple[int, bytes]:
    """(content type, bytes) of plain data, so that they come back just as they are."""
    if isinstance(value, bytes):
        return checked(BYTES, value)
    if is_json(value):
        try:
            return encode_json_value(value)
        except LimitError:  # half a character, or a number of too many digits
            pass
    return checked(PICKLE, dump(value))


def is_json(value: object) -> bool:
    """Whether JSON says just this: no tuples, no keys but text, no infinities."""
    if value is None or isinstance(value, (str, int)):
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return False not in [is_json(item) for item in value]
    if isinstance(value, dict):
        names = [isinstance(name, str) for name in value]
        return False not in names and False not in [is_json(item) for item in value.values()]
    return False


def put_value(out: BytesWriter, kind: int, data: bytes) -> None:
    """A stored value as a piece of a pickle; what is not as its type says stands as its bytes."""
    before = len(out)
    try:
        if kind == TEXT:
            data.decode()
            put_text(out, data)
        elif kind == JSON:
            put(out, json.loads(data))
        elif kind == PICKLE:
            put(out, load(data))
        else:
            put_bytes(out, data)
    except (ValueError, RecursionError):  # LimitError and UnsafeError, too
        out.truncate(before)
        put_bytes(out, data)


def put_key(out: BytesWriter, key: bytes) -> None:
    """A key as a piece of a pickle: as Python's users give it, text where its bytes are UTF-8."""
    found = decode_key(key)
    if not isinstance(found, bytes):
        put(out, found)
        return
    try:
        key.decode()
    except UnicodeDecodeError:
        put_bytes(out, key)
    else:
        put_text(out, key)


def dump_json(value: object) -> bytes:
    """The shortest JSON text of a value, as UTF-8."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return _ENCODER.encode(value).encode()


def checked(kind: int, data: bytes) -> tuple[int, bytes]:
    if len(data) > MAX_VALUE:
        raise LimitError(f"a value has at most {MAX_VALUE} bytes, not {len(data)}")
    return kind, data


def decode_value(kind: int, data: bytes) -> object:
    """The Python value: bytes, str, or what the JSON says. A pickle stays bytes: nothing is run."""
    if kind == TEXT:
        return data.decode()
    if kind == JSON:
        return json.loads(data)
    return data


def key_as_text(key: bytes) -> str:
    """A key as a member's name: its text, or "$bytes:<base64>" if it is no UTF-8."""
    try:
        return key.decode()
    except UnicodeDecodeError:
        return "$bytes:" + base64.b64encode(key).decode()


def as_json_text(kind: int, data: bytes) -> bytes:
    """A value as one JSON value: a string where the bytes are UTF-8, else {"$bytes": base64}.

    {"$pickle": base64} for a pickle.
    """
    if kind == JSON:
        return data
    if kind == PICKLE:
        return b'{"$pickle": "' + base64.b64encode(data) + b'"}'
    try:
        return encode_basestring_ascii(data.decode()).encode()
    except UnicodeDecodeError:
        pass
    return b'{"$bytes": "' + base64.b64encode(data) + b'"}'
