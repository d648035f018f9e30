"""What all connections hold back together has a bound; who holds back most is cut off."""

from __future__ import annotations

import logging

import pytest
from tests.server.bench import Bench
from tests.support.wire import frame

from kveik.command.sessions import look_after
from kveik.command.state import Server
from kveik.limits import COUNT_EVERY, MAX_BUFFERED, PUSH_BOUND
from kveik.model import Push

BOUND = 1 << 20
HALF = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n"  # a request that never ends


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    server(bench).most_buffered = BOUND
    return bench


def server(bench: Bench) -> Server:
    return bench._host.server


def test_half_a_request_counts_until_it_is_whole(bench: Bench) -> None:
    value = bytes(500_000)
    request = frame("SET", "k", value)
    for at in range(0, len(request) - 1, 50_000):
        bench.session.data_received(request[at : at + 50_000])
    assert server(bench).buffered >= 450_000
    bench.loop.turn()
    assert bench.transport.written == b"+OK\r\n"
    bench._host.buffers.tick()
    assert server(bench).buffered == 0
    assert server(bench).bytes_in == len(request)
    assert server(bench).bytes_out == len(b"+OK\r\n")


@pytest.mark.parametrize(
    "beginning",
    [HALF, b"*1000000\r\n" + b"$0\r\n\r\n" * 10, b'{"command": "put", "key": "', b"*2\r\n$9"],
    ids=["a long value", "many arguments", "a long line", "a long length"],
)
def test_half_a_frame_that_never_ends_is_cut_off(
    bench: Bench, beginning: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bench.session.connection_lost(None)
    session, transport = bench.connect("auto")
    other, answers = bench.connect()
    session.data_received(beginning)
    piece = b"$0\r\n\r\n" * 1000 if beginning.startswith(b"*1000000") else b"x" * 10_000
    with caplog.at_level(logging.WARNING, "kveik"):
        for _ in range(400):
            if transport.closed:
                break
            session.data_received(piece)
    assert transport.closed
    session.connection_lost(None)
    other.data_received(frame("PING"))
    assert answers.written == b"+PONG\r\n"
    assert server(bench).buffered <= BOUND
    if beginning == HALF:
        assert server(bench).evicted == 1
        assert "it holds back" in caplog.text
        assert f"(bound: {BOUND})" in caplog.text


def test_who_holds_back_most_is_cut_off_and_nobody_else(bench: Bench) -> None:
    small, kept = bench.connect()
    large, cut = bench.connect()
    small.data_received(HALF + bytes(200_000))
    large.data_received(HALF + bytes(700_000))
    assert not cut.closed
    small.data_received(bytes(200_000))  # the last straw is not the largest
    assert cut.closed
    assert not kept.closed
    large.connection_lost(None)
    assert server(bench).evicted == 1
    assert 400_000 <= server(bench).buffered <= 500_000
    small.connection_lost(None)
    assert server(bench).buffered == 0


def test_replies_that_are_not_read_count(bench: Bench) -> None:
    bench.session.data_received(frame("SET", "k", bytes(100_000)))
    bench.loop.turn()
    bench.transport.unsent = 100_000
    bench.session.data_received(frame("GET", "k"))
    assert server(bench).buffered == 100_000
    bench.transport.unsent = 2 * BOUND
    bench.session.data_received(frame("GET", "k"))
    assert bench.transport.closed
    assert server(bench).evicted == 1


def test_a_sum_that_lags_behind_cuts_nobody_off(bench: Bench) -> None:
    """What has left meanwhile is found out before anybody is."""
    bench.session.data_received(frame("SET", "k", bytes(COUNT_EVERY)))
    bench.loop.turn()
    others = [bench.connect() for _ in range(8)]
    for session, transport in others:
        transport.unsent = 200_000
        session.data_received(frame("GET", "k"))
        transport.unsent = 0  # read at once
    assert not any(transport.closed for _, transport in others)
    assert server(bench).evicted == 0


def test_replies_behind_the_gate_count(bench: Bench) -> None:
    bench._host.gate.busy = True
    bench.session.data_received(frame("SET", "k", bytes(100_000)) + frame("GET", "k"))
    bench.loop.turn()
    assert bench.transport.written == b""
    assert server(bench).buffered >= 100_000


def test_what_a_long_command_gathers_counts(bench: Bench) -> None:
    server(bench).most_buffered = MAX_BUFFERED
    for number in range(3000):
        bench.session.data_received(frame("SET", f"k{number}", bytes(100)))
    bench.loop.turn()
    bench.session.data_received(frame("KV.RANGE", "-", "+", "LIMIT", 0, -1))
    bench.session.pause_writing()
    job = bench.session._dialect.parked.job
    while job.size == 0:
        assert job.step()
    bench._host.buffers.tick()
    assert server(bench).buffered > 100_000
    bench.session.connection_lost(None)
    assert server(bench).buffered == 0


def test_who_does_not_read_what_it_is_told_is_cut_off(bench: Bench) -> None:
    server(bench).most_buffered = MAX_BUFFERED
    bench.session.data_received(frame("PING"))
    bench.session.pause_writing()
    message = Push([b"message", bytes(1)], PUSH_BOUND // 4)
    for _ in range(4):
        bench.session.client.push(message)
    assert not bench.transport.closed
    bench.session.client.push(message)
    assert bench.transport.closed
    assert server(bench).slow == 1


def test_one_large_push_is_let_through(bench: Bench) -> None:
    server(bench).most_buffered = MAX_BUFFERED
    bench.session.data_received(frame("PING"))
    bench.session.client.push(Push([b"message"], 2 * PUSH_BOUND))
    bench.loop.turn()
    assert not bench.transport.closed
    assert bench.transport.written.endswith(b"*1\r\n$7\r\nmessage\r\n")


# --- the idle -----------------------------------------------------------------------------------


def test_who_says_nothing_for_too_long_is_closed(bench: Bench) -> None:
    state = server(bench)
    state.idle_timeout = 10
    other, transport = bench.connect()
    watcher, watching = bench.connect()
    watcher.data_received(frame("KV.WATCH", "a"))
    state.now += 8
    other.data_received(b"*1\r\n$4\r\nPI")  # half a request is a sign of life
    look_after(state, 1.0)
    state.now += 4
    look_after(state, 1.0)
    assert bench.transport.closed
    assert state.idle == 1
    assert not transport.closed
    state.now += 7
    look_after(state, 1.0)
    assert transport.closed
    assert not watching.closed  # who watches has nothing to say


def test_without_a_timeout_nobody_is_closed(bench: Bench) -> None:
    state = server(bench)
    state.now += 1e9
    look_after(state, 1.0)
    assert not bench.transport.closed


def test_connections_past_the_most_are_refused_and_counted(bench: Bench) -> None:
    state = server(bench)
    state.most_connections = 1
    state.connections = 2
    _, transport = bench.connect()
    assert transport.written == b"-ERR max number of clients reached\r\n"
    assert transport.closed
    assert state.refused == 1
