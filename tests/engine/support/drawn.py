"""Levels drawn in a line, and compactions told in one.

    L0: a-m b-z  L1: a-c:20 d-k!  L3: a-z

draws two tables in level 0 (the newest first), two in level 1 and one in level 3. A table is its
first key and the key behind its last, both of database 0; `:20` is its size in MiB (1 otherwise),
`!` says that it is mostly tombstones, `~` that it has no entries but one clear of its range, `^`
that it has entries and a clear. Tables are numbered from 1 in the order of the line.
"""

from __future__ import annotations

import re

from tests.format.infos import info

from kveik.engine.levels import Levels
from kveik.engine.picker import Compaction
from kveik.engine.state import empty_levels
from kveik.format.table import TableInfo
from kveik.limits import MIB

TABLE = re.compile(r"(\w+)-(\w+)(?::([\d.]+))?([!~^]?)")


def drawn(line: str) -> Levels:
    levels = empty_levels()
    number = 0
    level = 0
    for word in line.split():
        if word.startswith("L"):
            level = int(word[1:].removesuffix(":"))
        else:
            number += 1
            levels[level].append(table(number, word))
    return levels


def table(number: int, word: str) -> TableInfo:
    match = TABLE.fullmatch(word)
    assert match is not None, word
    low, high, size, mark = match.groups()
    return info(
        number,
        b"\0" + low.encode(),
        b"\0" + high.encode(),
        size=int(float(size or 1) * MIB),
        entries=0 if mark == "~" else 10,
        tombstones=9 if mark == "!" else 0,
        clears=1 if mark in ("~", "^") else 0,
    )


def told(compaction: Compaction | None) -> str:
    """As "0>1 bottom: a-m, b-z, a-c d-k": from and to, what it is, and the sources."""
    if compaction is None:
        return "nothing"
    if compaction.drop:
        assert not compaction.inputs
        return f"drop: {names(compaction.drop)}"
    kind = " move" if compaction.move else " bottom" if compaction.bottom else ""
    sources = ", ".join(names(source) for source in compaction.inputs)
    return f"{compaction.level}>{compaction.target}{kind}: {sources}"


def names(tables: list[TableInfo]) -> str:
    return " ".join(f"{one.low[1:].decode()}-{one.high[1:].decode()}" for one in tables)
