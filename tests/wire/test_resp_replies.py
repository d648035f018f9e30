"""Redis' protocol, replies: every kind of reply in both versions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.model import BYTES, JSON, NO_REPLY, OK, Cell, Failure, Simple, Verbatim
from kveik.wire.replies import INLINE_DATA, ReplyEncoder, clean_line

LONG = b"v" * (INLINE_DATA + 1)

# A reply, and its bytes in RESP2 and in RESP3.
REPLIES: list[tuple[object, bytes, bytes]] = [
    (OK, b"+OK\r\n", b"+OK\r\n"),
    (Simple(b"PONG"), b"+PONG\r\n", b"+PONG\r\n"),
    (Failure("ERR no"), b"-ERR no\r\n", b"-ERR no\r\n"),
    (None, b"$-1\r\n", b"_\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    (0, b":0\r\n", b":0\r\n"),
    (1023, b":1023\r\n", b":1023\r\n"),
    (1024, b":1024\r\n", b":1024\r\n"),
    (-1, b":-1\r\n", b":-1\r\n"),
    (2**63 - 1, b":9223372036854775807\r\n", b":9223372036854775807\r\n"),
    (-(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
    (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
    (float("-inf"), b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
    (b"x" * 1023, b"$1023\r\n" + b"x" * 1023 + b"\r\n", b"$1023\r\n" + b"x" * 1023 + b"\r\n"),
    (b"x" * 1024, b"$1024\r\n" + b"x" * 1024 + b"\r\n", b"$1024\r\n" + b"x" * 1024 + b"\r\n"),
    (LONG, b"$16385\r\n" + LONG + b"\r\n", b"$16385\r\n" + LONG + b"\r\n"),
    ("æ", b"$2\r\n\xc3\xa6\r\n", b"$2\r\n\xc3\xa6\r\n"),
    (Cell(BYTES, b"v"), b"$1\r\nv\r\n", b"$1\r\nv\r\n"),
    (Cell(JSON, b"[1]"), b"$3\r\n[1]\r\n", b"$3\r\n[1]\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    (
        [b"a", None, [1]],
        b"*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:1\r\n",
        b"*3\r\n$1\r\na\r\n_\r\n*1\r\n:1\r\n",
    ),
    ({}, b"*0\r\n", b"%0\r\n"),
    (
        {b"b": 1, b"a": 2},
        b"*4\r\n$1\r\nb\r\n:1\r\n$1\r\na\r\n:2\r\n",
        b"%2\r\n$1\r\nb\r\n:1\r\n$1\r\na\r\n:2\r\n",
    ),
    (Verbatim("æ\r\n"), b"$4\r\n\xc3\xa6\r\n\r\n", b"=8\r\ntxt:\xc3\xa6\r\n\r\n"),
    (NO_REPLY, b"", b""),
]


def encoded(reply: object, protocol: int = 2) -> bytes:
    encoder = ReplyEncoder()
    encoder.protocol = protocol
    encoder.add(reply)
    size = encoder.size()
    data = encoder.take()
    assert size == len(data)
    return data


@pytest.mark.parametrize(("reply", "resp2", "resp3"), REPLIES)
def test_a_reply_is_written_in_its_connections_version(
    reply: object, resp2: bytes, resp3: bytes
) -> None:
    assert encoded(reply, 2) == resp2
    assert encoded(reply, 3) == resp3


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_stand_one_behind_the_other_in_their_order(protocol: int) -> None:
    encoder = ReplyEncoder()
    encoder.protocol = protocol
    expected = b""
    for reply, resp2, resp3 in REPLIES * 2:
        encoder.add(reply)
        expected += resp2 if protocol == 2 else resp3
        assert encoder.size() == len(expected)
    assert encoder.take() == expected


def test_what_was_taken_is_gone() -> None:
    encoder = ReplyEncoder()
    for data in (b"a", LONG, b"b"):
        encoder.add(data)
        assert encoder.take() == b"$%d\r\n%s\r\n" % (len(data), data)
        assert encoder.size() == 0
        assert encoder.take() == b""


def test_the_version_can_change_between_two_replies() -> None:
    encoder = ReplyEncoder()
    encoder.add(None)
    encoder.protocol = 3
    encoder.add(None)
    encoder.protocol = 2
    encoder.add({})
    assert encoder.take() == b"$-1\r\n_\r\n*0\r\n"


@pytest.mark.parametrize("text", ["ERR a\r\nb", "ERR a\nb", "ERR a\rb", "ERR \udcff", "ERR \x00"])
def test_an_error_is_one_line_whatever_its_text(text: str) -> None:
    line = encoded(Failure(text))
    assert line == b"-" + clean_line(text) + b"\r\n"
    assert line.count(b"\r") == line.count(b"\n") == 1


@pytest.mark.parametrize("reply", [object(), (1, 2), {1}, [object()]])
def test_what_is_no_reply_is_a_type_error(reply: object) -> None:
    with pytest.raises(TypeError, match="no reply: "):
        encoded(reply)


# --- read back ----------------------------------------------------------------------------------


def parse(data: bytes, at: int) -> tuple[object, int]:
    """The RESP3 reply at a position, read as the protocol's definition says."""
    stop = data.index(b"\r\n", at)
    kind, line, at = data[at : at + 1], data[at + 1 : stop], stop + 2
    if kind == b"$":
        size = int(line)
        assert data[at + size : at + size + 2] == b"\r\n"
        return data[at : at + size], at + size + 2
    if kind in b"*%":
        items: list[object] = []
        for _ in range(int(line) * (2 if kind == b"%" else 1)):
            item, at = parse(data, at)
            items.append(item)
        return (dict(zip(items[::2], items[1::2], strict=True)) if kind == b"%" else items), at
    if kind in b"_#":
        return (line == b"t" if kind == b"#" else None), at
    return (int(line) if kind == b":" else float(line)), at


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary()
DRAWN = st.recursive(
    SCALARS | st.floats(allow_nan=False) | st.integers(16000, 17000).map(bytes),
    lambda items: st.lists(items, max_size=5) | st.dictionaries(st.binary(), items, max_size=5),
)


@given(st.lists(DRAWN, max_size=5))
@settings(deadline=None)
def test_replies_can_be_read_back(replies: list[object]) -> None:
    encoder = ReplyEncoder()
    encoder.protocol = 3
    for reply in replies:
        encoder.add(reply)
    size = encoder.size()
    data = encoder.take()
    found: list[object] = []
    at = 0
    while at < len(data):
        reply, at = parse(data, at)
        found.append(reply)
    assert found == replies
    assert size == len(data)
