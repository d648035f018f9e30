"""Python values <-> (content type, bytes). docs/formats/values.md.

bytes are bytes, str is text, everything else that JSON can say is JSON. Called by the public face,
the JSON lines protocol and the command line.
"""

from __future__ import annotations

import base64
import json

from kveik.errors import LimitError
from kveik.limits import MAX_VALUE
from kveik.model import BYTES, JSON, PICKLE, TEXT


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


def dump_json(value: object) -> bytes:
    """The shortest JSON text of a value, as UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


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
    """A value as one JSON value: a string where the bytes are UTF-8, else {"$bytes": base64}."""
    if kind == JSON:
        return data
    if kind != PICKLE:
        try:
            return json.dumps(data.decode()).encode()
        except UnicodeDecodeError:
            pass
    return b'{"$bytes": "' + base64.b64encode(data) + b'"}'
