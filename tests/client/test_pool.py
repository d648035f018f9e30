"""What both plain clients share: connections that threads share, that die, that are forked."""

from __future__ import annotations

import os
import threading
import time

import pytest
from tests.support.fake import Fake, a_message
from tests.support.server import Server, StartServer
from tests.support.tools import until

from kveik import KVClient, KVDBClient
from kveik.client import pooled
from kveik.client.connection import Connection
from kveik.client.pool import Pool
from kveik.errors import ConnectionError, ServerError, TimeoutError

OK = b'{"status": "ok", "result": 1}\n'


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are none."""
    monkeypatch.setattr(pooled, "pause", lambda failures: 0.0)


def test_a_connection_is_used_again() -> None:
    with Fake(OK, OK, OK) as fake, KVDBClient("127.0.0.1", fake.port) as client:
        for _ in range(3):
            assert client.read("k") == 1
        assert fake.connections == 1


def test_a_connection_on_which_an_answer_was_lost_is_not_used_again(quick: None) -> None:
    with Fake(None, OK, OK) as fake, KVDBClient("127.0.0.1", fake.port) as client:
        assert client.read("k") == 1
        assert client.read("k") == 1
        assert fake.connections == 2
        assert len(fake.requests) == 3


def test_tries_are_counted(quick: None) -> None:
    with Fake(None, None, None) as fake, KVDBClient("127.0.0.1", fake.port, 1.0, 2) as client:
        with pytest.raises(ConnectionError):
            client.put("k", 1)
        assert len(fake.requests) == 3


def test_what_the_server_refuses_is_not_asked_again() -> None:
    with (
        Fake(b'{"status": "error", "message": "no"}\n', OK) as fake,
        KVDBClient("127.0.0.1", fake.port) as client,
    ):
        with pytest.raises(ServerError, match=r"^no$"):
            client.put("k", 1)
        assert client.read("k") == 1
        assert fake.connections == 1


def test_an_idle_connection_that_has_ended_is_seen_before_it_is_used(server: Server) -> None:
    with KVDBClient("127.0.0.1", server.port, max_retries=0) as client:
        client.put("k", 1)
        server.command += ["--port", str(server.port)]
        server.restart()
        assert client.read("k") == 1


def test_an_idle_connection_on_which_something_came_unasked_is_dropped() -> None:
    with (
        Fake(OK + OK, OK) as fake,
        KVDBClient("127.0.0.1", fake.port, max_retries=0) as client,
    ):
        assert client.read("k") == 1
        assert client.read("k") == 1
        assert fake.connections == 2


def test_pauses_grow_and_are_drawn() -> None:
    for failures in range(1, 40):
        longest = min(pooled.LONGEST_PAUSE, pooled.FIRST_PAUSE * 2 ** (failures - 1))
        drawn = [pooled.pause(failures) for _ in range(50)]
        assert all(longest / 2 <= one <= longest for one in drawn)
        assert len(set(drawn)) > 1


@pytest.mark.parametrize("bad", [{"timeout": 0}, {"max_retries": -1}, {"max_connections": 0}])
def test_bad_bounds_are_refused(bad: dict[str, int]) -> None:
    for kind in (KVClient, KVDBClient):
        with pytest.raises(ValueError, match="more than 0"):
            kind(**bad)  # type: ignore[arg-type]


# --- threads --------------------------------------------------------------------------------------


def test_no_more_connections_are_opened_than_allowed(server: Server) -> None:
    with KVClient("127.0.0.1", server.port, max_connections=3) as client:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(30):
                    client.set((number, turn), turn)
                    assert client.get((number, turn)) == turn
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not failures
        assert len(client.keys()) == 360
        with server.resp() as other:
            info = other.call("INFO", "clients").decode()
        assert int(info.partition("connected_clients:")[2].split()[0]) <= 4


def test_who_finds_no_free_connection_is_told_so() -> None:
    with (
        Fake(b"") as fake,
        KVDBClient("127.0.0.1", fake.port, timeout=0.3, max_connections=1) as client,
    ):
        connection, life = client._pool.take()
        with pytest.raises(TimeoutError, match="all 1 connections are in use"):
            client.read("k")
        client._pool.give(connection, life)


def test_a_thread_that_waits_is_given_the_next_free_connection() -> None:
    with Fake() as fake:
        pool = Pool(lambda: Connection(("127.0.0.1", fake.port), 5.0), 1, 20.0)
        taken, life = pool.take()
        found: list[Connection] = []
        thread = threading.Thread(target=lambda: found.append(pool.take()[0]))
        thread.start()
        time.sleep(0.05)
        assert not found
        pool.give(taken, life)
        thread.join(20)
        assert found == [taken]
        pool.drop(taken)


def test_a_connection_that_could_not_be_opened_makes_room(quick: None) -> None:
    client = KVDBClient("127.0.0.1", 1, max_connections=1, max_retries=3)
    for _ in range(3):
        with pytest.raises(ConnectionError):
            client.read("k")


def test_a_connection_that_is_in_use_while_all_are_closed_is_closed_afterwards() -> None:
    with Fake() as fake:
        pool = Pool(lambda: Connection(("127.0.0.1", fake.port), 5.0), 1, 5.0)
        connection, life = pool.take()
        pool.close()
        pool.give(connection, life)
        other, _ = pool.take()
        assert other is not connection
        pool.drop(other)


# --- passwords and forks ------------------------------------------------------------------------


@pytest.fixture
def guarded(start_server: StartServer, tmp_path: object) -> Server:
    file = os.path.join(str(tmp_path), "password")
    with open(file, "w") as out:
        out.write("secret\n")
    return start_server("--password-file", file)


@pytest.mark.parametrize("kind", [KVClient, KVDBClient])
def test_a_password_is_given_to_each_connection(
    guarded: Server, kind: type[KVClient] | type[KVDBClient]
) -> None:
    with kind("127.0.0.1", guarded.port, password="secret") as client:  # noqa: S106
        client.put("k", 1)
        client.close()
        assert client.delete("k")
    for password in (None, "wrong"):
        with (
            kind("127.0.0.1", guarded.port, password=password) as client,
            pytest.raises(ServerError),
        ):
            client.put("k", 1)


@pytest.mark.parametrize("kind", [KVClient, KVDBClient])
def test_a_forked_child_opens_connections_of_its_own(
    server: Server, kind: type[KVClient] | type[KVDBClient]
) -> None:
    with kind("127.0.0.1", server.port) as client:
        client.put("k", "parent")
        client._pool._free.acquire()  # as a thread might have at this moment
        child = os.fork()
        if child == 0:
            code = 1
            try:
                client.put("child", "was here")
                code = 0
            finally:
                os._exit(code)
        client._pool._free.release()
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        client.put("k", "again")
    with KVDBClient("127.0.0.1", server.port) as reader:
        assert reader.read_key_range("a", "z") == {"child": "was here", "k": "again"}


# --- a server that goes and comes back ------------------------------------------------------------


@pytest.mark.parametrize("kind", [KVClient, KVDBClient])
def test_retries_carry_a_writer_over_a_kill_and_a_restart(
    server: Server, kind: type[KVClient] | type[KVDBClient]
) -> None:
    server.command += ["--port", str(server.port)]
    written: list[int] = []
    failures: list[BaseException] = []
    stop = threading.Event()

    def write() -> None:
        try:
            with kind("127.0.0.1", server.port, 5.0, 20) as client:
                while not stop.is_set():
                    client.put(f"k{len(written):06}", len(written))
                    written.append(len(written))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(2):
        before = len(written)
        until(lambda before=before: len(written) > before + 20 or failures, "writes go on")
        server.restart()
    before = len(written)
    until(lambda: len(written) > before + 20 or failures, "writes go on")
    stop.set()
    thread.join(30)
    assert not failures
    with KVDBClient("127.0.0.1", server.port) as reader:
        found = reader.read_key_range("k", "l")
    assert found == {f"k{number:06}": number for number in range(len(written))}


def test_a_message_that_breaks_off_is_a_lost_answer(quick: None) -> None:
    with (
        Fake(b"\0\0\0\x10\x80\x04", b"\0\0\0\x04\x80\x04N.", read=a_message) as fake,
        KVClient("127.0.0.1", fake.port, timeout=0.2) as client,
    ):
        assert client.get("k") is None
        assert len(fake.requests) == 2
