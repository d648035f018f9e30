"""Python values as a content type and bytes, and in the terms of whoever reads them."""

from __future__ import annotations

import json
import math
from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.errors import LimitError
from kveik.format.values import as_json_text, decode_value, encode_json_value, encode_value
from kveik.limits import MAX_VALUE
from kveik.model import BYTES, JSON, PICKLE, TEXT

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # text at the top is no JSON to Kveik, so it is drawn below
    | TEXTS,
    lambda items: st.lists(items, max_size=4) | st.dictionaries(TEXTS, items, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (b"\x00\xff", (BYTES, b"\x00\xff")),
        (b"", (BYTES, b"")),
        (bytearray(b"abc"), (BYTES, b"abc")),
        (memoryview(b"abcdef")[::2], (BYTES, b"ace")),
        ("æøå", (TEXT, "æøå".encode())),
        ("", (TEXT, b"")),
        (None, (JSON, b"null")),
        (True, (JSON, b"true")),
        (12, (JSON, b"12")),
        (1.5, (JSON, b"1.5")),
        ([1, "å", None], (JSON, '[1,"å",null]'.encode())),
        ((1, 2), (JSON, b"[1,2]")),
        ({"b": 1, "a": [True, False]}, (JSON, b'{"b":1,"a":[true,false]}')),
    ],
)
def test_a_value_is_bytes_or_text_or_json_in_its_shortest_form(
    value: object, encoded: tuple[int, bytes]
) -> None:
    assert encode_value(value) == encoded


@given(JSON_VALUES | st.binary())
@settings(deadline=None)
def test_a_value_comes_back_with_its_type(value: object) -> None:
    kind, data = encode_value(value)
    found = decode_value(kind, data)
    assert found == value
    assert type(found) is type(value)


@given(JSON_VALUES)
@settings(deadline=None)
def test_a_value_that_came_as_json_is_the_same_json_again(value: object) -> None:
    text = as_json_text(*encode_json_value(value))
    assert json.loads(text) == value
    assert b"\n" not in text


def test_a_pickle_stays_bytes_as_nothing_from_outside_is_run() -> None:
    data = b"cos\nabort\n(tR."
    assert decode_value(PICKLE, data) == data
    assert json.loads(as_json_text(PICKLE, data)).keys() == {"$pickle"}


@pytest.mark.parametrize("data", [b"plain", b"", "æ\u2028\x00\n".encode()])
def test_bytes_that_are_utf8_are_a_json_string(data: bytes) -> None:
    assert json.loads(as_json_text(BYTES, data)) == data.decode()


@pytest.mark.parametrize("data", [b"\xff", b"\xc3", b"\xed\xa0\x80", bytes(range(256))])
def test_other_bytes_are_an_object_with_their_base64(data: bytes) -> None:
    found = json.loads(as_json_text(BYTES, data))
    assert list(found) == ["$bytes"]
    assert b64decode(found["$bytes"], validate=True) == data


def test_a_value_past_its_bound_is_refused() -> None:
    with pytest.raises(LimitError, match=f"at most {MAX_VALUE} bytes, not {MAX_VALUE + 1}"):
        encode_value(bytes(MAX_VALUE + 1))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [1, math.nan], {"a": math.inf}])
def test_numbers_that_json_does_not_know_are_refused(value: object) -> None:
    with pytest.raises(LimitError, match="JSON"):
        encode_value(value)


@pytest.mark.parametrize("value", ["\ud800", ["a", "\udfff"], {"\ud800": 1}])
def test_text_that_is_no_unicode_is_refused(value: object) -> None:
    with pytest.raises(LimitError, match="lone surrogate"):
        encode_value(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(LimitError, match="Circular"):
        encode_value(circle)


def test_a_value_nested_too_deeply_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(LimitError, match="nested too deeply"):
        encode_value(deep)


@pytest.mark.parametrize("value", [{1, 2}, object(), 1j, {"a": b"bytes"}, [b"x"], {(1, 2): 3}])
def test_what_json_cannot_say_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        encode_value(value)
