"""A real server under load: many connections, endless pipelines, clients that vanish anywhere."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Iterator
from random import Random

import pytest
from tests.support.server import Server, StartServer
from tests.support.tools import until
from tests.support.wire import JsonLines, Resp, frame

from kveik.limits import SPARE_DESCRIPTORS

pytestmark = pytest.mark.slow

MIB = 1 << 20
CONNECTIONS = 5000
PIPELINE = 1_000_000
BATCH = 10_000  # requests that are sent together


@pytest.fixture
def files() -> Iterator[int]:
    """How many files may be open, raised as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard if hard != resource.RLIM_INFINITY else 1 << 30
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def info(connection: Resp, name: str) -> str:
    lines = connection.call("INFO").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)[name]


def fill(connection: Resp, count: int, size: int = 20) -> None:
    value = "v" * size
    for at in range(0, count, 1000):
        words = [word for n in range(at, at + 1000) for word in (f"key:{n:07}", value)]
        connection.send(frame("MSET", *words))
    for _ in range(0, count, 1000):
        assert connection.reply() == "OK"


def test_five_thousand_connections(files: int, start_server: StartServer) -> None:
    count = min(CONNECTIONS, files - SPARE_DESCRIPTORS - 200)
    server = start_server()
    before = server.resident()
    connections = [server.resp() for _ in range(count)]
    for number, connection in enumerate(connections):
        connection.send(frame("SET", f"k{number}", number) + frame("GET", f"k{number}"))
    for number, connection in enumerate(connections):
        assert connection.reply() == "OK"
        assert connection.reply() == str(number).encode()
    assert info(connections[0], "connected_clients") == str(count)
    assert server.resident() - before < 300 * MIB
    for connection in connections[1:]:
        connection.close()
    until(lambda: info(connections[0], "connected_clients") == "1", "all others have gone")
    connections[0].close()


def test_a_pipeline_of_a_million_commands_takes_no_memory(start_server: StartServer) -> None:
    server = start_server("--memory", "8MB")
    with server.resp() as connection:
        requests = frame("SET", "key", "v" * 20) * (BATCH // 2) + frame("GET", "key") * (BATCH // 2)
        replies = b"+OK\r\n" * (BATCH // 2) + (b"$20\r\n" + b"v" * 20 + b"\r\n") * (BATCH // 2)

        def send() -> None:
            for _ in range(PIPELINE // BATCH):
                connection.send(requests)

        sender = threading.Thread(target=send)
        sender.start()
        assert connection.exactly(len(replies)) == replies
        before = most = server.resident()
        for _ in range(PIPELINE // BATCH - 1):
            assert connection.exactly(len(replies)) == replies
            most = max(most, server.resident())
        sender.join()
    assert most - before < 64 * MIB


def test_a_pipeline_that_nobody_reads_is_held_back(server: Server) -> None:
    with server.resp() as connection, server.resp() as other:
        assert connection.call("SET", "key", "v" * 1000) == "OK"
        connection.socket.settimeout(0.5)
        before = server.resident()
        requests = frame("GET", "key") * 10_000
        sent = 0
        try:
            while sent < 1 << 30:
                sent += connection.socket.send(requests)
        except TimeoutError:
            pass  # the server reads no more
        assert sent < 64 * MIB
        assert server.resident() - before < 64 * MIB
        assert other.call("PING") == "PONG"


def test_a_watcher_that_does_not_read_costs_no_more_than_one_that_does(server: Server) -> None:
    with server.resp() as watcher, server.resp() as writer:
        assert watcher.call("KV.WATCH", "") == 0
        value = "v" * 100_000
        assert writer.call("SET", "key", value) == "OK"
        before = server.resident()
        for _ in range(30):
            writer.send(frame("SET", "key", value) * 10)
            for _ in range(10):
                assert writer.reply() == "OK"
        assert server.resident() - before < 200 * MIB  # memtables and the log's buffers
        lsn = 0
        for _ in range(301):
            name, prefix, next_lsn, changes = watcher.reply()
            assert (name, prefix, next_lsn) == (b"kv.watch", b"", lsn + 1)
            assert changes == [[b"put", b"key", value.encode()]]
            lsn = next_lsn


def test_others_are_answered_while_somebody_asks_for_everything(server: Server) -> None:
    count = 100_000
    with server.resp() as asker, server.resp() as other:
        fill(other, count)
        asker.send(frame("KEYS", "*") + frame("KV.RANGE", "-", "+", "LIMIT", 0, -1))
        asker.send(frame("KV.COUNT", "-", "+") + frame("DBSIZE"))
        answered = 0
        done = threading.Event()
        replies: list[object] = []

        def ask() -> None:
            replies.extend([asker.reply() for _ in range(4)])
            done.set()

        reader = threading.Thread(target=ask)
        reader.start()
        while not done.is_set():
            assert other.call("GET", "key:0000007") == b"v" * 20
            answered += 1
        reader.join()
    keys, entries, *counts = replies
    assert isinstance(keys, list)
    assert isinstance(entries, list)
    assert keys == entries[::2]
    assert len(keys) == count
    assert counts == [count, count]
    assert answered > 20


def test_clients_that_vanish_at_every_point_harm_nobody(server: Server) -> None:
    choice = Random(7)
    with server.resp() as other:
        fill(other, 20_000)
        requests = [
            frame("KV.RANGE", "-", "+", "LIMIT", 0, -1),
            frame("KEYS", "*") * 3,
            frame("SET", "new", "v" * 50_000),
            frame("KV.WATCH", "", "FROM", 0),
            frame("KV.DELRANGE", "[zzz", "+", "COUNT") + frame("PING"),
            b'{"command": "read_key_range", "start_key": "a", "end_key": "z"}\n',
            b'{"command": "put", "key": "k", "value": "' + b"x" * 10_000 + b'"}\n',
        ]
        for number in range(120):
            request = requests[number % len(requests)]
            connection = Resp(server.port)
            cut = choice.choice([len(request), choice.randrange(1, len(request))])
            connection.send(request[:cut])
            if number % 3 == 0:
                connection.socket.recv(choice.choice([1, 100, 100_000])) if cut == len(
                    request
                ) else None
            if number % 2:
                connection.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )  # a reset, not a goodbye
            connection.close()
        assert other.call("PING") == "PONG"
        until(lambda: info(other, "connected_clients") == "1", "all of them are forgotten")
        assert other.call("DBSIZE") in (20_000, 20_001, 20_002)


def test_half_frames_that_never_end_cost_what_they_hold_and_no_more(server: Server) -> None:
    halves = [
        b"*1000000\r\n" + b"$1\r\nx\r\n" * 1000,
        b"*2\r\n$3\r\nGET\r\n$500000000\r\n" + bytes(100_000),
        b"x" * 60_000,
        b'{"command": "put", "key": "' + b"x" * 100_000,
        b"*1\r\n$4\r\nPI",
    ]
    with server.resp() as other:
        before = server.resident()
        connections = [Resp(server.port) for _ in range(200)]
        for number, connection in enumerate(connections):
            connection.send(halves[number % len(halves)])
        assert other.call("PING") == "PONG"
        assert server.resident() - before < 128 * MIB
        for connection in connections:
            connection.close()
        until(lambda: info(other, "connected_clients") == "1", "all of them are forgotten")


def test_bad_lines_among_good_ones_are_answered_one_by_one(server: Server) -> None:
    bad = [b"{", b'{"command": "read"}', b"[" * 1000, b"\xff", b"null", b'{"a": NaN}', b"{}" * 50]
    with JsonLines(server.port) as connection, server.resp() as other:
        lines = []
        for number in range(2000):
            good = b'{"command": "put", "key": "k%d", "value": %d}' % (number % 50, number)
            lines += [good, bad[number % len(bad)]]
        sender = threading.Thread(target=connection.send, args=(b"\n".join(lines) + b"\n",))
        sender.start()
        for number in range(2000):
            assert connection.reply() == {"status": "ok", "result": True}
            assert connection.reply()["status"] == "error", bad[number % len(bad)]
        sender.join()
        assert other.call("DBSIZE") == 50
