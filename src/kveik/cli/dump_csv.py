"""Entries <-> CSV, for `kveik dump` and `load`. docs/formats/dump-lines.md says what is lost."""

from __future__ import annotations

import base64
import csv
import io

from kveik.cli.dump_lines import Entry, as_utf8, check_expires, from_base64
from kveik.errors import UseError
from kveik.format.keys import encode_key
from kveik.format.values import checked, key_as_text
from kveik.limits import MAX_DUMP_LINE
from kveik.model import BYTES, PICKLE, TEXT

COLUMNS = ("key", "value", "expires")
BINARY = "$bytes:"  # as key_as_text writes it
HEAD = b"key,value,expires\r\n"
MAX_DIGITS = 20  # of an expiry


def line(entry: Entry) -> bytes:
    out = io.StringIO()
    expires = str(entry.expires) if entry.expires else ""
    value = _base64(entry.data) if entry.kind == PICKLE else _as_text(entry.data)
    csv.writer(out, lineterminator="\r\n").writerow((_as_text(entry.key), value, expires))
    return out.getvalue().encode()


def _as_text(data: bytes) -> str:
    return _base64(data) if data.startswith(BINARY.encode()) else key_as_text(data)


def _base64(data: bytes) -> str:
    return BINARY + base64.b64encode(data).decode()


def columns(text: bytes) -> int:
    """How many columns a file has, by its first line; UseError if it is none of ours."""
    names = tuple(_fields(text))
    if names not in (COLUMNS[:2], COLUMNS):
        raise UseError("the first line is key,value or key,value,expires")
    return len(names)


def parse(text: bytes, count: int) -> Entry:
    """The entry of a line; UseError (LimitError) says what is wrong with it."""
    fields = _fields(text)
    if len(fields) != count:
        raise UseError(f"{len(fields)} columns where the first line has {count}")
    key = _data(fields[0])[1]
    kind, data = _data(fields[1])
    given = fields[2] if count > 2 else ""
    if given and not (given.isascii() and given.isdecimal() and len(given) <= MAX_DIGITS):
        raise UseError(f"{given[:80]!r} is no expiry: Unix milliseconds, or nothing")
    expires = check_expires(int(given or 0), bool(given))
    return Entry(encode_key(key), kind, checked(kind, data)[1], expires)


def _fields(text: bytes) -> list[str]:
    csv.field_size_limit(MAX_DUMP_LINE)
    try:
        rows = list(csv.reader([text.decode()], strict=True))
    except UnicodeDecodeError as error:
        raise UseError(f"not UTF-8: byte {error.start}") from None
    except csv.Error as error:
        raise UseError(f"not valid CSV: {error}") from None
    return rows[0] if rows else []


def _data(field: str) -> tuple[int, bytes]:
    if field.startswith(BINARY):
        return BYTES, from_base64(field[len(BINARY) :])
    return TEXT, as_utf8(field)
