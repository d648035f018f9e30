"""The pages of the documentation, and the blocks of code in them.

A block that cannot run says why in a comment before it: `<!-- not run: the reason -->`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.tools import ROOT

DOCS = ROOT / "docs"
RUN = ("python", "console", "redis", "toml")
SHOWN = ("text", "ini")  # languages of what is only looked at
_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- not run: ([^>]+) -->\s*\Z")
_LOOSE = re.compile(r"^    [ ]*\$ ", re.MULTILINE)


class Block(NamedTuple):
    page: str
    line: int  # of its first line of code
    language: str
    code: str
    reason: str  # why it is not run; empty if it is

    def __str__(self) -> str:
        return f"{self.page}:{self.line} ({self.language})"


def pages() -> list[Path]:
    """The README, how to contribute and all that is in docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """Each fenced block, in order."""
    text = page.read_text()
    for found in _FENCE.finditer(text):
        mark = _MARK.search(text, 0, found.start())
        line = text.count("\n", 0, found.start(2)) + 1
        yield Block(name(page), line, found[1], found[2], mark[1] if mark else "")


def loose_commands(page: Path) -> list[str]:
    """Lines of a shell that stand in an indented block, where nothing runs them."""
    text = _FENCE.sub("", page.read_text())
    return [found[0] for found in _LOOSE.finditer(text)]
