"""Stored values: what a table keeps for a key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.format.entry import (
    TOMBSTONE,
    data_at,
    decode_cell,
    encode_value_of,
    expires_at,
    kind_at,
)
from kveik.model import BYTES, DELETED, JSON, PICKLE, TEXT, Cell

CELLS = st.tuples(
    st.sampled_from([DELETED, BYTES, TEXT, JSON, PICKLE]),
    st.binary(max_size=50),
    st.sampled_from([0, 1, 2**63 - 1]) | st.integers(0, 2**63 - 1),
)


@given(CELLS, st.binary(max_size=9), st.binary(max_size=9))
@settings(deadline=None)
def test_a_cell_comes_back_from_wherever_it_stands(
    drawn: tuple[int, bytes, int], before: bytes, behind: bytes
) -> None:
    kind, data, expires = drawn
    stored = encode_value_of(Cell(kind, data, expires))
    within = before + stored + behind
    start, end = len(before), len(before) + len(stored)
    cell = decode_cell(within, start, end)
    assert (cell.kind, cell.data, cell.expires, cell.lsn) == (kind, data, expires, 0)
    assert (kind_at(within, start), expires_at(within, start)) == (kind, expires)
    assert within[data_at(within, start) : end] == data


def test_a_value_that_never_expires_takes_one_byte_more_than_its_data() -> None:
    assert encode_value_of(Cell(TEXT, b"hi")) == b"\x02hi"
    assert encode_value_of(Cell(TEXT, b"hi", 5)) == b"\x82\x05\0\0\0\0\0\0\0hi"


def test_a_tombstone_is_a_zero_byte() -> None:
    assert encode_value_of(Cell(DELETED, b"")) == TOMBSTONE == b"\0"


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"", "empty"), (b"\x81\0\0\0\0\0\0\0", "breaks off"), (b"\x09x", "unknown content type 9")],
)
def test_what_no_cell_is_stored_as_is_a_value_error(data: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        decode_cell(data, 0, len(data))
