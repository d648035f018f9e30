"""KV.PUT KV.MPUT KV.GET KV.DEL, and types in KV.RANGE: values keep the types they were given."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.command.desk import START, Desk

from kveik.command import typed
from kveik.limits import MAX_KEY
from kveik.model import BYTES, JSON, PICKLE, TEXT
from kveik.version import flavour

SYNTAX = "ERR syntax error"
VALUES: list[tuple[str, bytes]] = [
    ("bytes", b"\xff\x00"),
    ("bytes", b""),
    ("text", "caf\u00e9".encode()),
    ("text", b""),
    ("json", b'{"a":[1,2.5,null]}'),
    ("json", b"7"),
    ("json", b"null"),
    ("pickle", b"\x80\x04)."),
]


def kind(desk: Desk, key: str = "k") -> object:
    """The type under which it is stored."""
    cell = desk.ask(command="read", key=key)
    return None if cell is None else cell.kind  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "data"), VALUES)
def test_a_value_comes_back_with_its_type(desk: Desk, name: str, data: bytes) -> None:
    assert desk.run(f"KV.PUT k {name}", data) == "OK"
    assert desk.run("KV.GET k") == [name.encode(), data]
    assert desk.run("GET k") == data
    assert desk.run("KV.RANGE - + TYPES") == [b"k", name.encode(), data]
    assert kind(desk) == {"bytes": BYTES, "text": TEXT, "json": JSON, "pickle": PICKLE}[name]


def test_types_are_named_in_any_case(desk: Desk) -> None:
    for name in ("TEXT", "Text", "text"):
        assert desk.run(f"kv.put k {name} x") == "OK"
        assert desk.run("KV.GET k") == [b"text", b"x"]


@pytest.mark.parametrize(
    ("given", "name", "stored"),
    [
        (b' { "a" : [ 1,\n2 ] } ', b"json", b'{"a":[1,2]}'),
        (b'"text"', b"text", b"text"),
        (b'"\\u00e9"', b"text", "é".encode()),
        (b'"a\\nb"', b"text", b"a\nb"),
        (b"1.0", b"json", b"1.0"),
        (b"\t true\r\n", b"json", b"true"),
    ],
)
def test_json_is_stored_on_one_line_as_other_protocols_write_it(
    desk: Desk, given: bytes, name: bytes, stored: bytes
) -> None:
    desk.run("KV.PUT k json", given)
    assert desk.run("KV.GET k") == [name, stored]
    desk.ask(command="put", key="other", value=json.loads(given))
    assert desk.run("KV.GET other") == [name, stored]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("number", b"1", "ERR a value is bytes, text, json or pickle, not number"),
        ("", b"1", "ERR a value is bytes, text, json or pickle, not "),
        ("text", b"\xff", "ERR text is UTF-8"),
        ("json", b"\xff", "ERR json is UTF-8"),
        ("json", b"", "ERR not valid JSON: "),
        ("json", b"{", "ERR not valid JSON: "),
        ("json", b"NaN", "ERR not valid JSON: NaN is no JSON"),
        ("json", b'{"a":1,"a":2}', "ERR not valid JSON: the member 'a' stands there twice"),
        ("json", b"[" * 129 + b"]" * 129, "ERR JSON is nested at most 128 deep"),
        ("json", b"[" * 100_000, "ERR JSON is nested at most 128 deep"),
        ("json", b'"\\ud800"', "text must be valid Unicode"),
        ("json", b"1" * 4301, "ERR not valid JSON: "),
    ],
)
def test_what_is_not_as_its_type_says_is_refused_and_nothing_is_written(
    desk: Desk, name: str, data: bytes, told: str
) -> None:
    desk.run("SET k old")
    lsn = desk.store.lsn()
    words = [b"k", name.encode(), data]
    assert desk.error("KV.PUT", *words).startswith(told)
    assert desk.error("KV.MPUT a text x", *words).startswith(told)
    assert desk.error("KV.PUT k text new IF", *words[1:]).startswith(told)
    assert desk.error("KV.DEL k IF", *words[1:]).startswith(told)
    assert desk.run("GET k") == b"old"
    assert desk.store.lsn() == lsn


def test_large_json_is_refused_and_not_compared(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.run("KV.PUT k json", b"[%s]" % b",".join([b"1"] * 200))
    if flavour() == "pure":
        monkeypatch.setattr(typed, "MAX_JSON", 100)  # compiled, it is a constant
        told = "ERR a JSON value has at most 100 bytes, not 201"
        assert desk.error("KV.PUT k json", b"1" + b" " * 200) == told
        assert "is not compared" in desk.error("KV.DEL k IF json [1]")


# --- conditions -----------------------------------------------------------------------------------


def test_nx_writes_only_where_there_is_nothing(desk: Desk) -> None:
    assert desk.run("KV.PUT k text a NX") == "OK"
    assert desk.run("KV.PUT k text b nx") is None
    assert desk.run("KV.GET k") == [b"text", b"a"]


@pytest.mark.parametrize(
    ("name", "data", "expected", "equal"),
    [
        ("text", b"a", (b"text", b"a"), True),
        ("text", b"a", (b"bytes", b"a"), False),
        ("bytes", b"a", (b"text", b"a"), False),
        ("json", b'{"a":1,"b":2}', (b"json", b'{"b": 2, "a": 1.0}'), True),
        ("json", b'{"a":1,"b":2}', (b"json", b'{"a":1}'), False),
        ("json", b"1", (b"json", b"1.0"), True),
        ("json", b"1", (b"text", b"1"), False),
        ("text", b"a", (b"json", b'"a"'), True),
        ("pickle", b"\x80\x04N.", (b"pickle", b"\x80\x04N."), True),
    ],
)
def test_if_compares_type_and_value(
    desk: Desk, name: str, data: bytes, expected: tuple[bytes, bytes], equal: bool
) -> None:
    desk.run(f"KV.PUT k {name}", data)
    assert desk.run("KV.PUT k text new IF", *expected) == ("OK" if equal else None)
    assert desk.run("GET k") == (b"new" if equal else data)
    desk.run(f"KV.PUT k {name}", data)
    assert desk.run("KV.DEL k IF", *expected) == int(equal)
    assert desk.run("EXISTS k") == int(not equal)


def test_if_finds_nothing_equal_where_there_is_nothing(desk: Desk) -> None:
    assert desk.run("KV.PUT k text new IF json null") is None
    assert desk.run("KV.DEL k IF bytes", b"") == 0
    desk.run("SET k v PX 100")
    desk.now += 100
    assert desk.run("KV.PUT k text new IF bytes v") is None
    assert desk.run("KV.PUT k text new NX") == "OK"


# --- expiry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expires"),
    [
        ("", -1),
        ("EX 10", START + 10_000),
        ("px 1500", START + 1500),
        ("EXAT 9000000000", 9_000_000_000_000),
        ("PXAT 9000000000001", 9_000_000_000_001),
        ("NX PX 5", START + 5),
        ("PX 5 NX", START + 5),
    ],
)
def test_a_value_expires_when_it_is_told_to(desk: Desk, options: str, expires: int) -> None:
    assert desk.run(f"KV.PUT k json 1 {options}") == "OK"
    assert desk.run("PEXPIRETIME k") == expires
    assert desk.run("KV.RANGE - + EXPIRES") == [b"k", b"1", max(expires, 0)]


def test_an_expiry_ends_or_is_kept(desk: Desk) -> None:
    desk.run("SET k v PX 100")
    desk.run("KV.PUT k text w KEEPTTL")
    assert desk.run("PEXPIRETIME k") == START + 100
    desk.run("KV.PUT k text x IF text w KEEPTTL")
    assert desk.run("PEXPIRETIME k") == START + 100
    desk.run("KV.PUT k text y")
    assert desk.run("PEXPIRETIME k") == -1
    desk.run("KV.PUT new text y KEEPTTL")
    assert desk.run("PEXPIRETIME new") == -1


def test_an_expiry_in_the_past_deletes(desk: Desk) -> None:
    desk.run("SET k v")
    assert desk.run("KV.PUT k text w PXAT 1") == "OK"
    assert desk.run("KV.GET k") == [None, None]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("FOO", SYNTAX),
        ("NX NX", SYNTAX),
        ("XX", SYNTAX),
        ("NX IF text a", SYNTAX),
        ("IF text a NX", SYNTAX),
        ("IF text a IF text a", SYNTAX),
        ("IF", SYNTAX),
        ("IF text", SYNTAX),
        ("PX", SYNTAX),
        ("PX 1 PX 1", SYNTAX),
        ("PX 1 EX 1", SYNTAX),
        ("KEEPTTL PX 1", SYNTAX),
        ("PX 1 KEEPTTL", SYNTAX),
        ("KEEPTTL KEEPTTL", SYNTAX),
        ("PX x", "ERR value is not an integer or out of range"),
        ("PX 0", "ERR invalid expire time in 'kv.put' command"),
        ("EX 9223372036854775807", "ERR invalid expire time in 'kv.put' command"),
    ],
)
def test_options_that_do_not_fit_are_refused(desk: Desk, options: str, told: str) -> None:
    assert desk.error(f"KV.PUT k text v {options}") == told
    assert desk.run("EXISTS k") == 0


def test_kv_del_wants_its_condition(desk: Desk) -> None:
    assert desk.error("KV.DEL k WHEN text a") == SYNTAX


# --- several keys ---------------------------------------------------------------------------------


def test_several_values_at_once(desk: Desk) -> None:
    before = desk.store.lsn()
    assert desk.run("KV.MPUT a text 1 b json [1] c bytes 2 a text 3") == "OK"
    assert desk.store.lsn() == before + 1
    assert desk.run("KV.GET a x b c") == [
        *(b"text", b"3"), *(None, None), *(b"json", b"[1]"), *(b"bytes", b"2"),
    ]  # fmt: skip
    told = "ERR wrong number of arguments for 'kv.mput' command"
    assert desk.error("KV.MPUT a text 1 b") == told
    assert desk.error("KV.MPUT a text 1 b json") == told
    assert "a key has 1 to" in desk.error("KV.MPUT d text 1", b"k" * (MAX_KEY + 1), b"text", b"")
    assert desk.run("EXISTS d") == 0


def test_they_can_be_queued(desk: Desk) -> None:
    desk.run("MULTI")
    for line in ("KV.PUT a json 1", "KV.PUT a text x NX", "KV.GET a", "KV.MPUT b text 1",
                 "KV.DEL a IF json 1", "KV.RANGE - + TYPES"):  # fmt: skip
        assert desk.run(line) == "QUEUED"
    replies = desk.run("EXEC")
    assert isinstance(replies, list)
    assert replies[1:] == [None, [b"json", b"1"], replies[3], 1, [b"b", b"text", b"1"]]


def test_whoever_watches_a_key_is_told(desk: Desk) -> None:
    for line in ("KV.PUT k text 1", "KV.MPUT k text 2", "KV.DEL k IF text 2"):
        desk.run("WATCH k")
        desk.run(line)
        desk.run("MULTI")
        desk.run("SET other 1")
        assert desk.reply([b"EXEC"]) == b"*-1\r\n"


# --- ranges ---------------------------------------------------------------------------------------


@pytest.fixture
def mixed(desk: Desk) -> Desk:
    desk.run("KV.MPUT a text 1 b json [2] c bytes", b"\xff")
    desk.run("KV.PUT d json 4 PX 1000")
    return desk


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("TYPES LIMIT 0 2", [b"a", b"text", b"1", b"b", b"json", b"[2]"]),
        ("TYPES KEYSONLY", [b"a", b"text", b"b", b"json", b"c", b"bytes", b"d", b"json"]),
        ("KEYSONLY EXPIRES", [b"a", 0, b"b", 0, b"c", 0, b"d", START + 1000]),
        ("EXPIRES TYPES LIMIT 3 1", [b"d", b"json", b"4", START + 1000]),
        ("BYTES 1", [b"a", b"1"]),
        ("BYTES 2", [b"a", b"1"]),
        ("BYTES 3", [b"a", b"1", b"b", b"[2]"]),
        ("BYTES 3 KEYSONLY", [b"a", b"b", b"c"]),
        ("BYTES 3 LIMIT 1 5", [b"b", b"[2]"]),
        ("BYTES 9223372036854775807 LIMIT 2 1", [b"c", b"\xff"]),
    ],
)
def test_a_range_tells_what_it_is_asked_for(mixed: Desk, options: str, found: list[object]) -> None:
    assert mixed.run(f"KV.RANGE - + {options}") == found


def test_bytes_count_from_the_maximum_with_rev(mixed: Desk) -> None:
    assert mixed.run("KV.RANGE + - REV BYTES 3 KEYSONLY") == [b"d", b"c", b"b"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("BYTES", SYNTAX),
        ("BYTES 0", "ERR BYTES are 1 or more"),
        ("BYTES -1", "ERR BYTES are 1 or more"),
        ("BYTES x", "ERR value is not an integer or out of range"),
        ("TYPES 1", SYNTAX),
    ],
)
def test_options_of_a_range_that_do_not_fit_are_refused(
    mixed: Desk, options: str, told: str
) -> None:
    assert mixed.error(f"KV.RANGE - + {options}") == told


@given(
    st.lists(st.integers(0, 5000), max_size=60),
    st.integers(1, 20_000),
    st.integers(-1, 50),
    st.integers(0, 5),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_pages_of_any_size_are_what_a_list_would_say(
    sizes: list[int], room: int, count: int, offset: int, reverse: bool
) -> None:
    desk = Desk()
    for number, size in enumerate(sizes):
        desk.run(f"KV.PUT {number:03} text", b"x" * size)
    left = [(b"%03d" % number, b"x" * size) for number, size in enumerate(sizes)]
    if reverse:
        left.reverse()
    expected: list[object] = []
    taken = 0
    for key, value in left[offset:][: count if count >= 0 else None]:
        if taken >= room:
            break
        expected += [key, b"text", value]
        taken += len(key) + len(value)
    ends = "+ - REV" if reverse else "- +"
    line = f"KV.RANGE {ends} TYPES BYTES {room} LIMIT {offset} {count}"
    assert desk.run(line) == expected


def test_a_long_range_stops_at_its_bytes_and_its_count(desk: Desk) -> None:
    for number in range(3000):
        desk.run(f"KV.PUT {number:05} text", b"x" * 300)
    found = desk.run("KV.RANGE - + TYPES BYTES 610000 LIMIT 0 -1")
    assert isinstance(found, list)
    assert len(found) == 3 * 2000
    assert desk.steps > 0
    found = desk.run("KV.RANGE - + EXPIRES BYTES 610000 LIMIT 1500 1200 KEYSONLY")
    assert isinstance(found, list)
    assert found[::2] == [b"%05d" % number for number in range(1500, 2700)]
