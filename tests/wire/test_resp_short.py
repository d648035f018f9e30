"""GETs and SETs taken the short way are the requests that the careful way finds."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.wire.test_resp_requests import Request, encode, single
from tests.wire.test_resp_requests import outcome as carefully

from kveik.errors import ProtocolError
from kveik.wire.resp import GET, OTHER, RUN, SET, SHORT, RequestDecoder

SIZES = [0, 1, 2, 9, 10, 99, 100, 999, 1000, 9999, 10_000, SHORT, SHORT + 1, 100_000]

words = st.one_of(st.binary(max_size=12), st.sampled_from(SIZES).map(bytes))
gets = st.tuples(st.sampled_from([b"GET", b"get", b"GeT"]), words)
sets = st.tuples(st.sampled_from([b"SET", b"set"]), words, words)
others = st.sampled_from([(b"PING",), (b"SET", b"k", b"v", b"NX"), (b"GET",), (b"GETX", b"k")])
requests = st.lists(st.one_of(gets, sets, others).map(list), max_size=8)


def taken(decoder: RequestDecoder) -> list[Request]:
    """All that there is, the short way wherever that goes."""
    found: list[Request] = []
    while True:
        kind = decoder.short()
        if kind == OTHER:
            request = decoder.next()
            if request is None:
                return found
            found.append(request)
            continue
        found.append(spelled(kind, decoder.key, decoder.value))
        keys = decoder.run(kind, b"")
        values = decoder.values if kind == SET else keys
        found += [spelled(kind, *pair) for pair in zip(keys, values, strict=True)]


def spelled(kind: int, key: bytes, value: bytes) -> Request:
    return [b"GET", key] if kind == GET else [b"SET", key, value]


def upper(request: Request) -> Request:
    return [request[0].upper(), *request[1:]]


def outcome(*pieces: bytes) -> tuple[list[Request], str]:
    decoder = RequestDecoder()
    found: list[Request] = []
    try:
        for piece in pieces:
            decoder.feed(piece)
            found += taken(decoder)
    except ProtocolError as error:
        return found, str(error)
    return found, ""


@given(requests, st.lists(st.integers(0, 200), max_size=4))
@example([[b"SET", b"key", b"1"]], [])
@example([[b"SET", b"key", b""], [b"GET", b"key"]], [])
@example([[b"GET", b"%d" % number] for number in range(2 * RUN + 2)], [])
def test_they_are_the_same_however_they_are_cut(asked: list[Request], cuts: list[int]) -> None:
    data = b"".join(encode(*request) for request in asked)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(places)]
    found, error = outcome(*pieces)
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
    assert outcome(data) == carefully(*single(data[:40]), data[40:])
