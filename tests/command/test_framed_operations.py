"""SET GET DELETE BULKSET EXISTS KEYS and their kin of the length-prefixed protocol."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.command.desk import Desk
from tests.support.plain import plain, typed

from kveik.command.framed import FramedRequest
from kveik.command.job import Job
from kveik.limits import MAX_FRAME, MAX_KEY
from kveik.model import BYTES, JSON, PICKLE, TEXT


def ask(desk: Desk, cmd: str, **members: object) -> object:
    return desk.frame({"cmd": cmd, **members})


def short(value: object) -> str:
    try:
        return repr(value)[:50]
    except ValueError:
        return "many digits"


def code(desk: Desk, request: object) -> object:
    answer = desk.frame(request)
    assert isinstance(answer, dict)
    assert list(answer) == ["error", "message"]
    return answer["error"]


def test_the_six_commands(desk: Desk) -> None:
    assert ask(desk, "SET", key="foo", value="bar") == "OK"
    assert ask(desk, "GET", key="foo") == "bar"
    assert ask(desk, "EXISTS", key="foo") is True
    assert ask(desk, "DELETE", key="foo") == "OK"
    assert ask(desk, "DELETE", key="foo") == "NOT_FOUND"
    assert ask(desk, "GET", key="foo") is None
    assert ask(desk, "EXISTS", key="foo") is False
    assert ask(desk, "BULKSET", items=[("b", 2), ["a", 1]]) == "OK"
    assert ask(desk, "KEYS") == ["a", "b"]
    assert ask(desk, "BULKSET", items={"c": 3}) == "OK"
    assert ask(desk, "BULKSET", items=[]) == "OK"
    assert ask(desk, "KEYS") == ["a", "b", "c"]


def test_ranges_and_batches(desk: Desk) -> None:
    assert ask(desk, "PUT", key="a", value=(1,)) == "OK"
    assert ask(desk, "BATCH_PUT", keys=["b", "c", "d"], values=[b"2", {3}, None]) == "OK"
    assert ask(desk, "READ", key="a") == (1,)
    found = ask(desk, "GET_RANGE", start="a", end="c")
    assert typed(found) == typed([("a", (1,)), ("b", b"2"), ("c", {3})])
    assert ask(desk, "GET_RANGE", start="b", end="b") == [("b", b"2")]
    assert ask(desk, "GET_RANGE", start="c", end="a") == []
    assert ask(desk, "GET_RANGE", start="", end="a") == [("a", (1,))]
    assert ask(desk, "get_range", start="d", end="z") == [("d", None)]
    assert ask(desk, "PING") == "PONG"


KINDS: list[tuple[object, int]] = [
    ("text", TEXT),
    ("", TEXT),
    (b"bytes", BYTES),
    (None, JSON),
    (True, JSON),
    (0, JSON),
    (1 << 100, JSON),
    (-0.0, JSON),
    (1e300, JSON),
    ([1, ["a", None]], JSON),
    ({"a": {"b": [1.5]}}, JSON),
    ({}, JSON),
    ((), PICKLE),
    ((1, 2), PICKLE),
    ([(1,)], PICKLE),
    ({1: "a"}, PICKLE),
    ({None: 1}, PICKLE),
    ({"a": b""}, PICKLE),
    ({1, 2}, PICKLE),
    (frozenset(), PICKLE),
    (math.inf, PICKLE),
    ([math.nan], PICKLE),
    (1 << 20_000, PICKLE),
    ("\ud800", PICKLE),
    (["\ud800"], PICKLE),
    ({"\ud800": 1}, PICKLE),
]


@pytest.mark.parametrize(("value", "kind"), KINDS, ids=short)
def test_a_value_is_stored_as_what_says_it_exactly(desk: Desk, value: object, kind: int) -> None:
    assert ask(desk, "SET", key="k", value=value) == "OK"
    cell = desk.txn.get(b"k")
    assert cell is not None
    assert cell.kind == kind
    assert typed(ask(desk, "GET", key="k")) == typed(value)


@given(plain(5))
@settings(deadline=None, max_examples=100)
def test_any_plain_value_comes_back_with_its_types(value: object) -> None:
    desk = Desk()
    assert ask(desk, "SET", key="k", value=value) == "OK"
    assert typed(ask(desk, "GET", key="k")) == typed(value)
    assert typed(ask(desk, "GET_RANGE", start="a", end="z")) == typed([("k", value)])


KEYS: list[object] = [
    None, False, True, -(1 << 70), -1.5, 0, 0.25, 7, 1 << 900, "a", "b", "\u2603", b"\xff\x00",
    (), (1,), (1, "a", b"b", None), ((1,), True),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=short)
def test_a_key_comes_back_with_its_type(desk: Desk, key: object) -> None:
    assert ask(desk, "SET", key=key, value="v") == "OK"
    assert ask(desk, "GET", key=key) == "v"
    assert typed(ask(desk, "KEYS")) == typed([key])
    assert typed(ask(desk, "GET_RANGE", start=key, end=key)) == typed([(key, "v")])
    assert ask(desk, "DELETE", key=key) == "OK"


def test_all_kinds_of_keys_are_different_keys_in_one_order(desk: Desk) -> None:
    assert ask(desk, "BULKSET", items=[(key, repr(key)) for key in KEYS]) == "OK"
    found = ask(desk, "KEYS")
    assert isinstance(found, list)
    assert {typed(key) for key in found} == {typed(key) for key in KEYS}
    assert found[:3] == ["a", "b", "\u2603"]
    numbers = [k for k in found if isinstance(k, (int, float)) and not isinstance(k, bool)]
    assert numbers == sorted(numbers)
    for key in KEYS:
        assert ask(desk, "GET", key=key) == repr(key)


def test_bytes_that_are_text_are_the_text_s_key(desk: Desk) -> None:
    assert ask(desk, "SET", key=b"foo", value=1) == "OK"
    assert ask(desk, "GET", key="foo") == 1
    assert ask(desk, "KEYS") == ["foo"]
    assert desk.run("GET foo") == b"1"


def test_a_float_that_equals_an_int_is_its_key(desk: Desk) -> None:
    assert ask(desk, "SET", key=1.0, value="v") == "OK"
    assert ask(desk, "GET", key=1) == "v"
    assert ask(desk, "GET", key=True) is None


REFUSED: list[tuple[object, str]] = [
    ([], "INVALID_REQUEST"),
    ({}, "MISSING_COMMAND"),
    ({"cmd": "FLY"}, "UNKNOWN_COMMAND"),
    ({"cmd": None}, "UNKNOWN_COMMAND"),
    ({"cmd": 1 << 20_000}, "UNKNOWN_COMMAND"),
    ({"cmd": ("SET",)}, "UNKNOWN_COMMAND"),
    ({b"cmd": "SET"}, "MISSING_COMMAND"),
    ({"cmd": "SET", "value": 1}, "MISSING_KEY"),
    ({"cmd": "SET", "key": "k"}, "MISSING_VALUE"),
    ({"cmd": "GET"}, "MISSING_KEY"),
    ({"cmd": "DELETE"}, "MISSING_KEY"),
    ({"cmd": "EXISTS"}, "MISSING_KEY"),
    ({"cmd": "BULKSET"}, "MISSING_ITEMS"),
    ({"cmd": "BULKSET", "items": "kept"}, "INVALID_REQUEST"),
    ({"cmd": "BULKSET", "items": ["kv"]}, "INVALID_REQUEST"),
    ({"cmd": "BULKSET", "items": [("kept", 1), ("k", 1, 2)]}, "INVALID_REQUEST"),
    ({"cmd": "BULKSET", "items": [("kept", 1), ("", 1)]}, "INVALID_KEY"),
    ({"cmd": "BATCH_PUT", "keys": ["kept"], "values": []}, "INVALID_REQUEST"),
    ({"cmd": "BATCH_PUT", "keys": ["kept"]}, "MISSING_VALUE"),
    ({"cmd": "BATCH_PUT", "values": ["kept"]}, "MISSING_KEY"),
    ({"cmd": "GET_RANGE", "start": "a"}, "MISSING_KEY"),
    ({"cmd": "GET_RANGE", "start": [], "end": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": "", "value": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": "k" * (MAX_KEY + 1), "value": 1}, "KEY_TOO_LARGE"),
    ({"cmd": "SET", "key": "\u2603" * 30_000, "value": 1}, "KEY_TOO_LARGE"),
    ({"cmd": "SET", "key": ["kept"], "value": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": {"kept": 1}, "value": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": frozenset(), "value": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": ([],), "value": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": math.nan, "value": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": "\ud800", "value": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": 1 << 9000, "value": 1}, "INVALID_KEY"),
    ({"cmd": "SET", "key": "kept", "value": print}, "UNSAFE_PICKLE"),
    ({"cmd": "AUTH"}, "MISSING_PASSWORD"),
    ({"cmd": "AUTH", "password": "x"}, "NOT_AUTHENTICATED"),
]


@pytest.mark.parametrize(("request_", "error"), REFUSED, ids=short)
def test_what_cannot_be_is_told_by_a_code_and_changes_nothing(
    desk: Desk, request_: object, error: str
) -> None:
    ask(desk, "SET", key="kept", value="safe")
    assert code(desk, request_) == error
    assert ask(desk, "KEYS") == ["kept"]
    assert ask(desk, "GET", key="kept") == "safe"


def test_a_value_too_large_for_an_answer_is_told(desk: Desk) -> None:
    desk.txn.begin(0)
    desk.txn.put(b"k", BYTES, bytes(MAX_FRAME))
    desk.store.commit(desk.txn.writes)
    assert code(desk, {"cmd": "GET", "key": "k"}) == "VALUE_TOO_LARGE"
    assert code(desk, {"cmd": "GET_RANGE", "start": "a", "end": "z"}) == "MESSAGE_TOO_LARGE"
    assert ask(desk, "KEYS") == ["k"]


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (PICKLE, b"cos\nsystem\n(Vtrue\ntR.", b"cos\nsystem\n(Vtrue\ntR."),
        (PICKLE, pickle.dumps({1}, 5), {1}),
        (TEXT, b"\xff", b"\xff"),
        (JSON, b"{", b"{"),
        (JSON, b"[" * 300 + b"]" * 300, b"[" * 300 + b"]" * 300),
    ],
)
def test_what_was_stored_by_others_is_answered_as_far_as_it_is_plain(
    desk: Desk, kind: int, data: bytes, value: object
) -> None:
    desk.txn.begin(0)
    desk.txn.put(b"k", kind, data)
    desk.store.commit(desk.txn.writes)
    assert typed(ask(desk, "GET", key="k")) == typed(value)
    assert typed(ask(desk, "GET_RANGE", start="k", end="k")) == typed([("k", value)])


def test_long_ranges_are_read_page_by_page_from_one_instant(desk: Desk) -> None:
    count = 5000
    items = [(f"{number:05}", number) for number in range(count)]
    assert ask(desk, "BULKSET", items=items) == "OK"
    desk.txn.begin(0)
    job = FramedRequest(desk.client, {"cmd": "KEYS"}).perform(desk.txn)
    assert isinstance(job, Job)
    steps = 0
    more = True
    while more:
        more = job.step()
        steps += 1
        desk.run(f"DEL {steps + 3000:05} {count - steps:05}")
        desk.run(f"SET 0000{steps % 10}x v")
    data = job.reply()
    job.end()
    assert isinstance(data, bytes)
    assert pickle.loads(data) == [key for key, _ in items]  # noqa: S301
    assert steps > 2
    desk.run("FLUSHALL")
    assert ask(desk, "BULKSET", items=items) == "OK"
    assert ask(desk, "GET_RANGE", start="00100", end="04600") == items[100:4601]


def test_what_a_range_shows_is_waited_for(desk: Desk) -> None:
    for number in range(3):
        ask(desk, "SET", key=number, value=number)
    ask(desk, "KEYS")
    assert desk.need == 3


def test_nothing_but_auth_and_ping_before_the_password(desk: Desk) -> None:
    desk.server.password = b"secret"
    desk.client.authenticated = False
    for name in ("GET", "SET", "KEYS", "FLY"):
        assert code(desk, {"cmd": name, "key": "k", "value": 1}) == "NOT_AUTHENTICATED"
    assert ask(desk, "PING") == "PONG"
    assert code(desk, {"cmd": "AUTH", "password": "wrong"}) == "NOT_AUTHENTICATED"
    assert code(desk, {"cmd": "AUTH", "password": None}) == "NOT_AUTHENTICATED"
    assert code(desk, {"cmd": "GET", "key": "k"}) == "NOT_AUTHENTICATED"
    assert ask(desk, "AUTH", password="secret") == "OK"  # noqa: S106
    assert ask(desk, "GET", key="k") is None


@given(st.dictionaries(st.text(max_size=3), plain(5), max_size=4))
@settings(deadline=None, max_examples=100)
def test_any_dict_is_answered(request_: dict[str, object]) -> None:
    answer = Desk().frame(request_)
    assert isinstance(answer, dict)
    assert answer["error"].isupper()
