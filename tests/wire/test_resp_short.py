"""GETs and SETs taken the short way are the requests that the careful way finds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.wire.test_resp_requests import Request, encode, outcome, single

from kveik.wire.resp import GET, OTHER, RUN, SET, SHORT, RequestDecoder

SIZES = [0, 1, 2, 9, 10, 99, 100, 999, 1000, 9999, 10_000, SHORT, SHORT + 1, 100_000]

words = st.one_of(st.binary(max_size=12), st.sampled_from(SIZES).map(bytes))
gets = st.tuples(st.sampled_from([b"GET", b"get", b"GeT"]), words)
sets = st.tuples(st.sampled_from([b"SET", b"set"]), words, words)
others = st.sampled_from([(b"PING",), (b"SET", b"k", b"v", b"NX"), (b"GET",), (b"GETX", b"k")])
requests = st.lists(st.one_of(gets, sets, others).map(list), max_size=8)


def shortly(decoder: RequestDecoder) -> Iterator[Request]:
    """The requests that are there, the short way wherever that goes."""
    while True:
        kind = decoder.short()
        if kind != OTHER:
            yield spelled(kind, decoder.key, decoder.value)
            keys = decoder.run(kind, b"")
            values = decoder.values if kind == SET else keys
            yield from (spelled(kind, *pair) for pair in zip(keys, values, strict=True))
        elif (request := decoder.next()) is not None:
            yield request
        else:
            return


def spelled(kind: int, key: bytes, value: bytes) -> Request:
    return [b"GET", key] if kind == GET else [b"SET", key, value]


def upper(request: Request) -> Request:
    return [request[0].upper(), *request[1:]]


@given(requests, st.lists(st.integers(0, 200), max_size=4))
@example([[b"SET", b"key", b"1"]], [])
@example([[b"SET", b"key", b""], [b"GET", b"key"]], [])
@example([[b"GET", b"%d" % number] for number in range(2 * RUN + 2)], [])
def test_they_are_the_same_however_they_are_cut(asked: list[Request], cuts: list[int]) -> None:
    data = b"".join(encode(*request) for request in asked)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(places)]
    found, error = outcome(*pieces, take=shortly)
    assert (list(map(upper, found)), error) == (list(map(upper, asked)), "")


HEADS = [b"*2\r\n$3\r\nGET\r\n$", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$"]
LENGTHS = ["5", "05", "0", "15", "-5", "+5", "5 ", " 5", "", "16384", "16385", "016384", "100000"]
ENDS = [b"\r\n", b"\n\n", b"\r\r", b"\n\r", b"x\n", b"\rx"]


@given(*map(st.sampled_from, (HEADS, LENGTHS, ENDS, ENDS)))
@settings(max_examples=len(HEADS) * len(LENGTHS) * len(ENDS) ** 2)
def test_a_length_that_makes_no_sense_is_left_to_the_careful_way(
    head: bytes, length: str, line: bytes, end: bytes
) -> None:
    size = abs(int(length or 0))
    data = head + length.encode() + line + b"x" * size + end
    assert outcome(data, take=shortly) == outcome(*single(data[:40]), data[40:])


ALIKE = [
    encode(*words)
    for size in (5, 50, 500, 5000, 10_000)
    for words in ((b"GET", b"k" * size), (b"SET", b"k" * size, b"v"), (b"SET", b"k", b"v" * size))
]


@pytest.mark.parametrize("one", ALIKE, ids=lambda one: f"{one[8:11].decode()} of {len(one)}")
def test_one_that_is_not_quite_like_those_before_it_is_told(one: bytes) -> None:
    """Two are like each other; in the next a byte is another one, anywhere but amid a long word."""
    third = len(one) // 3
    for at in [*range(min(len(one), 40)), *range(max(40, len(one) - 20), len(one))]:
        for byte in b"0159$*\r\nGk":
            data = one * 2 + one[:at] + bytes((byte,)) + one[at + 1 :] + one
            pieces = [data[start : start + third] for start in range(0, len(data), third)]
            found, error = outcome(data, take=shortly)
            asked, expected = outcome(*pieces)
            same = list(map(upper, found)) == list(map(upper, asked)) and error == expected
            assert same, f"byte {at} is {byte}"
