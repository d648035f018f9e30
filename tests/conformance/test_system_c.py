"""System C as its users write it: the start command, KVClient in a with statement, many entries."""

from __future__ import annotations

import threading

import pytest
from tests.support.server import Server, StartServer

from kveik import KVClient


@pytest.fixture
def lsm_server(start_server: StartServer) -> Server:
    """Started as `--port ... --memtable-size 1000`."""
    return start_server("--memtable-size", "1000")


def test_the_client_in_a_with_statement(lsm_server: Server) -> None:
    with KVClient(host="localhost", port=lsm_server.port) as client:
        client.put("user:1", {"name": "Alice", "email": "alice@example.com"})
        user = client.get("user:1")
        assert user == {"name": "Alice", "email": "alice@example.com"}

        keys = ["user:2", "user:3", "user:4"]
        values = [{"name": "Bob"}, {"name": "Charlie"}, {"name": "Diana"}]
        client.batch_put(keys, values)

        results = client.get_range("user:1", "user:3")
        for key, value in results:
            assert value["name"] in ("Alice", "Bob", "Charlie"), key
        assert [key for key, _ in results] == ["user:1", "user:2", "user:3"]
        assert dict(results)["user:2"] == {"name": "Bob"}

        if client.delete("user:4"):
            assert client.get("user:4") is None
        assert not client.delete("user:4")


def test_positional_host_and_port(lsm_server: Server) -> None:
    with KVClient("localhost", lsm_server.port) as client:
        client.put("k", "v")
        assert client.get("k") == "v"


def test_more_entries_than_a_memtable_and_deletes_among_them(lsm_server: Server) -> None:
    with KVClient("localhost", lsm_server.port) as client:
        for start in range(0, 6000, 500):
            keys = [f"key{number:06}" for number in range(start, start + 500)]
            client.batch_put(keys, [f"{key}:{'x' * 400}" for key in keys])
        for number in range(0, 6000, 60):
            client.delete(f"key{number:06}")
        for number in range(0, 6000, 599):
            expected = None if number % 60 == 0 else f"key{number:06}:{'x' * 400}"
            assert client.get(f"key{number:06}") == expected
        found = client.get_range("key000000", "key000999")
        assert [key for key, _ in found] == [
            f"key{number:06}" for number in range(1000) if number % 60
        ]
    lsm_server.restart()
    with KVClient("localhost", lsm_server.port) as client:
        assert len(client.keys()) == 6000 - 100
        assert client.get("key000001") == f"key000001:{'x' * 400}"
        assert client.get("key000060") is None


def test_many_clients_at_once(lsm_server: Server) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with KVClient("localhost", lsm_server.port) as client:
                for turn in range(20):
                    client.batch_put([f"{number}:a", f"{number}:b"], [turn, turn])
                    assert [v for _, v in client.get_range(f"{number}:a", f"{number}:b")] == [
                        turn
                    ] * 2
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
