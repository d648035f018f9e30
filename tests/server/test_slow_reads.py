"""A disk that takes its time to read: only whoever asked for a cold key waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.server import StartServer
from tests.support.steer import SteeredServer
from tests.support.tools import until
from tests.support.wire import Resp, frame

pytestmark = pytest.mark.slow

VALUE = b"v" * 100_000
COLD = 30  # keys, of three megabytes in all: most of them are in tables, as segments have one


def tables(steered: SteeredServer) -> int:
    return len([path for path in steered.server.data_dir.iterdir() if path.suffix == ".tbl"])


@pytest.fixture
def steered(start_server: StartServer, tmp_path: Path) -> SteeredServer:
    """Freshly started on tables of which nothing has been read."""
    steered = SteeredServer(start_server, tmp_path, "--memory", "8MB")
    with steered.server.resp() as connection:
        for number in range(COLD):
            assert connection.call("SET", f"cold{number:02}", VALUE) == "OK"
    until(lambda: tables(steered) > 1, "there are tables")
    steered.server.restart()
    return steered


@pytest.fixture
def waiting(steered: SteeredServer) -> Iterator[Resp]:
    """A connection whose read hangs, and that has asked for more behind it."""
    with steered.server.resp() as connection:
        assert connection.call("PING") == "PONG"
        steered.hang()
        connection.send(frame("GET", "cold00") + frame("ECHO", "a") + frame("GET", "cold01"))
        steered.await_read()
        yield connection


def check_answered(waiting: Resp) -> None:
    """In the order in which it was asked."""
    assert [waiting.reply() for _ in range(3)] == [VALUE, b"a", VALUE]


def test_others_go_on_while_a_read_hangs(steered: SteeredServer, waiting: Resp) -> None:
    with steered.server.resp() as other, steered.server.json() as lines:
        for number in range(50):
            assert other.call("SET", f"new{number}", number) == "OK"
            assert other.call("GET", f"new{number}") == str(number).encode()
        assert lines.read("new7") == "7"
        assert waiting.silent()
        steered.go_on()
        check_answered(waiting)
        assert other.call("GET", "cold02") == VALUE


def test_many_wait_at_once_and_each_gets_its_own(steered: SteeredServer, waiting: Resp) -> None:
    connections = [steered.server.resp() for _ in range(10)]
    for number, connection in enumerate(connections):
        connection.send(frame("MGET", f"cold{number:02}", f"missing{number}") + frame("PING"))
    with steered.server.resp() as other:
        assert other.call("PING") == "PONG"
    steered.go_on()
    check_answered(waiting)
    for connection in connections:
        assert connection.reply() == [VALUE, None]
        assert connection.reply() == "PONG"
        connection.close()


def test_a_connection_that_is_lost_while_it_waits_harms_nobody(
    steered: SteeredServer, waiting: Resp
) -> None:
    waiting.close()
    with steered.server.resp() as other:
        assert other.call("SET", "k", 1) == "OK"
        steered.go_on()
        assert other.call("GET", "cold00") == VALUE
        assert other.call("GET", "k") == b"1"


def test_a_stop_answers_those_who_wait(steered: SteeredServer, waiting: Resp) -> None:
    codes: list[int] = []
    stopper = threading.Thread(target=lambda: codes.append(steered.server.terminate()))
    stopper.start()
    assert waiting.silent()
    steered.go_on()
    check_answered(waiting)
    assert waiting.rest() == b""
    stopper.join()
    assert codes == [0]


def test_a_stop_does_not_wait_for_ever(steered: SteeredServer, waiting: Resp) -> None:
    """Whoever waits then is not answered; what was acknowledged is there."""
    with steered.server.resp() as other:
        assert other.call("SET", "k", 1) == "OK"
    codes: list[int] = []
    stopper = threading.Thread(target=lambda: codes.append(steered.server.terminate()))
    stopper.start()
    assert waiting.rest() == b""  # closed while the read still hangs
    assert steered.server.process.poll() is None
    steered.go_on()
    stopper.join()
    assert codes == [0]
    steered.server.start()
    with steered.server.resp() as other:
        assert other.call("GET", "k") == b"1"
        assert other.call("GET", "cold00") == VALUE
