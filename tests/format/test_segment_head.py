"""The head of a log segment, and its file's name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.format.segment import (
    HEAD_SIZE,
    MAGIC,
    VERSION,
    SegmentHead,
    decode_head,
    encode_head,
    segment_name,
    segment_number,
)

ID = bytes(range(16))
HEAD = encode_head(SegmentHead(3, 4096, 0xFEDCBA98, ID))


@given(
    st.integers(1, 2**63 - 1),
    st.integers(HEAD_SIZE, 2**63 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**31 - 1),
)
@settings(deadline=None)
def test_a_head_comes_back(
    number: int, size: int, salt: int, database_id: bytes, version: int
) -> None:
    data = encode_head(SegmentHead(number, size, salt, database_id, version))
    head = decode_head(data)
    assert len(data) == HEAD_SIZE
    assert (head.number, head.size, head.salt) == (number, size, salt)
    assert (head.database_id, head.version) == (database_id, version)


def test_a_head_says_what_the_file_is_and_the_version_of_its_format() -> None:
    assert HEAD.startswith(MAGIC + VERSION.to_bytes(4, "little"))


def test_a_head_is_read_from_the_whole_file() -> None:
    assert decode_head(HEAD + b"records").number == 3


@pytest.mark.parametrize("at", range(HEAD_SIZE))
def test_a_head_with_a_flipped_byte_is_refused(at: int) -> None:
    for mask in (0x01, 0x80, 0xFF):
        damaged = bytearray(HEAD)
        damaged[at] ^= mask
        with pytest.raises(ValueError, match="not a log segment" if at < 8 else "checksum"):
            decode_head(bytes(damaged))


@pytest.mark.parametrize("size", range(HEAD_SIZE))
def test_a_head_that_breaks_off_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"breaks off after {size} bytes"):
        decode_head(HEAD[:size])


@given(st.integers(1, 2**63 - 1))
@settings(deadline=None)
def test_a_segments_number_is_in_its_name(number: int) -> None:
    assert segment_number(segment_name(number)) == number


def test_segments_sort_by_their_names_as_by_their_numbers() -> None:
    numbers = [1, 9, 10, 99, 123456, 9_999_999_999]
    assert sorted(map(segment_name, numbers)) == [segment_name(number) for number in numbers]


@pytest.mark.parametrize(
    "name",
    [
        "KVEIK",
        "",
        ".log",
        "1.log",
        "000000001.log",
        "0000000000.log",
        "0000000001",
        "0000000001.log.new",
        "0000000001.LOG",
        "-000000001.log",
        "+000000001.log",
        " 000000001.log",
        "0x00000001.log",
        "000000000a.log",
        "00000000001.log",  # the number of another name
        "\u0660" * 9 + "\u0661.log",  # digits, but not ours
    ],
)
def test_a_name_that_no_segment_gets_is_no_segments_name(name: str) -> None:
    assert segment_number(name) == 0
