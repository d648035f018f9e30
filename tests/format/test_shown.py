"""Keys, ranges and values as a person reads them."""

from __future__ import annotations

import pytest

from kveik.format.shown import show_bytes, show_cell, show_key, show_range, show_time, show_value
from kveik.model import BYTES, CLEARED, DELETED, JSON, TEXT, Cell


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", "''"),
        (b"plain", "'plain'"),
        ("süß".encode(), "'süß'"),
        (b"\x00\xff", "0x00ff"),
        (b"line\n", "0x6c696e650a"),
        (b"a" * 60, "'" + "a" * 48 + "'... (60 bytes)"),
        (b"\xff" * 60, "0x" + "ff" * 48 + "... (60 bytes)"),
        (("a" * 47 + "ß" + "b" * 20).encode(), "'" + "a" * 47 + "'... (69 bytes)"),
    ],
)
def test_bytes_are_text_where_they_can_be_and_cut_where_they_are_long(
    data: bytes, shown: str
) -> None:
    assert show_bytes(data) == shown


def test_a_key_stands_behind_its_database() -> None:
    assert show_key(b"\x03user") == "3:'user'"
    assert show_key(b"") == "the beginning"
    assert show_key(b"\x10") == "the end"


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (b"\x00a", b"\x00a\x00", "key 0:'a'"),
        (b"\x00a", b"\x00c\x00", "keys 0:'a' to 0:'c'"),
        (b"\x00a", b"\x00c", "keys from 0:'a' to below 0:'c'"),
        (b"", b"\x10", "keys from the beginning to below the end"),
    ],
)
def test_a_range_says_whether_its_end_is_in_it(low: bytes, high: bytes, shown: str) -> None:
    assert show_range(low, high) == shown


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (Cell(BYTES, b"v"), "bytes 'v'"),
        (Cell(TEXT, b"v", 1_700_000_000_000), "text 'v' until 2023-11-14 22:13:20 UTC"),
        (Cell(JSON, b"[1]"), "json '[1]'"),
        (Cell(DELETED, b""), "deleted"),
        (Cell(CLEARED, b"\x00b"), "deletes up to 0:'b'"),
    ],
)
def test_a_value_says_its_kind_and_expiry(cell: Cell, shown: str) -> None:
    assert show_cell(cell) == shown


def test_a_stored_value_that_makes_no_sense_says_so() -> None:
    assert show_value(b"\x01v") == "bytes 'v'"
    assert show_value(b"\x77v") == "(unknown content type 119)"


def test_the_last_moment_there_is_can_be_shown() -> None:
    assert show_time(2**63 - 1).endswith("-08-17 07:12:55 UTC")
