"""System B as its users write it: KVClient, the bare protocol, a server that is killed."""

from __future__ import annotations

import pickle
import socket
import struct
import threading
from typing import Any

import pytest
from tests.support.server import Server, StartServer

from kveik import KVClient
from kveik.errors import ServerError


@pytest.fixture
def kv_server(start_server: StartServer) -> Server:
    return start_server("--host", "127.0.0.1")


def test_the_client_s_calls(kv_server: Server) -> None:
    client = KVClient(host="127.0.0.1", port=kv_server.port, timeout=5.0, max_retries=3)
    client.set("user:1", {"name": "Alice", "age": 30})
    user = client.get("user:1")
    assert user == {"name": "Alice", "age": 30}
    assert client.get("user:2") is None

    client.bulk_set([("key1", "value1"), ("key2", "value2"), ("key3", [1, 2, 3])])
    assert client.exists("key1")
    assert not client.exists("key9")
    assert sorted(client.keys()) == ["key1", "key2", "key3", "user:1"]
    for key in client.keys():  # noqa: SIM118  (no dict)
        assert client.get(key) is not None

    assert client.delete("key1") == "OK"
    assert client.delete("key1") == "NOT_FOUND"
    client.close()


def test_errors_as_they_were_caught(kv_server: Server) -> None:
    client = KVClient("127.0.0.1", kv_server.port)
    try:
        client.set("", "no key")
    except ServerError as error:
        told = str(error)
    assert "INVALID_KEY" in told
    client = KVClient("127.0.0.1", 1, timeout=1.0, max_retries=1)
    try:
        client.get("foo")
    except ConnectionError as error:  # Python's own
        told = str(error)
    assert told.startswith("127.0.0.1:1: ")


TYPES: list[object] = [
    "text", b"bytes", 42, -1, 3.14, True, None, [1, [2]], (1, (2,)), {"a": {1: 2}}, {1, 2},
    frozenset("a"), {("t", 1): b"x"}, 10**30, float("inf"),
]  # fmt: skip


@pytest.mark.parametrize("value", TYPES, ids=repr)
def test_values_and_keys_keep_their_types(shared_server: Server, value: Any) -> None:
    with KVClient(port=shared_server.port) as client:
        client.set("typed", value)
        assert type(client.get("typed")) is type(value)
        assert client.get("typed") == value
        if isinstance(value, (int, tuple)):
            client.set(value, "v")
            assert value in client.keys()  # noqa: SIM118
            assert client.delete(value) == "OK"


def test_what_was_answered_survives_kill_9(kv_server: Server) -> None:
    """Every write that was acknowledged is there: 100 %."""
    acknowledged: list[str] = []

    def write(number: int) -> None:
        with KVClient(port=kv_server.port, max_retries=0) as client:
            try:
                for turn in range(100_000):
                    client.set(f"{number}:{turn}", {"turn": turn})
                    acknowledged.append(f"{number}:{turn}")
            except ConnectionError:
                return

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 300:
        assert any(thread.is_alive() for thread in threads)
    kv_server.kill9()
    for thread in threads:
        thread.join(30)
    kv_server.start()
    with KVClient(port=kv_server.port) as client:
        found = set(client.keys())
        assert set(acknowledged) <= found
        assert client.get(acknowledged[-1]) == {"turn": int(acknowledged[-1].partition(":")[2])}


def test_its_users_stop_it_with_a_signal(kv_server: Server) -> None:
    with KVClient(port=kv_server.port) as client:
        client.set("k", "v")
        assert kv_server.terminate() == 0
        kv_server.start()
    with KVClient(port=kv_server.port) as client:
        assert client.get("k") == "v"


def test_the_bare_protocol(shared_server: Server) -> None:
    def request(connection: socket.socket, payload: object) -> Any:
        data = pickle.dumps(payload)
        connection.sendall(struct.pack(">I", len(data)) + data)
        (size,) = struct.unpack(">I", connection.recv(4, socket.MSG_WAITALL))
        return pickle.loads(connection.recv(size, socket.MSG_WAITALL))  # noqa: S301

    with socket.create_connection(("127.0.0.1", shared_server.port)) as connection:
        assert request(connection, {"cmd": "SET", "key": "foo", "value": "bar"}) == "OK"
        assert request(connection, {"cmd": "GET", "key": "foo"}) == "bar"
        assert request(connection, {"cmd": "GET", "key": "none"}) is None
        assert request(connection, {"cmd": "EXISTS", "key": "foo"}) is True
        items = [(f"b{n}", {"n": n, "t": (n,)}) for n in range(10)]
        assert request(connection, {"cmd": "BULKSET", "items": items}) == "OK"
        assert request(connection, {"cmd": "GET", "key": "b7"}) == {"n": 7, "t": (7,)}
        assert "foo" in request(connection, {"cmd": "KEYS"})
        assert request(connection, {"cmd": "DELETE", "key": "foo"}) == "OK"
        assert request(connection, {"cmd": "DELETE", "key": "foo"}) == "NOT_FOUND"
        assert request(connection, {"cmd": "NOPE"})["error"] == "UNKNOWN_COMMAND"
        assert request(connection, {"cmd": "SET", "key": "k"})["error"] == "MISSING_VALUE"
        assert request(connection, {})["error"] == "MISSING_COMMAND"
