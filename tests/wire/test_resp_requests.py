"""Redis' protocol, requests: the same however the bytes are cut, and never anything but requests,
waiting or a ProtocolError."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kveik.errors import ProtocolError
from kveik.limits import MAX_ARGUMENTS, MAX_INLINE, MAX_VALUE
from kveik.wire.resp import RequestDecoder

Request = list[bytes]


def encode(*args: bytes) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args)


def carefully(decoder: RequestDecoder) -> Iterator[Request]:
    """The requests that are there."""
    while (request := decoder.next()) is not None:
        yield request


Take = Callable[[RequestDecoder], Iterator[Request]]


def arriving(pieces: Iterable[bytes], take: Take) -> Iterator[Request]:
    """Every request, asked for after each piece as a session does."""
    decoder = RequestDecoder()
    for piece in pieces:
        decoder.feed(piece)
        yield from take(decoder)


def decode(*pieces: bytes) -> list[Request]:
    return list(arriving(pieces, carefully))


def outcome(*pieces: bytes, take: Take = carefully) -> tuple[list[Request], str]:
    """The requests, and the error that ended them."""
    requests: list[Request] = []
    try:
        for request in arriving(pieces, take):
            requests.append(request)  # noqa: PERF402 (those before an error count)
    except ProtocolError as error:
        return requests, str(error)
    return requests, ""


def single(data: bytes) -> list[bytes]:
    """One byte at a time."""
    return [data[at : at + 1] for at in range(len(data))]


PING = encode(b"PING")

STREAMS: dict[str, tuple[bytes, list[Request]]] = {
    "nothing": (b"", []),
    "one request": (encode(b"SET", b"key", b"value"), [[b"SET", b"key", b"value"]]),
    "a pipeline": (
        encode(b"SET", b"a", b"1") + encode(b"GET", b"a") + PING,
        [[b"SET", b"a", b"1"], [b"GET", b"a"], [b"PING"]],
    ),
    "arguments that look like the protocol": (
        encode(b"SET", b"*1\r\n$4\r\n", b"\r\n") + encode(b"\r\n$-1\r\n*0"),
        [[b"SET", b"*1\r\n$4\r\n", b"\r\n"], [b"\r\n$-1\r\n*0"]],
    ),
    "empty arguments": (encode(b"", b"", b"x"), [[b"", b"", b"x"]]),
    "every byte": (encode(bytes(range(256))), [[bytes(range(256))]]),
    "inline commands": (
        b"PING\r\nSET  a\t1 \r\nget a\n" + PING,
        [[b"PING"], [b"SET", b"a", b"1"], [b"get", b"a"], [b"PING"]],
    ),
    "blank lines": (b"\r\n\n  \r\nPING\r\n\r\n" + PING, [[b"PING"], [b"PING"]]),
    "empty arrays": (b"*0\r\n" + PING + b"*0\r\n*0\r\n" + PING, [[b"PING"], [b"PING"]]),
    "null arrays": (b"*-1\r\n" + PING + b"*-1\r\n*-1\r\n" + PING, [[b"PING"], [b"PING"]]),
    "a request that is not whole": (PING + encode(b"GET", b"key")[:-1], [[b"PING"]]),
    "many arguments": (encode(*[b"x"] * 50), [[b"x"] * 50]),
    "long arguments": (
        encode(b"SET", b"k" * 150, b"v" * 300) + PING,
        [[b"SET", b"k" * 150, b"v" * 300], [b"PING"]],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_requests_come_from_two_pieces_cut_anywhere(name: str) -> None:
    data, requests = STREAMS[name]
    for cut in range(len(data) + 1):
        assert decode(data[:cut], data[cut:]) == requests


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_requests_come_byte_by_byte(name: str) -> None:
    data, requests = STREAMS[name]
    assert decode(*single(data)) == requests


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_requests_come_where_nobody_asks_before_the_end(name: str) -> None:
    data, requests = STREAMS[name]
    for cut in range(len(data) + 1):
        decoder = RequestDecoder()
        decoder.feed(data[:cut])
        decoder.feed(data[cut:])
        found = []
        while (request := decoder.next()) is not None:
            found.append(request)
        assert found == requests


def test_a_request_is_there_once_its_last_byte_is() -> None:
    data = encode(b"SET", b"a", b"1")
    decoder = RequestDecoder()
    decoder.feed(data[:-1])
    assert decoder.next() is None
    decoder.feed(data[-1:])
    assert decoder.next() == [b"SET", b"a", b"1"]
    assert decoder.next() is None


@pytest.mark.parametrize("piece", [1000, 65536, 1 << 20])
def test_a_long_argument_is_put_together_from_its_pieces(piece: int) -> None:
    long = bytes(range(256)) * (10 * 1024 * 4)  # 10 MB
    data = PING + encode(b"SET", b"key", long) + PING
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    assert decode(*pieces) == [[b"PING"], [b"SET", b"key", long], [b"PING"]]


def test_long_arguments_one_after_the_other_are_one_request() -> None:
    args = [bytes((number,)) * 100_000 for number in range(20)]
    data = encode(*args)
    assert decode(*(data[at : at + 30_000] for at in range(0, len(data), 30_000))) == [args]


# --- bounds -------------------------------------------------------------------------------------


def test_a_request_may_announce_as_much_as_its_bounds_allow() -> None:
    assert decode(b"*%d\r\n$%d\r\n" % (MAX_ARGUMENTS, MAX_VALUE), b"x") == []


@pytest.mark.parametrize(
    "line",
    [b"*%d" % (MAX_ARGUMENTS + 1), b"*99999999999999999999", b"*1\r\n$%d" % (MAX_VALUE + 1)],
)
def test_a_request_that_announces_more_than_its_bounds_is_refused(line: bytes) -> None:
    assert outcome(line + b"\r\n")[1].startswith("Protocol error: invalid ")


@pytest.mark.parametrize("piece", [MAX_INLINE + 1, 1000])
@pytest.mark.parametrize("start", [b"", b"*", b"*1\r\n$"])
def test_a_line_that_does_not_end_is_refused_at_its_bound(start: bytes, piece: int) -> None:
    data = start + b"0" * (MAX_INLINE + 1)
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    assert outcome(*pieces)[1].startswith("Protocol error: ")


def test_an_inline_command_may_be_as_long_as_its_bound() -> None:
    line = b"ECHO " + b"x" * (MAX_INLINE - 7)
    assert decode(line, b"\r\n") == [[b"ECHO", b"x" * (MAX_INLINE - 7)]]


# --- malformed ----------------------------------------------------------------------------------

MALFORMED = [
    (b"*x\r\n", "invalid multibulk length"),
    (b"*1x\r\n", "invalid multibulk length"),
    (b"*\r\n", "invalid multibulk length"),
    (b"*-\r\n", "invalid multibulk length"),
    (b"*-2\r\n", "invalid multibulk length"),
    (b"*-10\r\n", "invalid multibulk length"),
    (b"*+1\r\n", "invalid multibulk length"),
    (b"* 1\r\n", "invalid multibulk length"),
    (b"*1.0\r\n", "invalid multibulk length"),
    (b"*1\n$4\r\nPING\r\n", "invalid multibulk length"),
    (b"*1\r$4\r\nPING\r\n", "invalid multibulk length"),
    (b"*01\r\n$4\r\nPING\r\n", "invalid multibulk length"),
    (b"*1\r\n$x\r\n", "invalid bulk length"),
    (b"*1\r\n$\r\n", "invalid bulk length"),
    (b"*1\r\n$-1\r\n", "invalid bulk length"),
    (b"*1\r\n$-4\r\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$4\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n+OK\r\n", "expected '$', got '+'"),
    (b"*1\r\n:5\r\n", "expected '$', got ':'"),
    (b"*2\r\n$4\r\nECHO\r\n*1\r\n", "expected '$', got '*'"),
    (b"*1\r\n\r\n$4\r\nPING\r\n", "expected '$', got '\r'"),
    (b"*1\r\n$4\r\nPINGxx", "a bulk string does not end in CRLF"),
    (b"*1\r\n$4\r\nPING\n\n", "a bulk string does not end in CRLF"),
    (b"*1\r\n$3\r\nPING\r\n", "a bulk string does not end in CRLF"),
]


@pytest.mark.parametrize(("data", "complaint"), MALFORMED)
def test_malformed_bytes_are_refused_wherever_they_are_cut(data: bytes, complaint: str) -> None:
    expected = ([[b"PING"]], f"Protocol error: {complaint}")
    stream = PING + data
    for cut in range(len(stream) + 1):
        assert outcome(stream[:cut], stream[cut:]) == expected
    assert outcome(*single(stream)) == expected


TOKENS = st.sampled_from(
    [b"*", b"$", b"\r\n", b"\n", b"-", b"-1", b"0", b"1", b"2", b"3", b" ", b"x", b"PING"]
) | st.sampled_from([b"*1\r\n", b"*-1\r\n", b"$4\r\n", b"*2\r\n$1\r\na\r\n", PING])
BYTES = st.binary(max_size=60) | st.lists(TOKENS, max_size=20).map(b"".join)


@given(BYTES, st.lists(st.integers(0, 80), max_size=5))
@example(b"*-1\r\n", [3])
@settings(deadline=None, max_examples=400)
def test_any_bytes_are_requests_or_waiting_or_a_protocol_error_however_they_are_cut(
    data: bytes, cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    requests, error = outcome(data)
    assert outcome(*pieces) == (requests, error)
    assert all(request and all(type(word) is bytes for word in request) for request in requests)


@given(st.lists(st.lists(st.binary(max_size=30), min_size=1, max_size=4), max_size=5), st.data())
@settings(deadline=None)
def test_what_was_encoded_is_decoded(requests: list[Request], draw: st.DataObject) -> None:
    data = b"".join(encode(*request) for request in requests)
    cut = draw.draw(st.integers(0, len(data)))
    assert decode(data[:cut], data[cut:]) == requests
