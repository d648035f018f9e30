"""Footer, root, partitions, names and separators of tables."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.format.blocks import KEYS, block_of

from kveik.format.table import (
    FOOTER_SIZE,
    Footer,
    block_offset,
    block_size,
    coalesce,
    decode_footer,
    decode_partition,
    decode_root,
    encode_footer,
    encode_location,
    encode_partition,
    encode_root,
    separator,
    table_name,
    table_number,
)

NUMBERS = st.integers(0, 2**63 - 1)
RANGES = st.lists(st.tuples(st.binary(max_size=200), st.binary(max_size=200)), max_size=5)
SHORT_RANGES = st.lists(
    st.tuples(st.binary(min_size=1, max_size=1), st.binary(min_size=1, max_size=1)), max_size=6
)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
@settings(deadline=None)
def test_a_footer_comes_back(number: int, offset: int, size: int, entries: int) -> None:
    data = encode_footer(Footer(number, offset, size, entries))
    footer = decode_footer(data)
    found = (footer.number, footer.root_offset, footer.root_size, footer.entries, footer.version)
    assert found == (number, offset, size, entries, 2)
    assert len(data) == FOOTER_SIZE


def test_a_damaged_footer_is_a_value_error() -> None:
    data = encode_footer(Footer(12, 100, 50, 3))
    for at in range(FOOTER_SIZE):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        with pytest.raises(ValueError, match="not a table" if at < 8 else "checksum"):
            decode_footer(bytes(damaged))


def test_a_footer_that_breaks_off_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="breaks off after 63 bytes"):
        decode_footer(encode_footer(Footer(12, 100, 50, 3))[:-1])


def test_the_name_of_a_table_is_its_number() -> None:
    assert table_name(12) == "0000000012.tbl"
    for number in (1, 9_999_999_999, 10_000_000_000):
        assert table_number(table_name(number)) == number


@pytest.mark.parametrize(
    "name", ["KVEIK", "12.tbl", "0000000012.log", "0000000012.tbl-7.new", "000000001x.tbl", ".tbl"]
)
def test_other_names_are_no_tables(name: str) -> None:
    assert table_number(name) == 0


@given(KEYS, KEYS)
@settings(deadline=None)
def test_a_separator_is_above_one_key_and_not_above_the_next(one: bytes, other: bytes) -> None:
    assume(one != other)
    last, following = sorted((one, other))
    border = separator(last, following)
    assert last < border <= following
    assert border == following[: len(border)]
    assert not last < border[:-1]


@given(NUMBERS, st.integers(0, 2**31 - 1))
@settings(deadline=None)
def test_an_index_says_where_a_block_is(offset: int, size: int) -> None:
    index = block_of({b"a": encode_location(0, 0), b"b": encode_location(offset, size)})
    assert (block_offset(index, 1), block_size(index, 1)) == (offset, size)


@given(st.binary(max_size=300), st.binary(max_size=300))
@settings(deadline=None)
def test_a_partition_comes_back(index: bytes, bloom: bytes) -> None:
    assert decode_partition(b"".join(encode_partition(index, bloom))) == (index, bloom)


@given(st.binary(max_size=300), RANGES)
@settings(deadline=None)
def test_a_root_comes_back(index: bytes, clears: list[tuple[bytes, bytes]]) -> None:
    assert decode_root(b"".join(encode_root(index, clears))) == (index, clears)


PARTITION = b"".join(encode_partition(b"index", b"filter"))
ROOT = b"".join(encode_root(b"index", [(b"start", b"stop")]))


@pytest.mark.parametrize("size", range(len(PARTITION)))
def test_a_partition_that_breaks_off_is_a_value_error(size: int) -> None:
    with pytest.raises(ValueError, match=r"partition breaks off|partition do not add up"):
        decode_partition(PARTITION[:size])


@pytest.mark.parametrize("size", range(len(ROOT)))
def test_a_root_that_breaks_off_is_a_value_error(size: int) -> None:
    with pytest.raises(ValueError, match="root"):
        decode_root(ROOT[:size])


@pytest.mark.parametrize("data", [PARTITION, ROOT])
def test_what_is_too_long_is_a_value_error(data: bytes) -> None:
    decode = decode_partition if data is PARTITION else decode_root
    with pytest.raises(ValueError, match="do not add up"):
        decode(data + b"x")


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\x80" + bytes(9)])
def test_negative_sizes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="do not add up"):
        decode_root(data)
    with pytest.raises(ValueError, match="do not add up"):
        decode_partition(data + bytes(9))


@given(SHORT_RANGES)
@settings(deadline=None)
def test_ranges_put_together_hold_the_same_keys_and_do_not_touch(
    ranges: list[tuple[bytes, bytes]],
) -> None:
    whole = coalesce(ranges)
    for byte in range(256):
        for key in (bytes((byte,)), bytes((byte, 0))):
            inside = any(start <= key < stop for start, stop in ranges)
            assert any(start <= key < stop for start, stop in whole) == inside
    borders = [border for both in whole for border in both]
    assert borders == sorted(set(borders))
