"""Inline commands of Redis' protocol: words and quotes, as Redis 7 splits them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.errors import ProtocolError
from kveik.wire.inline import split_line
from kveik.wire.resp import RequestDecoder

WORDS: dict[bytes, list[bytes]] = {
    b"": [],
    b"  \r": [],
    b"PING": [b"PING"],
    b"set k v\r": [b"set", b"k", b"v"],
    b' SET  k\t"two words"\r': [b"SET", b"k", b"two words"],
    b"SET k 'two words'": [b"SET", b"k", b"two words"],
    b'SET k ""': [b"SET", b"k", b""],
    b"SET k ''": [b"SET", b"k", b""],
    b'SET k "\\x00\\xfFz"': [b"SET", b"k", b"\x00\xffz"],
    b'SET k "\\n\\r\\t\\b\\a\\q\\\\\\""': [b"SET", b"k", b'\n\r\t\b\aq\\"'],
    b'SET k "\\x1"': [b"SET", b"k", b"x1"],
    b'SET k "\\xg1"': [b"SET", b"k", b"xg1"],
    b"SET k 'it\\'s \\n'": [b"SET", b"k", b"it's \\n"],
    b'SET k a"b c"': [b"SET", b"k", b"ab c"],
    b"SET k \\n": [b"SET", b"k", b"\\n"],
    b"SET k '\"'": [b"SET", b"k", b'"'],
    b'SET k "\'"': [b"SET", b"k", b"'"],
    b"\xff\xfe \xfd": [b"\xff\xfe", b"\xfd"],
}
UNBALANCED = [
    b'"', b"'", b'SET k "v', b"SET k 'v", b'SET k "v"w', b"SET k 'v'w", b'SET k "v\\"', b'"\\',
    b'SET k "a""b"',
]  # fmt: skip


@pytest.mark.parametrize("line", WORDS)
def test_the_words_of_a_line(line: bytes) -> None:
    assert split_line(line) == WORDS[line]


@pytest.mark.parametrize("line", UNBALANCED)
def test_quotes_that_are_not_closed_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="unbalanced quotes in request"):
        split_line(line)


@given(
    st.lists(st.sampled_from([b" ", b'"', b"'", b"\\", b"x", b"0", b"n", b"\xff"])).map(b"".join)
)
@settings(deadline=None)
def test_any_line_is_words_or_refused(line: bytes) -> None:
    try:
        words = split_line(line)
    except ProtocolError:
        return
    assert sum(map(len, words)) <= len(line)


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1\r\n", b"host: example.org\r\n"])
def test_what_a_browser_sends_ends_the_connection(line: bytes) -> None:
    decoder = RequestDecoder()
    decoder.feed(line)
    with pytest.raises(ProtocolError, match="no HTTP server"):
        decoder.next()


def test_words_in_quotes_come_through_the_decoder() -> None:
    decoder = RequestDecoder()
    decoder.feed(b'SET k "a b"\r\n*1\r\n$4\r\nPING\r\n')
    assert decoder.next() == [b"SET", b"k", b"a b"]
    assert decoder.next() == [b"PING"]
    assert decoder.next() is None
