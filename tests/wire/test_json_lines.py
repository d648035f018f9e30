"""JSON lines: one object a line, each way."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.errors import CommandError, ProtocolError
from kveik.limits import MAX_LINE, MAX_NESTING
from kveik.model import BYTES, JSON, PICKLE, TEXT, Cell
from kveik.wire.jsonlines import decode_request, encode_error, encode_result
from kveik.wire.lines import LineDecoder

READ = b'{"command": "read", "key": "k"}'

# --- lines --------------------------------------------------------------------------------------


def lines(*pieces: bytes) -> list[bytes]:
    """Every line, asked for after each piece as a session does."""
    decoder = LineDecoder()
    found: list[bytes] = []
    for piece in pieces:
        decoder.feed(piece)
        while (line := decoder.next()) is not None:
            found.append(line)
    return found


STREAMS: dict[str, tuple[bytes, list[bytes]]] = {
    "nothing": (b"", []),
    "one line": (READ + b"\n", [READ]),
    "a pipeline": (READ + b"\n" + b"{}\n" + READ + b"\n", [READ, b"{}", READ]),
    "lines that end as on Windows": (b"{}\r\n[]\r\n", [b"{}", b"[]"]),
    "blank lines": (b"\n\r\n  \n{}\n\n\t\n[]\n\n", [b"{}", b"[]"]),
    "blanks around a line": (b"  {} \t\r\n", [b"{}"]),
    "a line that is not whole": (b"{}\n" + READ, [b"{}"]),
    "a long line among short ones": (b"{}\n" + b"x" * 300 + b"\n[]\n", [b"{}", b"x" * 300, b"[]"]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_lines_come_from_two_pieces_cut_anywhere(name: str) -> None:
    data, expected = STREAMS[name]
    for cut in range(len(data) + 1):
        assert lines(data[:cut], data[cut:]) == expected


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_lines_come_byte_by_byte(name: str) -> None:
    data, expected = STREAMS[name]
    assert lines(*(data[at : at + 1] for at in range(len(data)))) == expected


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_lines_come_where_nobody_asks_before_the_end(name: str) -> None:
    data, expected = STREAMS[name]
    for cut in range(len(data) + 1):
        decoder = LineDecoder()
        decoder.feed(data[:cut])
        decoder.feed(data[cut:])
        found = []
        while (line := decoder.next()) is not None:
            found.append(line)
        assert found == expected


def test_a_line_may_be_as_long_as_its_bound() -> None:
    mib = b"x" * (1 << 20)
    found = lines(*[mib] * (MAX_LINE >> 20), b"\n{}\n")
    assert [len(line) for line in found] == [MAX_LINE, 2]


def test_a_line_past_its_bound_is_refused_before_its_end_has_come() -> None:
    decoder = LineDecoder()
    mib = b"x" * (1 << 20)
    for _ in range(MAX_LINE >> 20):
        decoder.feed(mib)
    with pytest.raises(ProtocolError, match=f"at most {MAX_LINE} bytes"):
        decoder.feed(b"x")


def test_a_line_past_its_bound_is_refused_where_its_end_came_with_it() -> None:
    decoder = LineDecoder()
    mib = b"x" * (1 << 20)
    for _ in range(MAX_LINE >> 20):
        decoder.feed(mib)
    decoder.feed(b"x\n")
    with pytest.raises(ProtocolError, match=f"at most {MAX_LINE} bytes"):
        decoder.next()


# --- requests -----------------------------------------------------------------------------------


def refusal(line: bytes) -> str:
    with pytest.raises(CommandError) as caught:
        decode_request(line)
    return str(caught.value)


def test_a_request_is_the_object_on_the_line() -> None:
    line = '{"command": "put", "key": "æ", "value": {"a": [1, 2.5, null, true]}}'
    value = {"a": [1, 2.5, None, True]}
    assert decode_request(line.encode()) == {"command": "put", "key": "æ", "value": value}


@pytest.mark.parametrize("line", [b"[]", b"1", b'"put"', b"null", b"true", b'[{"command": "x"}]'])
def test_json_that_is_no_object_is_refused(line: bytes) -> None:
    assert refusal(line).startswith("a request is a JSON object such as ")


@pytest.mark.parametrize(
    "line", [b"x", b"{", b"{}{}", b"{'a': 1}", b'{"a": }', b'{"a": 01}', b'{"a": "\t"}', b"\x00"]
)
def test_what_is_no_json_is_refused(line: bytes) -> None:
    assert refusal(line).startswith("not valid JSON: ")


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_numbers_that_python_reads_and_json_does_not_know_are_refused(number: bytes) -> None:
    assert refusal(b'{"a": [%s]}' % number) == f"not valid JSON: {number.decode()} is no JSON"


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": "\xff"}',
        b'{"a": "\xc3"}',
        b'{"a": "\xc0\x80"}',
        b'{"a": "\xed\xa0\x80"}',  # half of a pair of surrogates
        '{"a": 1}'.encode("utf-16-le"),
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32"),
    ],
)
def test_what_is_not_utf8_is_refused(line: bytes) -> None:
    assert refusal(line).startswith(("the line is not UTF-8", "not valid JSON: "))


def nested(depth: int) -> bytes:
    """An object of so many levels."""
    return b'{"a": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_a_value_may_nest_as_deep_as_its_bound() -> None:
    assert decode_request(nested(MAX_NESTING))
    brackets = b"[" * 1000  # in text, where they are no levels
    assert decode_request(b'{"a": "%s"}' % brackets) == {"a": brackets.decode()}


@pytest.mark.parametrize("depth", [MAX_NESTING + 1, 500, 2000, 200_000])
def test_a_value_that_nests_deeper_is_refused(depth: int) -> None:
    assert refusal(nested(depth)) == f"JSON is nested at most {MAX_NESTING} deep"
    objects = b'{"a":' * depth + b"1" + b"}" * depth
    assert refusal(objects) == f"JSON is nested at most {MAX_NESTING} deep"


def test_a_number_with_thousands_of_digits_is_refused() -> None:
    assert refusal(b'{"a": %s}' % (b"9" * 5000)).startswith("not valid JSON: ")
    assert decode_request(b'{"a": %s}' % (b"9" * 1000)) == {"a": int("9" * 1000)}


JSON_LIKE = st.lists(
    st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"1", b"e", b"-", b"null"])
    | st.sampled_from([b"NaN", b'"a":', b"\\ud800", b"\xff", b" ", b"\x00", b"\xef\xbb\xbf"]),
).map(b"".join)


@given(st.binary() | JSON_LIKE | JSON_LIKE.map(lambda inner: b'{"a":' + inner + b"}"))
@settings(deadline=None, max_examples=300)
def test_any_line_is_a_request_or_refused(line: bytes) -> None:
    try:
        request = decode_request(line)
    except CommandError as error:
        request = json.loads(encode_error(str(error)))  # the reason can be sent
    assert type(request) is dict


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (True, b"true"),
        (False, b"false"),
        (None, b"null"),
        (7, b"7"),
        ("æ", '"æ"'.encode()),
        ([1, "a"], b'[1,"a"]'),
        (Cell(TEXT, "æ\n".encode()), b'"\\u00e6\\n"'),
        (Cell(BYTES, b"plain"), b'"plain"'),
        (Cell(BYTES, b"\xff\x00"), b'{"$bytes": "/wA="}'),
        (Cell(PICKLE, b"N."), b'{"$pickle": "Ti4="}'),
        (Cell(JSON, b'{"a":[1,null]}'), b'{"a":[1,null]}'),
        ({}, b"{}"),
    ],
)
def test_a_result_is_one_line_with_values_as_their_json(result: object, text: bytes) -> None:
    assert encode_result(result) == b'{"status": "ok", "result": ' + text + b"}\n"


@pytest.mark.parametrize("message", ["plain", "two\nlines", 'a "quote"', "æ", "\udcff", ""])
def test_an_error_is_one_line_whatever_its_message(message: str) -> None:
    line = encode_error(message)
    assert json.loads(line) == {"status": "error", "message": message}
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


# --- the end of input, and what is read twice ---------------------------------------------------


@pytest.mark.parametrize("name", STREAMS)
def test_what_stands_behind_the_last_end_is_a_line_at_the_end(name: str) -> None:
    data, expected = STREAMS[name]
    rest = data[data.rfind(b"\n") + 1 :].strip()
    for cut in range(len(data) + 1):
        decoder = LineDecoder()
        decoder.feed(data[:cut])
        decoder.feed(data[cut:])
        decoder.end()
        decoder.end()
        found = []
        while (line := decoder.next()) is not None:
            found.append(line)
        decoder.end()
        assert decoder.next() is None
        assert found == expected + ([rest] if rest else [])


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": 1, "a": 1}',
        b'{"command": "read", "key": "a", "key": "b"}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": [{"b": 1, "c": 2, "b": 3}]}',
        b'{"a\\u0062": 1, "ab": 2}',
    ],
)
def test_a_member_that_stands_there_twice_is_refused(line: bytes) -> None:
    with pytest.raises(CommandError, match="stands there twice"):
        decode_request(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a:b": "c:d", "e": {"a:b": ":"}}',
        b'{"url": "http://x:1/"}',
        b'{"a": [{"a": 1}, {"a": 1}]}',
    ],
)
def test_colons_and_names_in_different_objects_are_nothing_bad(line: bytes) -> None:
    assert decode_request(line) == json.loads(line)


def test_a_line_that_the_end_has_cut_off_is_told_from_a_whole_one() -> None:
    decoder = LineDecoder()
    decoder.feed(b"one\ntwo\nthree")
    decoder.end()
    found = [(decoder.next(), decoder.whole) for _ in range(3)]
    assert found == [(b"one", True), (b"two", True), (b"three", False)]
    decoder = LineDecoder()
    decoder.feed(b"one\n")
    decoder.end()
    assert (decoder.next(), decoder.whole) == (b"one", True)


class Pairs(list[tuple[str, object]]):
    """An object as it is written, with names that may stand there twice."""


documents = st.recursive(
    st.sampled_from([1, None, "a:b", "a,b", '"', ","]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(st.sampled_from(["a", "b", ":", ","]), inner), max_size=3).map(Pairs)
    ),
    max_leaves=12,
)


def written(value: object, colon: str, comma: str) -> str:
    if isinstance(value, Pairs):
        members = [json.dumps(name) + colon + written(one, colon, comma) for name, one in value]
        return "{" + comma.join(members) + "}"
    if isinstance(value, list):
        return "[" + comma.join([written(one, colon, comma) for one in value]) + "]"
    return json.dumps(value)


def has_twice(value: object) -> bool:
    if isinstance(value, Pairs):
        names = [name for name, _ in value]
        return len(set(names)) < len(names) or any(has_twice(one) for _, one in value)
    return isinstance(value, list) and any(has_twice(one) for one in value)


@given(
    documents.filter(lambda value: isinstance(value, Pairs)), st.sampled_from([":", " : ", ": "])
)
@settings(max_examples=500, deadline=None)
def test_names_that_stand_twice_are_found_wherever_they_are(value: object, colon: str) -> None:
    text = written(value, colon, " ," if colon == ":" else ", ")
    try:
        found = decode_request(text.encode())
    except CommandError:
        assert has_twice(value)
    else:
        assert not has_twice(value)
        assert found == json.loads(text)
