"""Redis clients and JSON lines on one port see each other's data, each in its own terms."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from tests.support.server import Server
from tests.support.wire import JsonLines, Resp


@pytest.fixture
def redis(shared_server: Server) -> Iterator[Resp]:
    with shared_server.resp() as connection:
        assert connection.call("FLUSHALL") == "OK"
        yield connection


@pytest.fixture
def lines(shared_server: Server) -> Iterator[JsonLines]:
    with shared_server.json() as connection:
        yield connection


def put(lines: JsonLines, key: str, value: object) -> None:
    answer = lines.call(command="put", key=key, value=value)
    assert answer == {"status": "ok", "result": True}


@pytest.mark.parametrize(
    "text", ["", "v", "caf\u00e9 \u2603 \U0001f37a", 'quote " \\ \n \x00', "123"]
)
def test_bytes_that_are_text_are_a_json_string(redis: Resp, lines: JsonLines, text: str) -> None:
    assert redis.call("SET", "k", text) == "OK"
    assert lines.read("k") == text


@pytest.mark.parametrize("data", [b"\xff", b"\x80abc", b"\xed\xa0\x80", bytes(range(256))])
def test_bytes_that_are_no_text_are_base64(redis: Resp, lines: JsonLines, data: bytes) -> None:
    assert redis.call("SET", "k", data) == "OK"
    assert lines.read("k") == {"$bytes": base64.b64encode(data).decode()}
    answer = lines.call(command="read_key_range", start_key="k", end_key="k")
    assert answer["result"] == {"k": {"$bytes": base64.b64encode(data).decode()}}


@pytest.mark.parametrize("text", ["", "v", "caf\u00e9 \u2603", "123", '{"a": 1}'])
def test_a_json_string_is_its_utf_8_bytes(redis: Resp, lines: JsonLines, text: str) -> None:
    put(lines, "k", text)
    assert redis.call("GET", "k") == text.encode()
    assert redis.call("STRLEN", "k") == len(text.encode())
    assert lines.read("k") == text


@pytest.mark.parametrize(
    "value", [None, True, 0, -1.5, 10**30, [], [1, [2]], {}, {"a": {"b": "caf\u00e9"}}]
)
def test_any_other_json_value_is_its_json_text(
    redis: Resp, lines: JsonLines, value: object
) -> None:
    put(lines, "k", value)
    assert json.loads(redis.call("GET", "k")) == value
    assert lines.read("k") == value
    assert redis.call("TYPE", "k") == "string"


def test_a_json_null_is_a_value_to_redis_clients(redis: Resp, lines: JsonLines) -> None:
    put(lines, "k", None)
    assert redis.call("EXISTS", "k") == 1
    assert redis.call("GET", "k") == b"null"


def test_what_one_writes_the_other_overwrites_and_deletes(redis: Resp, lines: JsonLines) -> None:
    put(lines, "a", {"from": "json"})
    redis.call("SET", "a", "from redis")
    assert lines.read("a") == "from redis"
    put(lines, "a", [1])
    assert redis.call("GET", "a") == b"[1]"
    assert redis.call("DEL", "a") == 1
    assert lines.read("a") is None
    redis.call("SET", "a", "again")
    assert lines.call(command="delete", key="a")["result"] is True
    assert redis.call("GET", "a") is None


def test_ranges_hold_the_writes_of_both_in_order(redis: Resp, lines: JsonLines) -> None:
    redis.call("MSET", "d", "4", "b", "2")
    lines.call(command="batch_put", keys=["c", "a"], values=[3, "1"])
    answer = lines.call(command="read_key_range", start_key="a", end_key="d")
    assert list(answer["result"].items()) == [("a", "1"), ("b", "2"), ("c", 3), ("d", "4")]
    flat = redis.call("KV.RANGE", "-", "+")
    assert flat == [b"a", b"1", b"b", b"2", b"c", b"3", b"d", b"4"]


def test_keys_are_the_same_in_any_script(redis: Resp, lines: JsonLines) -> None:
    put(lines, "schl\u00fcssel/\u2603", 1)
    assert redis.call("GET", "schl\u00fcssel/\u2603") == b"1"


def test_every_key_of_a_range_has_a_member_of_its_own(redis: Resp, lines: JsonLines) -> None:
    redis.call("MSET", b"k\xff", "bytes", "k\\xff", "text")
    answer = lines.call(command="read_key_range", start_key="k", end_key="l")
    assert sorted(answer["result"].values()) == ["bytes", "text"]


def test_what_expires_for_one_is_gone_for_both(redis: Resp, lines: JsonLines) -> None:
    redis.call("SET", "k", "v", "PXAT", 1)
    assert lines.read("k") is None
    assert lines.call(command="delete", key="k")["result"] is False
