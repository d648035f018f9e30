"""Python keys as bytes: their order is the one that Python's users expect."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.errors import LimitError
from kveik.format.keys import decode_key, encode_key
from kveik.limits import MAX_KEY, MAX_TUPLE_DEPTH

LARGEST = 2**2040 - 1  # 255 bytes of digits

INTEGERS = st.integers(-1000, 1000) | st.integers() | st.integers(-LARGEST - 1, LARGEST)
NUMBERS = INTEGERS | st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x00\x01ab"))
BYTES_LIKE = st.binary() | st.lists(st.sampled_from([0, 1, 255])).map(bytes)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | BYTES_LIKE
ITEMS = st.recursive(SCALARS, lambda items: st.lists(items, max_size=4).map(tuple), max_leaves=8)
TUPLES = st.lists(ITEMS, max_size=4).map(tuple)

# Where the next number is easily on the wrong side.
EDGES = [
    -math.inf,
    *(
        sign * 2**power + step
        for sign in (-1, 1)
        for power in (0, 8, 64, 1008)
        for step in range(3)
    ),
    *(-1.5, -1, -0.5, -5e-324, 0, 5e-324, 2**-1000, 0.5, 1, 1.0000000000000002, 255.5, 256),
    *(1.7976931348623157e308, -1.7976931348623157e308, LARGEST, -LARGEST - 1, math.inf),
]


def rank(key: object) -> tuple[object, ...]:
    """Where a key stands in a tuple, said with Python's own order."""
    if isinstance(key, bytes):
        return (0, key)
    if isinstance(key, str):
        return (1, key)
    if isinstance(key, tuple):
        return (2, [rank(item) for item in key])
    if key is None:
        return (3,)
    return (4, key) if isinstance(key, bool) else (5, key)


def same(one: object, other: object) -> bool:
    return rank(one) == rank(other)


# --- order --------------------------------------------------------------------------------------


@given(NUMBERS, NUMBERS)
@settings(deadline=None, max_examples=300)
def test_numbers_sort_by_value_whatever_their_type(
    one: float,
    other: float,
) -> None:
    assert (encode_key(one) < encode_key(other)) == (one < other)
    assert (encode_key(one) == encode_key(other)) == (one == other)


def test_numbers_that_nearly_touch_sort_by_value() -> None:
    assert sorted(EDGES, key=encode_key) == sorted(EDGES)


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_text_sorts_by_code_points_as_python_sorts_it(one: str, other: str) -> None:
    assert (encode_key(one or "x") < encode_key(other or "x")) == ((one or "x") < (other or "x"))


@given(TUPLES, TUPLES)
@settings(deadline=None, max_examples=300)
def test_tuples_sort_item_by_item(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    a, b = encode_key(one), encode_key(other)
    assert (a < b) == (rank(one) < rank(other))
    assert (a == b) == same(one, other)


@given(TUPLES, ITEMS)
@settings(deadline=None)
def test_a_tuple_sorts_before_every_longer_one_that_it_begins(
    short: tuple[object, ...], more: object
) -> None:
    assert encode_key(short) < encode_key((*short, more))


def test_kinds_of_keys_sort_text_then_tuples_none_booleans_numbers() -> None:
    keys = ["\U0010ffff", (), ("a",), None, False, True, -math.inf, 0, math.inf]
    assert sorted(keys, key=encode_key) == keys


# --- what comes back ----------------------------------------------------------------------------


@given(BYTES_LIKE.filter(len))
@settings(deadline=None)
def test_bytes_are_themselves(key: bytes) -> None:
    assert encode_key(key) == key


@given(TEXTS.filter(len))
@settings(deadline=None)
def test_text_is_its_utf8_and_comes_back_as_that(key: str) -> None:
    assert encode_key(key) == decode_key(encode_key(key)) == key.encode()


@given(NUMBERS)
@settings(deadline=None, max_examples=300)
def test_a_number_comes_back(number: float) -> None:
    assert decode_key(encode_key(number)) == number


@pytest.mark.parametrize("number", EDGES)
def test_a_number_that_nearly_touches_another_comes_back(number: float) -> None:
    assert decode_key(encode_key(number)) == number


@given(st.none() | st.booleans() | TUPLES)
@settings(deadline=None, max_examples=300)
def test_none_booleans_and_tuples_come_back_with_their_types(key: object) -> None:
    assert same(decode_key(encode_key(key)), key)


def test_a_float_that_is_whole_is_the_integers_key() -> None:
    assert encode_key(2.0) == encode_key(2)
    assert encode_key(-0.0) == encode_key(0.0) == encode_key(0)
    assert type(decode_key(encode_key(2.0))) is int
    assert encode_key(2**53 + 1) != encode_key(float(2**53))


def test_booleans_are_not_the_numbers_that_python_takes_them_for() -> None:
    assert encode_key(True) != encode_key(1)
    assert encode_key((False,)) != encode_key((0,))


def test_text_and_bytes_in_a_tuple_are_told_apart() -> None:
    assert encode_key(("a",)) != encode_key((b"a",))
    assert decode_key(encode_key(("a", b"a", "", b""))) == ("a", b"a", "", b"")


# --- bytes that are no encoding -----------------------------------------------------------------


@pytest.mark.parametrize("key", [1, 0.5, -1, 10**400, (), ("a", 1), ((None, b"\x00"), 2.5)])
def test_an_encoding_that_breaks_off_comes_back_as_it_is(key: object) -> None:
    encoded = encode_key(key)
    for size in range(len(encoded)):
        assert decode_key(encoded[:size]) == encoded[:size]
    assert decode_key(encoded + b"\x00") == encoded + b"\x00"


@given(st.binary() | st.binary().map(lambda rest: b"\xf8" + rest))
@settings(deadline=None)
def test_bytes_that_follow_no_encoding_come_back_as_they_are(data: bytes) -> None:
    key = decode_key(data)
    assert key == data or encode_key(key) == data


@pytest.mark.parametrize(
    "data",
    [
        b"\xfc\x81\x00\x00\x01",  # 0 with a digit too many
        b"\xfc\x80\x80\x00\xff\x00\x01",  # 0.5 with a digit too many
        b"\xfc\xfe\x01\x05\x00\x01",  # 5 in the form of a long number
        b"\xfc\x81\x01" + b"\xaa" * 20 + b"\x00\x01",  # a fraction that no float holds
    ],
)
def test_a_second_spelling_of_a_number_is_not_that_number(data: bytes) -> None:
    assert decode_key(data) == data


def test_tuples_nested_deeper_than_any_key_come_back_as_they_are() -> None:
    data = b"\xf8" * 5000 + b"\x00" * 5000
    assert decode_key(data) == data


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [b"x" * MAX_KEY, "x" * MAX_KEY, "ä" * (MAX_KEY // 2)])
def test_a_key_may_be_as_long_as_its_bound(key: object) -> None:
    assert len(encode_key(key)) == MAX_KEY


@pytest.mark.parametrize(
    "key", [b"", "", b"x" * (MAX_KEY + 1), "ä" * (MAX_KEY // 2 + 1), (b"x" * (MAX_KEY - 3),)]
)
def test_a_key_that_is_empty_or_too_long_is_refused(key: object) -> None:
    with pytest.raises(LimitError, match="1 to 65536 bytes"):
        encode_key(key)


def nested(depth: int) -> tuple[object, ...]:
    key: tuple[object, ...] = ()
    for _ in range(depth - 1):
        key = (key,)
    return key


def test_tuples_nest_as_deep_as_their_bound_and_no_deeper() -> None:
    assert decode_key(encode_key(nested(MAX_TUPLE_DEPTH))) == nested(MAX_TUPLE_DEPTH)
    with pytest.raises(LimitError, match="at most 16 deep"):
        encode_key(nested(MAX_TUPLE_DEPTH + 1))


@pytest.mark.parametrize("number", [LARGEST + 1, -LARGEST - 2])
def test_a_number_past_its_bound_is_refused(number: int) -> None:
    with pytest.raises(LimitError, match="2040 bits"):
        encode_key(number)


@pytest.mark.parametrize("key", [math.nan, (1, math.nan)])
def test_nan_is_no_key_as_it_has_no_place_in_an_order(key: object) -> None:
    with pytest.raises(LimitError, match="NaN"):
        encode_key(key)


@pytest.mark.parametrize("key", ["\ud800", ("a", "\udfff")])
def test_text_that_is_no_unicode_is_no_key(key: object) -> None:
    with pytest.raises(LimitError, match="lone surrogate"):
        encode_key(key)


@pytest.mark.parametrize("key", [bytearray(b"k"), memoryview(b"k"), (bytearray(b"k"),)])
def test_what_can_be_changed_later_is_no_key(key: object) -> None:
    with pytest.raises(TypeError, match="cannot be changed later"):
        encode_key(key)


@pytest.mark.parametrize("key", [[1], {"a": 1}, {1}, object(), 1j, (1, [2]), int, ...])
def test_other_types_are_no_keys(key: object) -> None:
    with pytest.raises(TypeError, match=r"a key is bytes, str, int, .* not \w+"):
        encode_key(key)
