"""A session between a transport that only notes what is done to it and a disk in memory."""

from __future__ import annotations

import pytest
from tests.server.bench import Bench
from tests.support.wire import frame

from kveik.command import registry
from kveik.command.command import on_client


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_reply_to_a_write_leaves_only_after_the_turn_that_syncs_it(bench: Bench) -> None:
    bench.session.data_received(frame("SET", "k", 1) + frame("PING"))
    assert bench.transport.written == b""
    bench.loop.turn()
    assert bench.transport.written == b"+OK\r\n+PONG\r\n"


def test_nothing_is_answered_while_the_transport_is_full(bench: Bench) -> None:
    bench.session.pause_writing()
    bench.session.data_received(frame("PING"))
    bench.loop.turn()
    assert (bench.transport.written, bench.transport.reading) == (b"", False)
    bench.session.resume_writing()
    bench.loop.turn()
    assert (bench.transport.written, bench.transport.reading) == (b"+PONG\r\n", True)


def test_a_long_pipeline_is_answered_in_turns(bench: Bench) -> None:
    bench.session.data_received(frame("PING") * 2500)
    assert bench.transport.written == b"+PONG\r\n" * 1000
    assert not bench.transport.reading
    bench.loop.turn()
    assert bench.transport.written == b"+PONG\r\n" * 2500
    assert bench.transport.reading


def test_the_transport_is_not_closed_while_it_calls_resume_writing(bench: Bench) -> None:
    """asyncio's own transport, closed there, reports the lost connection twice."""
    bench.session.pause_writing()
    bench.session.data_received(frame("PING"))
    bench.session.eof_received()
    bench.session.resume_writing()
    assert not bench.transport.closed
    bench.loop.turn()
    assert bench.transport.written == b"+PONG\r\n"
    assert bench.transport.closed


def test_a_lost_connection_leaves_nothing_to_do(bench: Bench) -> None:
    bench.session.data_received(frame("SET", "k", 1) * 2500)
    bench.session.connection_lost(None)
    bench.session.data_received(frame("PING"))
    bench.loop.turn()
    assert bench.transport.written == b""


def test_what_an_internal_error_leaves_behind_never_reaches_another_connection(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = "Returns what no protocol can say."
    broken = on_client(lambda client, args: object(), "BROKEN", 1, "", "server", summary)
    monkeypatch.setitem(registry.TABLE, b"BROKEN", broken)
    other, transport = bench.connect()
    bench.session.data_received(frame("ECHO", "secret") + frame("BROKEN"))
    bench.loop.turn()
    assert bench.transport.closed
    other.data_received(frame("PING"))
    bench.loop.turn()
    assert transport.written == b"+PONG\r\n"
