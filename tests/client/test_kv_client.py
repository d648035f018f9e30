"""KVClient: plain data there and back, answers that are hostile, errors, both systems' calls."""

from __future__ import annotations

import builtins
import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.fake import Fake, a_message
from tests.support.plain import exploits, plain, typed
from tests.support.server import Server

from kveik import KVClient
from kveik.client import framed
from kveik.errors import ConnectionError, KveikError, LimitError, ServerError
from kveik.limits import MAX_FRAME, MAX_KEY


@pytest.fixture(scope="module")
def opened(shared_server: Server) -> Iterator[KVClient]:
    with KVClient(port=shared_server.port) as client:
        yield client


@pytest.fixture
def client(opened: KVClient) -> KVClient:
    for key in opened.keys():  # noqa: SIM118  (no dict)
        opened.delete(key)
    return opened


def framed_answer(value: object) -> bytes:
    data = pickle.dumps(value, 4)
    return len(data).to_bytes(4, "big") + data


# --- the calls ------------------------------------------------------------------------------------


def test_the_calls_of_system_b(client: KVClient) -> None:
    assert client.set("foo", "bar") == "OK"
    assert client.get("foo") == "bar"
    assert client.get("nothing") is None
    assert client.exists("foo") is True
    assert client.exists("nothing") is False
    assert client.bulk_set([("a", 1), ["b", (2,)]]) == "OK"
    assert client.bulk_set({"c": {3}}) == "OK"
    assert client.keys() == ["a", "b", "c", "foo"]
    assert client.delete("foo") == "OK"
    assert client.delete("foo") == "NOT_FOUND"


def test_the_calls_of_system_c(client: KVClient) -> None:
    assert client.put("k2", "v2")
    assert client.batch_put(["k3", "k1"], ["v3", 1])
    assert client.get_range("k1", "k3") == [("k1", 1), ("k2", "v2"), ("k3", "v3")]
    assert client.get_range("k3", "k1") == []
    assert client.delete("k1")
    assert not client.delete("k1")
    assert client.ping() is True


def test_both_ways_to_make_one() -> None:
    parameters = inspect.signature(KVClient).parameters
    defaults = {name: one.default for name, one in parameters.items()}
    assert defaults["host"] == "127.0.0.1"
    assert (defaults["port"], defaults["timeout"], defaults["max_retries"]) == (65433, 5.0, 3)
    assert list(parameters)[:4] == ["host", "port", "timeout", "max_retries"]
    assert repr(KVClient("localhost", 9999)) == "KVClient('localhost', 9999)"


def test_it_connects_only_when_it_is_used() -> None:
    KVClient("127.0.0.1", 1).close()


def test_a_default_is_for_what_is_not_there(client: KVClient) -> None:
    client.set("none", None)
    assert client.get("none", "default") is None
    assert client.get("nothing", "default") == "default"


# --- data -----------------------------------------------------------------------------------------


@given(plain(4))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_plain_data_come_back_with_their_types(opened: KVClient, value: object) -> None:
    opened.set("drawn", value)
    assert typed(opened.get("drawn")) == typed(value)
    assert typed(opened.get_range("drawn", "drawn")) == typed([("drawn", value)])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5, min_size=1)
        | st.binary(min_size=1, max_size=5).filter(lambda data: data[0] >= 0xFD),
        lambda inner: st.lists(inner | st.binary(max_size=4), max_size=3).map(tuple),
        max_leaves=5,
    ).filter(lambda key: key != "")
)  # fmt: skip
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_keys_come_back_with_their_types(client: KVClient, key: object) -> None:
    client.set(key, "v")
    assert typed(client.keys()) == typed([key])
    assert client.exists(key)
    assert client.get(key) == "v"
    assert client.delete(key)


ERRORS = [{"error": "NOT_FOUND"}, {"error": "E", "message": "m"}, {"error": None}, {"error": [1]}]


@pytest.mark.parametrize("value", ERRORS, ids=repr)
def test_a_stored_value_that_looks_like_an_error_is_none(client: KVClient, value: object) -> None:
    client.set("k", value)
    assert client.get("k") == value
    assert client.get("k", 1) == value
    assert client.get_range("k", "k") == [("k", value)]


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [object(), 1j, print, bytearray(b"x"), [{"a": object()}]])
def test_what_is_no_plain_data_is_refused_before_anything_is_sent(value: object) -> None:
    client = KVClient("127.0.0.1", 1)
    with pytest.raises(TypeError, match="no plain data"):
        client.set("k", value)
    with pytest.raises(TypeError, match="no plain data"):
        client.get(value)


def test_what_is_nested_too_deeply_or_too_large_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = KVClient("127.0.0.1", 1)
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(LimitError):
        client.set("k", deep)
    monkeypatch.setattr(framed, "MAX_FRAME", 100)
    with pytest.raises(LimitError, match="a message has at most 100 bytes, not 1"):
        client.set("k", "x" * 100)


@pytest.mark.parametrize(
    ("key", "code"),
    [("", "INVALID_KEY"), (b"", "INVALID_KEY"), ([1], "INVALID_KEY"), ({}, "INVALID_KEY"),
     ("k" * (MAX_KEY + 1), "KEY_TOO_LARGE")],
    ids=["empty", "no bytes", "a list", "a dict", "long"],
)  # fmt: skip
def test_what_the_server_refuses_has_its_code(client: KVClient, key: object, code: str) -> None:
    for call in (lambda: client.set(key, 1), lambda: client.get(key), lambda: client.exists(key)):
        with pytest.raises(ServerError, match=code) as caught:
            call()
        assert caught.value.code == code
    assert client.keys() == []
    with pytest.raises(ServerError, match="2 keys for 1 values"):
        client.batch_put(["a", "b"], [1])


def test_errors_of_the_original_are_understood() -> None:
    with (
        Fake(framed_answer({"error": "KEY_NOT_FOUND"}), read=a_message) as fake,
        KVClient("127.0.0.1", fake.port) as client,
        pytest.raises(ServerError) as caught,
    ):
        client.set("k", 1)
    assert (str(caught.value), caught.value.code) == ("KEY_NOT_FOUND", "KEY_NOT_FOUND")


def test_nobody_there_is_a_connection_error_of_both_kinds() -> None:
    with pytest.raises(ConnectionError) as caught:
        KVClient("127.0.0.1", 1, max_retries=0).get("k")
    assert isinstance(caught.value, builtins.ConnectionError)
    assert isinstance(caught.value, KveikError)


# --- hostile answers ------------------------------------------------------------------------------


def test_nothing_in_an_answer_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "was here"
    found = exploits(str(mark))
    answers = [len(data).to_bytes(4, "big") + data for data, _ in found.values()]
    with (
        Fake(*answers, read=a_message) as fake,
        KVClient("127.0.0.1", fake.port) as client,
    ):
        for name, (_, opcode) in found.items():
            with pytest.raises(ConnectionError, match=rf"opcode {opcode} is refused"):
                client.get(name)
        assert fake.connections == len(fake.requests) == len(found)  # and none was asked for again
    assert not mark.exists()


@pytest.mark.parametrize(
    "answer",
    [
        (MAX_FRAME + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\0\0\0\x01.",
        b"\0\0\0\x02N.",
        b"\0\0\0\x03N..",
        b"\0\0\0\x04]q\0e",
        b"\0\0\0\x02(.",
        b"\0\0\0\x01\xff",
    ],
)  # fmt: skip
def test_an_answer_that_is_no_message_costs_its_connection(answer: bytes) -> None:
    with (
        Fake(answer, framed_answer("fine"), read=a_message) as fake,
        KVClient("127.0.0.1", fake.port, timeout=1.0) as client,
    ):
        if answer == b"\0\0\0\x02N.":
            assert client.get("k") is None
            return
        with pytest.raises(ConnectionError):
            client.get("k")
        assert client.get("k") == "fine"
        assert fake.connections == 2


def test_answers_are_bounded_whatever_they_say() -> None:
    bomb: Any = []
    for _ in range(60):
        bomb = [bomb, bomb]  # shared, so that 1 KB says 2**60 objects
    data = pickle.dumps(bomb, 4)
    with (
        Fake(len(data).to_bytes(4, "big") + data, read=a_message) as fake,
        KVClient("127.0.0.1", fake.port) as client,
        pytest.raises(ConnectionError, match="at most"),
    ):
        client.get("k")
