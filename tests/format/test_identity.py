"""The file KVEIK."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.format.identity import VERSION, WITHOUT_MANIFEST, decode_identity, encode_identity

ID = bytes(range(16))


def test_an_identity_is_text_that_a_person_can_read() -> None:
    assert encode_identity(ID) == b"kveik 2\nid 000102030405060708090a0b0c0d0e0f\n"


@given(st.binary(min_size=16, max_size=16))
@settings(deadline=None)
def test_an_identity_comes_back(database_id: bytes) -> None:
    assert decode_identity(encode_identity(database_id)) == (VERSION, database_id)


def test_the_version_before_there_were_tables_is_read() -> None:
    old = b"kveik 1\nid 000102030405060708090a0b0c0d0e0f\n"
    assert decode_identity(old) == (WITHOUT_MANIFEST, ID)


def test_of_a_newer_format_only_the_version_is_read() -> None:
    assert decode_identity(b"kveik 3\nwhatever it says\n") == (3, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"kveik",
        b"kveik \n",
        b"kveik one\nid 000102030405060708090a0b0c0d0e0f\n",
        b"kveik 0\nid 000102030405060708090a0b0c0d0e0f\n",
        b"kveik -1\nid 000102030405060708090a0b0c0d0e0f\n",
        b"KVEIK 1\nid 000102030405060708090a0b0c0d0e0f\n",
        b"kveik 1\n",
        b"kveik 1\nid\n",
        b"kveik 1\n000102030405060708090a0b0c0d0e0f\n",
        b"kveik 1\nid 000102030405060708090a0b0c0d0e\n",
        b"kveik 1\nid 000102030405060708090a0b0c0d0e0f00\n",
        b"kveik 1\nid 000102030405060708090a0b0c0d0e0g\n",
        bytes(64),
        b"\xff" * 64,
    ],
)
def test_what_is_no_identity_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"line|hex"):
        decode_identity(data)


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda rest: b"kveik 1\nid " + rest))
@settings(deadline=None)
def test_any_bytes_are_an_identity_or_a_value_error(data: bytes) -> None:
    try:
        version, database_id = decode_identity(data)
    except ValueError:
        return
    assert version > VERSION or len(database_id) == 16


@pytest.mark.parametrize("size", range(len(encode_identity(ID)) - 1))
def test_an_identity_that_breaks_off_is_a_value_error(size: int) -> None:
    with pytest.raises(ValueError, match=r"line|hex"):
        decode_identity(encode_identity(ID)[:size])
