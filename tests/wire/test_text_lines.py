"""The text protocol: words of a line, values as they are meant, answers as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.errors import CommandError, ProtocolError
from kveik.limits import MAX_NESTING
from kveik.model import BYTES, JSON, PICKLE, TEXT, Cell, Failure
from kveik.wire.text import decode_request, decode_value, encode_answer, encode_error, unquoted


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"SET k v", ["SET", "k", "v"]),
        (b"set k v", ["SET", "k", "v"]),
        (b"Get  k", ["GET", "k"]),
        (b"SET\tk\tv  w", ["SET", "k", "v  w"]),
        (b"SET k  two  words", ["SET", "k", "two  words"]),
        (b"PING", ["PING"]),
        ("SET s \u2603 caf\u00e9".encode(), ["SET", "s", "\u2603 caf\u00e9"]),
        (b"\xff\xfb\x1f\xff\xfd\x03PING", ["PING"]),
        (b"SET k v\xff\xf4\xff\xfd\x06", ["SET", "k", "v"]),
        (b"\xff\xfa\x18\x00xterm\xff\xf0GET k", ["GET", "k"]),
        (b"PI\xff\xf1NG", ["PING"]),
        (b"\xff\xfb", []),
        (b"\xff", []),
        (b"GET k\xff\xfa\x18", ["GET", "k"]),
    ],
)
def test_the_words_of_a_line(line: bytes, words: list[str]) -> None:
    assert decode_request(line) == words


@pytest.mark.parametrize("line", [b"SET k \xfe", b"\xc3", b"SET k \xed\xa0\x80"])
def test_a_line_that_is_no_text_is_refused(line: bytes) -> None:
    with pytest.raises(CommandError, match="UTF-8"):
        decode_request(line)


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1", b"post x", b"Host: localhost:6379"])
def test_what_a_browser_sends_ends_the_connection(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_request(line)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("hello", "hello"),
        ('"hello world"', "hello world"),
        ("'hello world'", "hello world"),
        ('"  blanks  "', "  blanks  "),
        ('""', ""),
        ('"', '"'),
        ("'", "'"),
        ("\"'", "\"'"),
        ("\"half'", "\"half'"),
        ('""twice""', "twice"),
        ("'\"x\"'", "x"),
        ('"\\"x\\""', '\\"x\\"'),
        ('"true"', True),
        ("true", True),
        ("null", None),
        ("123", 123),
        ('"123"', 123),
        ("-1.5e3", -1500.0),
        ("007", "007"),
        ("1 2", "1 2"),
        ('{"name": "Laptop", "price": 999}', {"name": "Laptop", "price": 999}),
        ('"{"name": "Laptop", "price": 999}"', {"name": "Laptop", "price": 999}),
        ("[1, [2]]", [1, [2]]),
        ("{broken", "{broken"),
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ('{"a": {"b": 1, "b": 2}}', '{"a": {"b": 1, "b": 2}}'),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("[NaN]", "[NaN]"),
        ("trueish", "trueish"),
        ('" true "', True),
        ("1" * 5000, "1" * 5000),
        ("[" * 200_000, "[" * 200_000),
        ("[" * (MAX_NESTING + 1) + "]" * (MAX_NESTING + 1), "[" * 129 + "]" * 129),
    ],
)
def test_a_value_is_json_where_it_is_json_and_text_otherwise(text: str, value: object) -> None:
    found = decode_value(unquoted(text))
    assert found == value
    assert type(found) is type(value)


@given(st.text())
@settings(deadline=None)
def test_any_text_is_a_value(text: str) -> None:
    found = decode_value(text)
    assert found == text or json.loads(text) == found


@given(st.binary())
@settings(deadline=None)
def test_any_line_is_words_or_refused(line: bytes) -> None:
    try:
        words = decode_request(line.strip())
    except (CommandError, ProtocolError):
        return
    assert len(words) <= 3
    assert all(words)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("PONG", {"status": "OK", "message": "PONG"}),
        (None, {"status": "OK"}),
        (Cell(TEXT, b"hello world"), {"status": "OK", "value": "hello world"}),
        (Cell(JSON, b"true"), {"status": "OK", "value": True}),
        (Cell(BYTES, b"plain"), {"status": "OK", "value": "plain"}),
        (Cell(BYTES, b"\xff"), {"status": "OK", "value": {"$bytes": "/w=="}}),
        (Cell(PICKLE, b"N."), {"status": "OK", "value": {"$pickle": "Ti4="}}),
        (Failure("no"), {"status": "ERROR", "message": "no"}),
    ],
)
def test_an_answer_is_one_line(reply: object, answer: dict[str, object]) -> None:
    line = encode_answer(reply)
    assert json.loads(line) == answer
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


def test_the_members_stand_in_the_order_that_users_know() -> None:
    assert encode_answer("PONG") == b'{"status": "OK", "message": "PONG"}\n'
    assert encode_error("Unknown command") == b'{"status": "ERROR", "message": "Unknown command"}\n'
