"""JSON as the standard has it, within bounds. Called by the line protocols and the KV commands.

Refused are NaN and infinities, two members of one name, what is nested too deeply, and numbers of
too many digits: each would be read differently by the next reader, or cost too much.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.scanner import make_scanner
from typing import Final

from kveik.errors import CommandError
from kveik.limits import MAX_NESTING

BLANKS: Final = " \t\n\r"  # that may stand around a value
TOO_DEEP: Final = f"JSON is nested at most {MAX_NESTING} deep"


def parse(text: str) -> object:
    """The value; CommandError says what is wrong with it."""
    try:
        value = _scan(text.strip(BLANKS))
        if not _distinct(text, value):
            _CAREFUL.decode(text)
    except ValueError as error:
        raise CommandError(f"not valid JSON: {error}") from None
    except RecursionError:
        raise CommandError(TOO_DEEP) from None
    if text.count("{") + text.count("[") > MAX_NESTING and _depth(value) > MAX_NESTING:
        raise CommandError(TOO_DEEP)
    return value


def _scan(text: str) -> object:
    """As _USUAL.decode, of a text without blanks around it; without its regular expressions."""
    try:
        value, end = _SCAN(text, 0)
    except StopIteration as stop:
        raise json.JSONDecodeError("Expecting value", text, stop.value) from None
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def _distinct(text: str, value: object) -> bool:
    """Whether it is plain that no name stands twice in one object.

    Each member has a colon, and a comma before it unless it is the first.
    """
    if not isinstance(value, dict):
        return ":" not in text
    return text.count(",") == len(value) - 1 or text.count(":") == len(value)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the member {name!r} stands there twice"[:200])
            seen.add(name)
    return members


_USUAL: Final = json.JSONDecoder(parse_constant=_refuse_constant)
_SCAN: Final[Callable[[str, int], tuple[object, int]]] = make_scanner(_USUAL)  # type: ignore[arg-type]
_CAREFUL: Final = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_members)


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
