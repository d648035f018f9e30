"""One data set behind all protocols: what one writes, every other reads in its own terms."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.support.plain import plain, typed
from tests.support.server import Server
from tests.support.wire import Framed, JsonLines, Resp, Text

from kveik.format.unpickling import load


class All:
    """A connection of each kind to one server."""

    def __init__(self, server: Server) -> None:
        self.redis = Resp(server.port)
        self.lines = JsonLines(server.port)
        self.text = Text(server.port)
        self.framed = Framed(server.port)

    def put(self, protocol: str, value: Any) -> None:
        if protocol == "redis":
            assert self.redis.call("SET", "k", value) == "OK"
        elif protocol == "json":
            assert self.lines.call(command="put", key="k", value=value)["status"] == "ok"
        elif protocol == "text":
            assert self.text.call(f"SET k '{value}'")["status"] == "OK"
        else:
            assert self.framed.call("SET", key="k", value=value) == "OK"

    def seen(self) -> tuple[Any, Any, Any, Any]:
        """The value as Redis clients, JSON lines, the text protocol and Python's users see it."""
        return (
            self.redis.call("GET", "k"),
            self.lines.read("k"),
            self.text.get("k"),
            self.framed.call("GET", key="k"),
        )


@pytest.fixture(scope="module")
def opened(shared_server: Server) -> Iterator[All]:
    every = All(shared_server)
    yield every
    for connection in (every.redis, every.lines, every.text, every.framed):
        connection.close()


@pytest.fixture
def every(opened: All) -> All:
    assert opened.redis.call("FLUSHALL") == "OK"
    return opened


def base(data: bytes) -> str:
    return base64.b64encode(data).decode()


CASES: list[tuple[str, object, tuple[object, object, object, object]]] = [
    ("redis", b"plain", (b"plain", "plain", "plain", b"plain")),
    ("redis", b"123", (b"123", "123", "123", b"123")),
    ("redis", b"\xff\x00", (b"\xff\x00", {"$bytes": "/wA="}, {"$bytes": "/wA="}, b"\xff\x00")),
    ("json", "caf\u00e9", ("caf\u00e9".encode(), "caf\u00e9", "caf\u00e9", "caf\u00e9")),
    ("json", [1, {"a": None}], (b'[1,{"a":null}]', *[[1, {"a": None}]] * 3)),
    ("json", None, (b"null", None, None, None)),
    ("text", "two words", (b"two words", "two words", "two words", "two words")),
    ("text", "true", (b"true", True, True, True)),
    ("text", '{"a": [1.5]}', (b'{"a":[1.5]}', {"a": [1.5]}, {"a": [1.5]}, {"a": [1.5]})),
    ("framed", "text", (b"text", "text", "text", "text")),
    ("framed", b"bytes", (b"bytes", "bytes", "bytes", b"bytes")),
    ("framed", b"\xfe", (b"\xfe", {"$bytes": "/g=="}, {"$bytes": "/g=="}, b"\xfe")),
    ("framed", {"a": 1}, (b'{"a":1}', {"a": 1}, {"a": 1}, {"a": 1})),
    ("framed", 7, (b"7", 7, 7, 7)),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "value", "seen"), CASES)
def test_what_one_writes_every_other_reads(
    every: All, protocol: str, value: object, seen: tuple[object, ...]
) -> None:
    every.put(protocol, value)
    assert typed(every.seen()) == typed(seen)


@pytest.mark.parametrize("value", [(1, 2), {1, 2}, {1: 2}, b"\xff", [b""], {"a": ()}], ids=repr)
def test_what_only_python_can_say_is_a_pickle_for_the_others(every: All, value: object) -> None:
    every.put("framed", value)
    stored, lines, text, framed = every.seen()
    assert typed(framed) == typed(value)
    if not isinstance(value, bytes):
        assert typed(load(stored)) == typed(value)
        assert lines == text == {"$pickle": base(stored)}


def test_what_one_overwrites_or_deletes_is_so_for_all(every: All) -> None:
    every.put("redis", b"first")
    every.put("framed", {1})
    every.put("text", "last")
    assert every.seen() == (b"last", "last", "last", "last")
    assert every.framed.call("DELETE", key="k") == "OK"
    assert every.redis.call("EXISTS", "k") == 0
    assert every.lines.read("k") is None
    assert every.text.call("GET k") == {"status": "ERROR", "message": "Key 'k' not found"}
    assert every.text.call("DELETE k")["status"] == "ERROR"
    assert every.framed.call("DELETE", key="k") == "NOT_FOUND"


def test_all_keys_stand_in_one_order(every: All) -> None:
    every.redis.call("MSET", "d", "4", b"\xfe", "9")
    every.lines.call(command="batch_put", keys=["b"], values=[2])
    every.text.call("SET c 3")
    every.framed.call("BULKSET", items=[("a", 1), (5, "five"), (("t", 1), None)])
    assert every.framed.call("KEYS") == ["a", "b", "c", "d", ("t", 1), 5, b"\xfe"]
    pairs = every.framed.call("GET_RANGE", start="a", end="d")
    assert pairs == [("a", 1), ("b", 2), ("c", 3), ("d", b"4")]
    answer = every.lines.call(command="read_key_range", start_key="a", end_key="d")
    assert list(answer["result"].items()) == [("a", 1), ("b", 2), ("c", 3), ("d", "4")]
    assert every.redis.call("KV.RANGE", "[a", "[c") == [b"a", b"1", b"b", b"2", b"c", b"3"]


def test_what_has_expired_is_gone_for_all(every: All) -> None:
    every.redis.call("SET", "k", "v", "PXAT", 1)
    assert every.framed.call("GET", key="k") is None
    assert every.framed.call("EXISTS", key="k") is False
    assert every.framed.call("KEYS") == []
    assert every.text.call("GET k")["status"] == "ERROR"


@given(plain(4))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_plain_object_comes_back_over_the_wire(opened: All, value: object) -> None:
    assert opened.framed.call("SET", key="drawn", value=value) == "OK"
    assert typed(opened.framed.call("GET", key="drawn")) == typed(value)


def test_every_acknowledged_write_of_every_protocol_survives_a_kill(server: Server) -> None:
    with server.framed() as framed, server.text() as text, server.json() as lines:
        assert framed.call("SET", key="f", value=("kept", {1})) == "OK"
        assert text.call("SET t kept")["status"] == "OK"
        assert lines.call(command="put", key="j", value=["kept"])["status"] == "ok"
    server.restart()
    with server.framed() as framed:
        assert framed.call("GET_RANGE", start="a", end="z") == [
            ("f", ("kept", {1})),
            ("j", ["kept"]),
            ("t", "kept"),
        ]
