"""What is known of tables, drawn and compared."""

from __future__ import annotations

from hypothesis import strategies as st

from kveik.format.edit import MAX_NUMBER, Edit
from kveik.format.table import TableInfo
from kveik.limits import LEVELS

Fields = tuple[int, int, int, int, bytes, bytes, int, int, int, int]


def info(
    number: int,
    low: bytes = b"\0a",
    high: bytes = b"\0z",
    *,
    size: int = 1000,
    entries: int = 10,
    tombstones: int = 0,
    clears: int = 0,
    expires: int = 0,
) -> TableInfo:
    return TableInfo(number, size, entries, tombstones, low, high, size - 100, 100, clears, expires)


def fields(table: TableInfo) -> Fields:
    return (
        table.number,
        table.size,
        table.entries,
        table.tombstones,
        table.low,
        table.high,
        table.root_offset,
        table.root_size,
        table.clears,
        table.expires,
    )


def edit_fields(edit: Edit) -> tuple[list[tuple[int, Fields]], list[int], int, int, int]:
    added = [(level, fields(table)) for level, table in edit.added]
    return added, edit.removed, edit.log, edit.lsn, edit.next_table


@st.composite
def infos(draw: st.DrawFn) -> TableInfo:
    low, high = sorted(draw(st.lists(st.binary(min_size=1), min_size=2, max_size=2, unique=True)))
    entries, clears = draw(st.integers(0, 2**62)), draw(st.integers(0, 9))
    root_size = draw(st.integers(1, 2**61))
    root_offset = draw(st.integers(0, 2**61))
    return TableInfo(
        draw(st.integers(1, MAX_NUMBER)),
        root_offset + root_size + draw(st.integers(0, 2**61)),
        entries,
        draw(st.integers(0, entries)),
        low,
        high,
        root_offset,
        root_size,
        clears if entries else clears + 1,
        draw(st.integers(0, MAX_NUMBER)),
    )


NUMBERS = st.integers(0, MAX_NUMBER)
EDITS = st.builds(
    Edit,
    st.lists(st.tuples(st.integers(0, LEVELS - 1), infos()), max_size=4),
    st.lists(st.integers(1, MAX_NUMBER), max_size=4, unique=True),
    NUMBERS,
    NUMBERS,
    NUMBERS,
)
