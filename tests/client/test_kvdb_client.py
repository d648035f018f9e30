"""KVDBClient against servers that answer, refuse, hang, break off and come back."""

from __future__ import annotations

import builtins
import inspect
import threading
from collections.abc import Callable

import pytest
from tests.support.fake import Fake
from tests.support.server import Server

from kveik import KVDBClient
from kveik.client.connection import Connection
from kveik.errors import ConnectionError, KveikError, ServerError, TimeoutError


def test_the_five_operations(server: Server) -> None:
    with KVDBClient(port=server.port) as client:
        assert client.put("a", {"deep": [1, 2.5, None, True, "é"]}) is True
        assert client.read("a") == {"deep": [1, 2.5, None, True, "é"]}
        assert client.read("nothing") is None
        assert client.batch_put(["c", "b"], [3, "two"]) is True
        assert client.read_key_range("a", "b") == {"a": client.read("a"), "b": "two"}
        assert list(client.read_key_range("a", "z")) == ["a", "b", "c"]
        assert client.delete("a") is True
        assert client.delete("a") is False
        assert client.read("a") is None


def test_it_connects_only_when_it_is_used() -> None:
    KVDBClient("127.0.0.1", 1).close()


def test_the_defaults_are_localhost_and_9999() -> None:
    parameters = inspect.signature(KVDBClient).parameters
    assert parameters["host"].default == "localhost"
    assert parameters["port"].default == 9999


def test_what_the_server_refuses_is_a_server_error_with_its_words(server: Server) -> None:
    with KVDBClient(port=server.port) as client:
        with pytest.raises(ServerError, match="a key has 1 to 65536 bytes, not 0"):
            client.put("", 1)
        assert client.read("still served") is None


def test_what_json_cannot_say_is_refused_before_anything_is_sent() -> None:
    client = KVDBClient("127.0.0.1", 1)
    with pytest.raises(TypeError):
        client.put("k", {1, 2})
    with pytest.raises(ValueError, match="JSON"):
        client.put("k", float("nan"))


def test_nobody_there_is_a_connection_error_of_both_kinds() -> None:
    with pytest.raises(ConnectionError) as caught:
        KVDBClient("127.0.0.1", 1).read("k")
    assert isinstance(caught.value, builtins.ConnectionError)
    assert isinstance(caught.value, KveikError)


@pytest.mark.parametrize("answer", [None, b"no JSON\n", b"[" * 100_000 + b"\n"])
def test_a_broken_answer_is_a_connection_error(answer: bytes | None) -> None:
    with (
        Fake(answer) as fake,
        KVDBClient("127.0.0.1", fake.port, max_retries=0) as client,
        pytest.raises(ConnectionError, match=rf"^127\.0\.0\.1:{fake.port}: "),
    ):
        client.read("k")


@pytest.mark.parametrize("answer", [b"[]\n", b"1\n", b"null\n", b"no JSON\n"])
def test_an_answer_that_is_none_is_a_connection_error_and_not_asked_for_again(
    answer: bytes,
) -> None:
    with Fake(answer) as fake, KVDBClient("127.0.0.1", fake.port) as client:
        with pytest.raises(ConnectionError):
            client.read("k")
        assert len(fake.requests) == 1


def test_a_server_that_does_not_answer_in_time_is_a_timeout() -> None:
    with (
        Fake(b"", b"") as fake,
        KVDBClient("127.0.0.1", fake.port, timeout=0.1, max_retries=1) as client,
    ):
        with pytest.raises(TimeoutError, match="timed out") as caught:
            client.read("k")
        assert isinstance(caught.value, builtins.TimeoutError)
        assert isinstance(caught.value, ConnectionError)
        assert len(fake.requests) == 2


def test_an_answer_that_comes_in_pieces_is_put_together(server: Server) -> None:
    value = ["x" * 1000] * 1000
    with KVDBClient(port=server.port) as client:
        client.put("k", value)
        assert client.read("k") == value


def test_after_a_restart_of_the_server_the_client_connects_again(server: Server) -> None:
    client = KVDBClient(port=server.port, max_retries=0)
    client.put("k", 1)
    server.command += ["--port", str(server.port)]
    server.kill9()
    with pytest.raises(ConnectionError):
        client.read("k")
    server.start()
    assert client.read("k") == 1
    client.close()
    assert client.read("k") == 1
    client.close()


def in_threads(work: Callable[[int], None], count: int) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures


def test_one_client_serves_several_threads(server: Server) -> None:
    with KVDBClient(port=server.port) as client:

        def work(number: int) -> None:
            for turn in range(50):
                client.put(f"k{number}", [number, turn])
                assert client.read(f"k{number}") == [number, turn]

        in_threads(work, 6)


def test_many_clients_at_once(server: Server) -> None:
    def work(number: int) -> None:
        with KVDBClient(port=server.port) as client:
            for turn in range(20):
                client.batch_put([f"{number}:a", f"{number}:b"], [turn, turn])
                pair = client.read_key_range(f"{number}:a", f"{number}:b")
                assert list(pair.values()) == [turn, turn]

    in_threads(work, 30)


def test_an_interrupted_call_does_not_leave_its_answer_to_the_next(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = KVDBClient(port=server.port)
    client.batch_put(["a", "b"], [1, 2])
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.read("a")
    assert client.read("b") == 2
    client.close()


def interrupted(connection: Connection) -> bytes:
    raise KeyboardInterrupt
