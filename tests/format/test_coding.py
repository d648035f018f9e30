"""Integers in bytes."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.format import coding, portable
from kveik.format.coding import (
    BytesWriter,
    read_i32_be,
    read_i32_le,
    read_i64_be,
    read_i64_le,
    read_varint,
    varint_size,
    write_i32_be,
    write_i32_le,
    write_i64_le,
    write_varint,
)

# The first and the last number of every length, and the bytes that they take.
BOUNDARIES = [
    (0, b"\x00"),
    (127, b"\x7f"),
    (128, b"\x80\x01"),
    (2**14 - 1, b"\xff\x7f"),
    (2**14, b"\x80\x80\x01"),
    (2**21 - 1, b"\xff\xff\x7f"),
    (2**21, b"\x80\x80\x80\x01"),
    (2**28 - 1, b"\xff\xff\xff\x7f"),
    (2**28, b"\x80\x80\x80\x80\x01"),
    (2**31 - 1, b"\xff\xff\xff\xff\x07"),
]


def varint(number: int) -> bytes:
    out = BytesWriter()
    write_varint(out, number)
    return out.getvalue()


@pytest.mark.parametrize(("number", "encoded"), BOUNDARIES)
def test_a_varint_has_seven_bits_a_byte_low_bits_first(number: int, encoded: bytes) -> None:
    assert varint(number) == encoded


@pytest.mark.parametrize(("number", "encoded"), BOUNDARIES)
def test_a_varints_size_is_known_before_it_is_written(number: int, encoded: bytes) -> None:
    assert varint_size(number) == len(encoded)


@pytest.mark.parametrize(("number", "encoded"), BOUNDARIES)
def test_a_varint_is_read_from_the_middle_of_bytes(number: int, encoded: bytes) -> None:
    data = b"\xff" + encoded + b"\xff"
    assert read_varint(data, 1, len(data)) == (number, 1 + len(encoded))


@pytest.mark.parametrize(("number", "encoded"), BOUNDARIES)
def test_a_varint_that_breaks_off_is_none_and_moves_nothing(number: int, encoded: bytes) -> None:
    for size in range(len(encoded)):
        assert read_varint(b"x" + encoded[:size], 1, 1 + size) == (-1, 1)
        assert read_varint(b"x" + encoded, 1, 1 + size) == (-1, 1)  # the end counts, not the data


def test_a_varint_of_more_than_five_bytes_is_none() -> None:
    assert read_varint(b"\x80\x80\x80\x80\x80\x01", 0, 6) == (-1, 0)


@given(st.integers(0, 2**31 - 1))
@settings(deadline=None)
def test_every_varint_comes_back(number: int) -> None:
    data = varint(number)
    assert read_varint(data, 0, len(data)) == (number, varint_size(number))


def test_fixed_numbers_are_little_endian_twos_complement() -> None:
    out = BytesWriter()
    write_i32_le(out, 0x01020304)
    write_i32_le(out, -2)
    write_i64_le(out, 0x0102030405060708)
    write_i64_le(out, -2)
    data = out.getvalue()
    assert data.hex() == "04030201feffffff0807060504030201feffffffffffffff"
    assert [read_i32_le(data, 0), read_i32_le(data, 4)] == [0x01020304, -2]
    assert [read_i64_le(data, 8), read_i64_le(data, 16)] == [0x0102030405060708, -2]


def test_numbers_whose_order_is_that_of_their_bytes_are_big_endian() -> None:
    out = BytesWriter()
    write_i32_be(out, 0x01020304)
    write_i32_be(out, -2)
    data = out.getvalue()
    assert data.hex() == "01020304fffffffe"
    assert [read_i32_be(data, 0), read_i32_be(data, 4)] == [0x01020304, -2]
    assert read_i64_be(data, 0) == 0x01020304FFFFFFFE


def test_bytes_in_the_making_can_be_changed() -> None:
    out = BytesWriter()
    out.write(b"abc")
    out[1] = out[2]
    assert out.getvalue() == b"acc"


# --- the stand-ins for where librt is not installed ----------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 255)),
        st.tuples(st.just("write"), st.binary()),
        st.tuples(st.just("truncate"), st.just(0)),
        st.tuples(st.just("i32"), st.integers(-(2**31), 2**31 - 1)),
        st.tuples(st.just("i32_be"), st.integers(-(2**31), 2**31 - 1)),
        st.tuples(st.just("i64"), st.integers(-(2**63), 2**63 - 1)),
    )
)


def write_with(module: ModuleType, steps: list[tuple[str, int | bytes]]) -> tuple[bytes, int]:
    out = module.BytesWriter()
    calls = {
        "append": out.append,
        "write": out.write,
        "truncate": out.truncate,
        "i32": lambda number: module.write_i32_le(out, number),
        "i32_be": lambda number: module.write_i32_be(out, number),
        "i64": lambda number: module.write_i64_le(out, number),
    }
    for name, argument in steps:
        calls[name](argument)
    return out.getvalue(), len(out)


@given(STEPS)
@settings(deadline=None)
def test_the_stand_ins_write_the_same_bytes_as_librt(steps: list[tuple[str, int | bytes]]) -> None:
    librt = pytest.importorskip("librt.strings")
    assert write_with(portable, steps) == write_with(librt, steps)


@given(st.binary(min_size=8), st.data())
@settings(deadline=None)
def test_the_stand_ins_read_the_same_numbers_as_librt(data: bytes, draw: st.DataObject) -> None:
    librt = pytest.importorskip("librt.strings")
    at = draw.draw(st.integers(0, len(data) - 8))
    assert portable.read_i32_le(data, at) == librt.read_i32_le(data, at)
    assert portable.read_i64_le(data, at) == librt.read_i64_le(data, at)
    assert portable.read_i32_be(data, at) == librt.read_i32_be(data, at)
    assert portable.read_i64_be(data, at) == librt.read_i64_be(data, at)


@given(st.binary(min_size=1), st.integers(0, 255), st.data())
@settings(deadline=None)
def test_the_stand_ins_change_bytes_as_librt_does(
    data: bytes, byte: int, draw: st.DataObject
) -> None:
    librt = pytest.importorskip("librt.strings")
    at = draw.draw(st.integers(0, len(data) - 1))
    outcomes = []
    for module in (portable, librt):
        out = module.BytesWriter()
        out.write(data)
        before = out[at]
        out[at] = byte
        outcomes.append((before, out[at], out.getvalue()))
    assert outcomes[0] == outcomes[1]


def test_the_stand_ins_have_every_name_that_coding_takes_from_librt() -> None:
    own = {"read_varint", "signed", "varint_size", "write_varint"}
    assert set(coding.__all__) - own <= set(dir(portable))
