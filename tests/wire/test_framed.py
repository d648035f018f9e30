"""The length-prefixed protocol: messages from bytes in any pieces, errors and answers as bytes."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.plain import BOMBS, BROKEN, exploits

from kveik.errors import CommandError
from kveik.format.pickling import dump
from kveik.limits import MAX_FRAME
from kveik.wire.framed import FrameDecoder, decode_request, encode_answer, encode_error

LARGE = (MAX_FRAME + 1).to_bytes(4, "big")


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def messages(*pieces: bytes) -> list[bytes | str]:
    """Every message, or the code of its error, asked for after each piece as a session does."""
    decoder = FrameDecoder()
    found: list[bytes | str] = []
    for piece in pieces:
        decoder.feed(piece)
        found += drained(decoder)
    return found


def drained(decoder: FrameDecoder) -> list[bytes | str]:
    found: list[bytes | str] = []
    while True:
        try:
            message = decoder.next()
        except CommandError as error:
            found.append(str(error).partition(" ")[0])
            continue
        if message is None:
            return found
        found.append(message)


STREAMS: dict[str, tuple[bytes, list[bytes]]] = {
    "nothing": (b"", []),
    "one": (framed(b"one"), [b"one"]),
    "three": (framed(b"one") + framed(b"") + framed(b"three"), [b"one", b"", b"three"]),
    "a long one among short ones": (
        framed(b"a") + framed(b"x" * 300) + framed(b"b"),
        [b"a", b"x" * 300, b"b"],
    ),
    "half a length": (framed(b"a") + b"\x00\x00", [b"a"]),
    "half a message": (framed(b"a") + framed(b"half")[:-1], [b"a"]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_messages_come_from_two_pieces_cut_anywhere(name: str) -> None:
    data, expected = STREAMS[name]
    for cut in range(len(data) + 1):
        assert messages(data[:cut], data[cut:]) == expected


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_messages_come_byte_by_byte(name: str) -> None:
    data, expected = STREAMS[name]
    assert messages(*(data[at : at + 1] for at in range(len(data)))) == expected


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_messages_come_where_nobody_asks_before_the_end(name: str) -> None:
    data, expected = STREAMS[name]
    for cut in range(len(data) + 1):
        decoder = FrameDecoder()
        decoder.feed(data[:cut])
        decoder.feed(data[cut:])
        assert drained(decoder) == expected


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(1, 50)))
@settings(deadline=None)
def test_messages_of_any_size_in_any_pieces(sent: list[bytes], sizes: list[int]) -> None:
    data = b"".join(framed(message) for message in sent)
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    assert messages(*pieces, data) == sent


def test_a_message_may_be_as_large_as_its_bound() -> None:
    mib = b"x" * (1 << 20)
    found = messages(MAX_FRAME.to_bytes(4, "big"), *[mib] * (MAX_FRAME >> 20), framed(b"next"))
    assert [len(message) for message in found] == [MAX_FRAME, 4]


def test_a_message_past_its_bound_is_refused_at_once_and_left_out() -> None:
    mib = b"x" * (1 << 20)
    decoder = FrameDecoder()
    decoder.feed(framed(b"before") + LARGE + b"x")
    assert drained(decoder) == [b"before", "MESSAGE_TOO_LARGE"]
    for _ in range(MAX_FRAME >> 20):
        decoder.feed(mib)
        assert drained(decoder) == []
    decoder.feed(framed(b"after"))
    assert drained(decoder) == [b"after"]


def test_what_stands_behind_a_message_that_is_left_out_is_not_lost() -> None:
    decoder = FrameDecoder()
    decoder.feed(LARGE)
    assert drained(decoder) == ["MESSAGE_TOO_LARGE"]
    decoder.feed(bytes(MAX_FRAME) + b"x" + framed(b"after")[:2])
    assert drained(decoder) == []
    decoder.feed(framed(b"after")[2:])
    assert drained(decoder) == [b"after"]


def test_a_length_of_all_ones_is_a_length() -> None:
    assert messages(b"\xff\xff\xff\xff" + b"x" * 100) == ["MESSAGE_TOO_LARGE"]


def test_half_a_message_takes_no_more_room_than_has_come() -> None:
    decoder = FrameDecoder()
    decoder.feed(MAX_FRAME.to_bytes(4, "big"))
    assert drained(decoder) == []
    for _ in range(100):
        decoder.feed(b"x")
    assert drained(decoder) == []


def refusal(message: bytes) -> str:
    with pytest.raises(CommandError) as caught:
        decode_request(message)
    return str(caught.value)


def test_a_request_is_a_dict() -> None:
    request = {"cmd": "SET", "key": 1, "value": (None, {1})}
    assert decode_request(pickle.dumps(request)) == request
    assert refusal(pickle.dumps(["SET"])).startswith("INVALID_REQUEST a request is a dict")


def test_a_refusal_starts_with_its_code() -> None:
    for data, opcode in exploits("/tmp/x").values():  # noqa: S108
        assert refusal(data).startswith("UNSAFE_PICKLE ")
        assert opcode in refusal(data)
    for data in BROKEN.values():
        assert refusal(data).startswith("INVALID_REQUEST ")
    for name in ("a list in itself", "laughs", "a number of many digits", "keys that collide"):
        assert refusal(BOMBS[name]).startswith("MESSAGE_TOO_LARGE ")


def test_answers_are_messages() -> None:
    assert messages(encode_answer(dump("OK"))) == [dump("OK")]
    (error,) = messages(encode_error("MISSING_KEY the member 'key' is missing"))
    assert isinstance(error, bytes)
    assert pickle.loads(error) == {  # noqa: S301
        "error": "MISSING_KEY",
        "message": "the member 'key' is missing",
    }
