"""JSON as the standard has it, within bounds. Called by the line protocols and the KV commands.

Refused are NaN and infinities, two members of one name, what is nested too deeply, and numbers of
too many digits: each would be read differently by the next reader, or cost too much.
"""

from __future__ import annotations

import json
from typing import Final

from kveik.errors import CommandError
from kveik.limits import MAX_NESTING

TOO_DEEP: Final = f"JSON is nested at most {MAX_NESTING} deep"


def parse(text: str) -> object:
    """The value; CommandError says what is wrong with it."""
    try:
        value: object = _USUAL.decode(text)
        # Each member has a colon: where there are no more, no name stands there twice.
        if text.count(":") != (len(value) if isinstance(value, dict) else 0):
            _CAREFUL.decode(text)
    except ValueError as error:
        raise CommandError(f"not valid JSON: {error}") from None
    except RecursionError:
        raise CommandError(TOO_DEEP) from None
    if text.count("{") + text.count("[") > MAX_NESTING and _depth(value) > MAX_NESTING:
        raise CommandError(TOO_DEEP)
    return value


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
