"""What several connections have sent is answered together, at the end of the loop's turn."""

from __future__ import annotations

import pytest
from tests.server.bench import Bench
from tests.support.wire import frame

from kveik.limits import SMALL_READ

SET = frame("SET", "key", "value")
GET = frame("GET", "key")
OK = b"+OK\r\n"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.server.connections = 2
    return bench


def test_nothing_is_done_before_all_have_been_read(bench: Bench) -> None:
    other, transport = bench.connect()
    bench.session.data_received(SET)
    other.data_received(GET)
    assert bench.store.lsn() == 0
    bench.loop.once()
    assert bench.transport.written == OK
    assert transport.written == b"$5\r\nvalue\r\n"  # in the order in which they came


def test_one_that_is_alone_is_answered_at_once(bench: Bench) -> None:
    bench.server.connections = 1
    bench.session.data_received(GET)
    assert bench.transport.written == b"$-1\r\n"


def test_much_is_answered_at_once(bench: Bench) -> None:
    """So that what has been read of thousands does not wait in memory."""
    bench.session.data_received(frame("SET", "key", "x" * SMALL_READ))
    assert bench.store.lsn() == 1
    bench.loop.turn()
    assert bench.transport.written == OK


def test_what_comes_meanwhile_is_answered_behind_it(bench: Bench) -> None:
    bench.session.data_received(SET)
    bench.session.data_received(GET)
    bench.loop.turn()
    assert bench.transport.written == OK + b"$5\r\nvalue\r\n"


def test_one_that_sends_no_more_is_answered_and_closed(bench: Bench) -> None:
    bench.session.data_received(SET)
    assert bench.session.eof_received()
    bench.loop.turn()
    assert (bench.transport.written, bench.transport.closed) == (OK, True)


def test_one_that_has_gone_harms_nobody(bench: Bench) -> None:
    other, transport = bench.connect()
    bench.session.data_received(SET)
    other.data_received(GET)
    bench.session.connection_lost(None)
    bench.loop.turn()
    assert (bench.transport.written, transport.written) == (b"", b"$-1\r\n")


def test_one_that_fails_does_not_stop_the_others_for_good(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        monkeypatch.undo()
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(bench.transport, "is_closing", fail)
    bench.session._reading = False  # so that it asks
    bench.session.data_received(SET)
    with pytest.raises(RuntimeError):
        bench.loop.turn()
    other, transport = bench.connect()
    other.data_received(GET)
    bench.loop.turn()
    assert transport.written == b"$5\r\nvalue\r\n"


def test_nothing_is_answered_once_a_connection_was_cut_off(bench: Bench) -> None:
    """By what it has asked for itself: here, a message that somebody is told of."""
    session = bench.session
    other, _ = bench.connect()
    other.data_received(frame("SUBSCRIBE", "channel"))
    bench.loop.turn()
    other.client.wake = session.abort
    session.data_received(frame("PUBLISH", "channel", "hello") + SET)
    bench.loop.turn()
    assert bench.transport.closed
    assert bench.store.lsn() == 0
