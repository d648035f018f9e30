"""Many requests at once, replies read late or never: complete, in order, in bounded memory."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.server import WITHOUT_UVLOOP, Server, StartServer
from tests.support.tools import until
from tests.support.wire import Connection, Resp, frame, send_byte_by_byte

pytestmark = pytest.mark.slow

MANY = 100_000
MIB = 1 << 20

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


class Sender(threading.Thread):
    """Sends, in pieces, what the server may not take as long as nobody reads its replies."""

    def __init__(self, connection: Connection, data: bytes) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._data = data
        self.sent = 0
        self.start()

    def run(self) -> None:
        try:
            for at in range(0, len(self._data), 1 << 16):
                self._connection.send(self._data[at : at + (1 << 16)])
                self.sent = at
        except OSError:
            return  # closed by the test
        self.sent = len(self._data)

    def stuck(self) -> bool:
        """Whether the server takes no more, for now at least."""
        before = self.sent
        if before == len(self._data):
            return True
        time.sleep(0.2)
        return before == self.sent


@pytest.fixture(params=["default loop", "asyncio"])
def any_server(request: pytest.FixtureRequest, start_server: StartServer) -> Server:
    return start_server(program=WITHOUT_UVLOOP) if request.param == "asyncio" else start_server()


@needs_proc
def test_a_hundred_thousand_commands_read_late_are_answered_completely_and_in_order(
    any_server: Server,
) -> None:
    server = any_server
    with server.resp() as connection, server.resp() as other:
        assert connection.call("SET", "some", b"x" * 90) == "OK"
        start = server.resident()
        thirds = ((frame("SET", n, n), frame("GET", n), frame("GET", "some")) for n in range(MANY))
        requests = [request for three in thirds for request in three][:MANY]
        sender = Sender(connection, b"".join(requests))
        until(sender.stuck, "the server takes no more")
        assert other.call("PING") == "PONG"
        assert server.resident() - start < 60 * MIB
        for at in range(MANY):
            expected = ("OK", str(at // 3).encode(), b"x" * 90)[at % 3]
            assert connection.reply() == expected, at
        assert connection.silent(0.05)


@needs_proc
def test_replies_that_nobody_reads_do_not_fill_the_memory(any_server: Server) -> None:
    server = any_server
    with server.resp() as other:
        assert other.call("SET", "large", b"x" * 100_000) == "OK"
        start = server.resident()
        requests = frame("GET", "large") * (4 * MANY)  # more than the system's buffers hold
        readers = [server.resp() for _ in range(5)]
        senders = [Sender(reader, requests) for reader in readers]
        until(lambda: all(sender.stuck() for sender in senders), "the server takes no more")
        assert all(sender.sent < len(requests) for sender in senders)
        assert server.resident() - start < 100 * MIB
        assert other.call("STRLEN", "large") == 100_000
        for _ in range(100):
            assert readers[0].reply() == b"x" * 100_000
        for reader in readers:
            reader.close()
        assert other.call("PING") == "PONG"


def test_a_slow_reader_does_not_keep_others_waiting(server: Server) -> None:
    with server.resp() as slow, server.resp() as other:
        assert slow.call("SET", "large", b"x" * 100_000) == "OK"
        sender = Sender(slow, frame("GET", "large") * 2000)
        until(sender.stuck, "the server takes no more")
        for number in range(200):
            assert other.call("ECHO", number) == str(number).encode()
        for _ in range(2000):
            assert len(slow.reply()) == 100_000


def test_a_long_pipeline_lets_others_have_their_turn(server: Server) -> None:
    with server.resp() as busy, server.resp() as other:
        Sender(busy, frame("PING") * MANY)
        with ThreadPoolExecutor(1) as reader:
            pongs = reader.submit(busy.exactly, MANY * 7)
            answered = 0
            while not pongs.done():
                assert other.call("ECHO", answered) == str(answered).encode()
                answered += 1
        assert pongs.result() == b"+PONG\r\n" * MANY
        assert answered > 5


def test_requests_byte_by_byte_are_requests(any_server: Server) -> None:
    with any_server.resp() as connection, any_server.resp() as other:
        requests = frame("SET", "k", b"\r\n\x00") + frame("GET", "k") + frame("MGET", "k", "none")
        send_byte_by_byte(connection, requests, other)
        assert connection.reply() == "OK"
        assert connection.reply() == b"\r\n\x00"
        assert connection.reply() == [b"\r\n\x00", None]


def test_json_lines_byte_by_byte_are_lines(server: Server) -> None:
    with server.json() as connection, server.resp() as other:
        line = '\r\n {"command": "put", "key": "\u00e9", "value": ["\u20ac", 1]}\r\n\n'
        send_byte_by_byte(connection, line.encode(), other)
        assert connection.reply() == {"status": "ok", "result": True}
        assert connection.read("\u00e9") == ["\u20ac", 1]


def test_a_thousand_json_lines_at_once_are_answered_in_order(server: Server) -> None:
    with server.json() as connection:
        lines = (
            f'{{"command": "put", "key": "k", "value": {n}}}\n{{"command": "read", "key": "k"}}\n'
            for n in range(1000)
        )
        Sender(connection, "".join(lines).encode())
        for number in range(1000):
            assert connection.reply()["result"] is True
            assert connection.reply()["result"] == number


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 65_536, 1_000_000, 20_000_000])
def test_values_of_any_size_come_back_whole(shared_server: Server, size: int) -> None:
    value = bytes(range(256)) * (size // 256) + b"\r" * (size % 256)
    with shared_server.resp() as connection:
        assert connection.call("SET", "sized", value) == "OK"
        assert connection.call("GET", "sized") == value


def test_half_closed_connections_get_all_their_answers(any_server: Server) -> None:
    with any_server.resp() as connection:
        assert connection.call("SET", "large", b"x" * 100_000) == "OK"
    for _ in range(5):
        with any_server.resp() as connection:
            connection.send(frame("GET", "large") * 300)
            connection.finish()
            assert connection.rest() == (b"$100000\r\n" + b"x" * 100_000 + b"\r\n") * 300
    with any_server.json() as lines:
        lines.send(b'{"command": "put", "key": "last", "value": 1}\n' * 500)
        lines.finish()
        assert lines.rest() == b'{"status": "ok", "result": true}\n' * 500


def test_half_closed_connections_get_the_rest_when_they_read_late(server: Server) -> None:
    with server.resp() as connection, server.resp() as other:
        connection.call("SET", "large", b"x" * 100_000)
        sender = Sender(connection, frame("GET", "large") * 1000)
        until(lambda: sender.sent == len(frame("GET", "large")) * 1000, "all is sent")
        connection.finish()
        for _ in range(50):
            assert other.call("PING") == "PONG"
        assert len(connection.rest()) == len(b"$100000\r\n\r\n") * 1000 + 100_000_000


def test_several_clients_pipelining_at_once_each_get_their_own(server: Server) -> None:
    def work(connection: Resp, name: str, bad: list[object]) -> None:
        sent = [frame("SET", f"{name}{n}", n) + frame("GET", f"{name}{n}") for n in range(2000)]
        Sender(connection, b"".join(sent))
        for n in range(2000):
            if (connection.reply(), connection.reply()) != ("OK", str(n).encode()):
                bad.append((name, n))
                return

    bad: list[object] = []
    connections = [server.resp() for _ in range(8)]
    workers = [
        threading.Thread(target=work, args=(connection, f"c{at}:", bad))
        for at, connection in enumerate(connections)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
    assert not bad
    assert connections[0].call("DBSIZE") == 8 * 2000
