"""Keys and values as a person writes and reads them in a terminal. docs/command-line.md.

A word is text as it stands. In parentheses it is a Python literal: (17), ('order', 17), (b'\\xff').
Invariant: `read_key(show_key(key))` is the same key. Called by the sub-commands on keys.
"""

from __future__ import annotations

import ast
import json
import math

from kveik.errors import UseError
from kveik.format.keys import decode_key, encode_key

HINT = "a word in parentheses is a Python literal: (17), ('order', 17), (b'\\xff'), ('(text')"


def read_key(word: str) -> bytes:
    """The stored bytes of a key; UseError, LimitError, TypeError."""
    if not word.startswith("("):
        return encode_key(word.encode("utf-8", "surrogateescape"))  # as the terminal gave it
    try:
        key = ast.literal_eval(word)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise UseError(f"{word[:80]!r} is no key: {HINT}") from None
    try:
        return encode_key(key)
    except TypeError as error:
        raise UseError(str(error)) from None


def read_prefix(word: str) -> object:
    """A prefix: text or bytes, or a tuple's first items."""
    if not word.startswith("("):
        return word.encode("utf-8", "surrogateescape")
    key = decode_key(read_key(word))
    if not isinstance(key, (bytes, tuple)):
        raise UseError(f"nothing begins with {word}: a prefix is text, bytes or a tuple")
    return key


def show_key(key: bytes) -> str:
    """A stored key, as read_key reads it."""
    found = decode_key(key)
    if not isinstance(found, bytes):
        shown = _literal(found)
        return shown if isinstance(found, tuple) else f"({shown})"
    try:
        text = found.decode()
    except UnicodeDecodeError:
        return f"({found!r})"
    plain = text.isprintable() and not text.startswith("(") and text == text.strip()
    return text if plain else f"({text!r})"


def _literal(item: object) -> str:
    if isinstance(item, tuple):
        inner = ", ".join(_literal(part) for part in item)
        return f"({inner},)" if len(item) == 1 else f"({inner})"
    if isinstance(item, float) and math.isinf(item):
        return "1e999" if item > 0 else "-1e999"  # Python has no literal for it
    return repr(item)


def show_value(value: object, *, line: bool = False) -> str:
    """A value for people: text as text, JSON on several lines, bytes escaped unless they are text.

    line: all on one line.
    """
    if isinstance(value, bytes):
        try:
            return _text(value.decode(), line)
        except UnicodeDecodeError:
            return repr(value)
    if isinstance(value, str):
        return _text(value, line)
    return json.dumps(value, ensure_ascii=False, indent=None if line else 2)


def _text(text: str, line: bool) -> str:
    """Text as it stands, but nothing that would steer the terminal."""
    allowed = "" if line else "\n\t"
    plain = all(character.isprintable() or character in allowed for character in text)
    return text if plain else repr(text)
