"""EXEC where blocks are missing: it runs again from the start, and nothing happens twice."""

from __future__ import annotations

import pytest
from tests.engine.support.kept import Kept, small_shape
from tests.engine.support.stores import put, reopen
from tests.server.bench import Bench
from tests.support.wire import frame

from kveik.disk.memory import MemoryDisk, MemoryFile
from kveik.model import BYTES, Cell, Writes

MANY = 40


@pytest.fixture(autouse=True)
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no block in memory."""
    monkeypatch.setattr(MemoryFile, "read_now", lambda self, offset, length: None)


@pytest.fixture
def bench() -> Bench:
    """A table with keys 00 to 39, all of them "v", and much behind it."""
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(*[put(b"%02d" % number, b"v" + bytes(100)) for number in range(MANY)])
    kept.tables()
    kept.close()
    return Bench(reopen(disk, shape=small_shape()))


def test_an_exec_that_misses_blocks_happens_once(bench: Bench) -> None:
    other, transport = bench.connect()
    other.data_received(frame("SUBSCRIBE", "x"))
    transport.written = b""
    before = bench.store.lsn()
    requests = [
        frame("MULTI"),
        frame("SET", "new", "1"),
        frame("PUBLISH", "x", "first"),
        frame("CLIENT", "SETNAME", "me"),
        frame("SELECT", "1"),
        frame("SET", "new", "2"),
        frame("SELECT", "0"),
        frame("DEL", "05", "missing"),
        frame("EXISTS", "05", "31"),
        frame("PUBLISH", "x", "last"),
        frame("EXEC"),
    ]
    bench.session.data_received(b"".join(requests))
    assert bench.transport.written == b"+OK\r\n" + b"+QUEUED\r\n" * 9
    assert bench.session.client.name == b""
    assert transport.written == b""
    bench.transport.written = b""
    assert bench.load_all() > 2
    assert bench.transport.written == (
        b"*9\r\n+OK\r\n:1\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n:1\r\n:1\r\n:1\r\n"
    )
    assert bench.store.lsn() == before + 1  # one record in the log
    assert bench.session.client.name == b"me"
    assert bench.session.client.database == 0
    assert transport.written.count(b"first") == transport.written.count(b"last") == 1
    bench.session.data_received(frame("SELECT", "1") + frame("GET", "new"))
    bench.load_all()
    assert bench.transport.written.endswith(b"+OK\r\n$1\r\n2\r\n")


def test_what_others_write_while_an_exec_waits_makes_it_fail_if_it_is_watched(
    bench: Bench,
) -> None:
    other, transport = bench.connect()
    bench.session.data_received(frame("WATCH", "k"))
    bench.load_all()
    bench.session.data_received(frame("MULTI") + frame("GET", "05") + frame("SET", "k", "mine"))
    bench.session.data_received(frame("EXEC"))
    bench.transport.written = b""
    other.data_received(frame("SET", "k", "theirs"))
    bench.load_all()
    assert bench.transport.written == b"*-1\r\n"
    other.data_received(frame("GET", "k"))
    bench.load_all()
    assert transport.written.endswith(b"$6\r\ntheirs\r\n")
    assert bench.server.watched == {}
    assert bench.server.queued == 0


def test_a_connection_that_is_lost_in_an_exec_has_done_nothing(bench: Bench) -> None:
    before = bench.store.lsn()
    bench.session.data_received(frame("WATCH", "new") + frame("MULTI") + frame("SET", "new", "1"))
    bench.session.data_received(frame("GET", "05") + frame("EXEC"))
    bench.load()
    bench.session.connection_lost(None)
    bench.load_all()
    assert bench.store.lsn() == before
    assert bench.server.watched == {}
    assert bench.server.queued == 0
    assert list(bench.server.clients) == [] or bench.session.client.number not in (
        bench.server.clients
    )


def test_an_expired_value_in_a_table_is_told_once(bench: Bench) -> None:
    other, transport = bench.connect()
    other.data_received(frame("CONFIG", "SET", "notify-keyspace-events", "Ex"))
    other.data_received(frame("PSUBSCRIBE", "*"))
    transport.written = b""
    writes = Writes()
    writes.put(b"\0k", Cell(BYTES, b"v", 1))
    bench.store.commit(writes)
    bench.session.data_received(frame("GET", "k"))
    bench.load_all()
    bench.session.data_received(frame("GET", "k") + frame("MGET", "k", "05"))
    bench.load_all()
    bench.loop.turn()
    assert transport.written.count(b"__keyevent@0__:expired") == 1
