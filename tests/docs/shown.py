"""Replies as redis-cli shows them to a person, and whether what is shown is what came."""

from __future__ import annotations

import difflib
import doctest
import re

from tests.support.wire import ErrorReply

_TOOK = re.compile(r"\bin \d+\.\d s\b")  # no page is wrong for the time that something took
_LOOK = doctest.OutputChecker()
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}


def show(reply: object, indent: str = "") -> str:
    """Lines without the last end of line, as `redis-cli --no-raw` writes them."""
    if reply is None:
        return "(nil)"
    if isinstance(reply, ErrorReply):
        return f"(error) {reply}"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, bytes):
        return f'"{"".join(map(_shown_byte, reply))}"'
    if isinstance(reply, list):
        return _show_array(reply, indent)
    return str(reply)


def _shown_byte(byte: int) -> str:
    return _ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")


def _show_array(items: list[object], indent: str) -> str:
    if not items:
        return "(empty array)"
    width = len(str(len(items)))
    inner = indent + " " * (width + 2)
    lines = [f"{at:>{width}}) {show(item, inner)}" for at, item in enumerate(items, 1)]
    return f"\n{indent}".join(lines)


def agrees(want: str, got: str) -> bool:
    """Whether the lines agree; `...` stands for anything."""
    return _LOOK.check_output(_tidy(want), _tidy(got), doctest.ELLIPSIS)


def difference(want: str, got: str) -> str:
    rows = difflib.ndiff(_tidy(want).splitlines(), _tidy(got).splitlines())
    return "the page shows (-), but this came (+):\n" + "\n".join(rows)


def _tidy(text: str) -> str:
    text = _TOOK.sub("in 0.0 s", text)
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"
