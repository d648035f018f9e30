"""How a server stops: SIGTERM, SIGINT, SHUTDOWN. Exit 0, and what was acknowledged is there."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from tests.support.server import WITHOUT_UVLOOP, Server, StartServer
from tests.support.tools import until
from tests.support.wire import ErrorReply, frame

from kveik.limits import STOP_GRACE

SIGNALS = [signal.SIGTERM, signal.SIGINT]


class Writer(threading.Thread):
    """Writes its own keys, a few at a time, until the server is gone."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._name = name
        self.acknowledged = 0
        self.refused: object = None
        self.start()

    def run(self) -> None:
        with self._server.resp() as connection:
            try:
                while True:
                    at = self.acknowledged
                    keys = [f"{self._name}{number}" for number in range(at, at + 5)]
                    connection.send(b"".join(frame("SET", key, key) for key in keys))
                    for _ in keys:
                        reply = connection.reply()
                        if reply != "OK":
                            self.refused = reply
                            return
                        self.acknowledged += 1
            except OSError:
                return


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_an_idle_server_at_once_with_exit_0(
    server: Server, number: signal.Signals
) -> None:
    with server.resp() as connection, server.json() as lines:
        assert connection.call("SET", "k", 1) == "OK"
        assert lines.read("k") == "1"
        begin = time.monotonic()
        assert server.terminate(number) == 0
        assert time.monotonic() - begin < STOP_GRACE
        assert connection.rest() == b""
        assert lines.rest() == b""


@pytest.mark.parametrize("loop", ["default loop", "asyncio"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_among_writes_loses_nothing_that_was_acknowledged(
    start_server: StartServer, number: signal.Signals, loop: str
) -> None:
    server = start_server(program=WITHOUT_UVLOOP) if loop == "asyncio" else start_server()
    writers = [Writer(server, f"w{at}:") for at in range(4)]
    until(lambda: all(writer.acknowledged >= 50 for writer in writers), "everybody writes")
    assert server.terminate(number) == 0
    for writer in writers:
        writer.join(20)
        assert not writer.is_alive()
        assert writer.refused is None
    server.start()
    with server.resp() as connection:
        for at, writer in enumerate(writers):
            keys = [f"w{at}:{number}" for number in range(writer.acknowledged)]
            assert connection.call("MGET", *keys) == [key.encode() for key in keys]


def test_what_was_begun_before_the_signal_is_answered(server: Server) -> None:
    with server.resp() as connection:
        assert connection.call("SET", "large", b"x" * 1_000_000) == "OK"
        connection.send(frame("GET", "large"))
        assert connection.exactly(3) == b"$10"
        server.process.terminate()
        assert connection.rest() == b"00000\r\n" + b"x" * 1_000_000 + b"\r\n"
    assert server.wait() == 0


@pytest.mark.slow
def test_a_client_that_never_reads_cannot_hold_up_a_stop(server: Server) -> None:
    with server.resp() as connection, server.resp() as other:
        assert other.call("SET", "large", b"x" * 1_000_000) == "OK"
        connection.send(frame("GET", "large") * 100)
        assert other.call("PING") == "PONG"
        assert server.terminate() == 0


@pytest.mark.parametrize("how", [(), ("SAVE",), ("NOSAVE", "NOW", "FORCE")], ids=" ".join)
def test_shutdown_closes_without_a_reply_and_exits_0(server: Server, how: tuple[str, ...]) -> None:
    with server.resp() as connection, server.resp() as other:
        assert other.call("SET", "k", 1) == "OK"
        connection.send(frame("SHUTDOWN", *how))
        assert connection.rest() == b""
        assert server.wait() == 0
        assert other.rest() == b""
    server.start()
    with server.resp() as connection:
        assert connection.call("GET", "k") == b"1"


def test_shutdown_answers_what_was_asked_before_it(server: Server) -> None:
    with server.resp() as connection:
        connection.send(frame("SET", "k", 1) + frame("GET", "k") + frame("SHUTDOWN"))
        assert connection.rest() == b"+OK\r\n$1\r\n1\r\n"
    assert server.wait() == 0


def test_shutdown_with_an_unknown_word_stops_nothing(server: Server) -> None:
    with server.resp() as connection:
        assert connection.call("SHUTDOWN", "LATER") == ErrorReply("ERR syntax error")
        assert connection.call("PING") == "PONG"


def test_a_stopped_server_can_be_started_again_at_once_on_its_port(
    start_server: StartServer,
) -> None:
    server = start_server()
    with server.resp() as connection:
        assert connection.call("SET", "k", 1) == "OK"
        assert server.terminate() == 0
    server.command += ["--port", str(server.port)]
    server.start()
    with server.resp() as connection:
        assert connection.call("GET", "k") == b"1"
