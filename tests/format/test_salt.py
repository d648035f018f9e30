"""A file's salt, found without its head."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st
from tests.format.records import record_pieces

from kveik.format.record import encode_mark
from kveik.format.salt import crc_start, salt_of
from kveik.format.segment import SegmentHead, encode_head
from kveik.model import BYTES

SALT = 0xFEEDF00D
HEAD = encode_head(SegmentHead(1, 4096, SALT, bytes(16)))
COMMIT = b"".join(record_pieces([[(b"\x00key", BYTES, b"value", 0)]], 1, SALT))


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_a_crc_runs_backwards(data: bytes, start: int) -> None:
    assert crc_start(data, crc32(data, start)) == start


def hurt(head: bytes) -> bytes:
    return head[:13] + b"\x99" + head[14:]


def test_a_salt_that_fits_the_first_record_is_the_salt() -> None:
    assert salt_of(HEAD[:3] + b"?" + HEAD[4:] + COMMIT, 64) == SALT


def test_a_damaged_salt_is_found_by_two_records() -> None:
    assert salt_of(hurt(HEAD) + COMMIT + encode_mark(1, SALT), 64) == SALT


def test_one_record_alone_proves_nothing() -> None:
    assert salt_of(hurt(HEAD) + COMMIT, 64) != SALT


def test_without_a_record_the_head_is_all_there_is() -> None:
    assert salt_of(HEAD, 64) == SALT
    assert salt_of(HEAD + bytes(100), 64) == SALT
    assert salt_of(HEAD + b"\xff" * 100, 64) == SALT
