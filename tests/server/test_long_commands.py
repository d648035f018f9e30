"""Commands that take long: others have their turn between their steps, and nothing is kept."""

from __future__ import annotations

import json

import pytest
from tests.engine.support.kept import Kept, small_shape
from tests.engine.support.stores import flip, put, reopen
from tests.server.bench import Bench, Transport
from tests.support.wire import frame

from kveik.disk.memory import MemoryDisk, MemoryFile
from kveik.engine.store import Store
from kveik.format.table import table_name
from kveik.limits import OUTPUT_BOUND, WALK_ROWS
from kveik.model import BYTES, Cell, Writes

MANY = 5 * WALK_ROWS
VALUE = b"v" * 20
KEYS = [b"%05d" % number for number in range(MANY)]
ALL = frame("KV.RANGE", "-", "+", "LIMIT", 0, -1)
WHOLE = b"*%d\r\n" % (2 * MANY) + b"".join(b"$5\r\n%b\r\n$20\r\n%b\r\n" % (k, VALUE) for k in KEYS)
PING = frame("PING")


def fill(store: Store, value: bytes = VALUE) -> None:
    writes = Writes()
    for key in KEYS:
        writes.put(b"\0" + key, Cell(BYTES, value))
    store.commit(writes)
    group = store.take(True)
    assert group is not None
    group.perform()
    store.settle(group)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    fill(bench.store)
    return bench


def free(bench: Bench) -> bool:
    bench.store.fold()
    return all(memtable.holders == 0 for memtable in bench.store.view.memtables)


def once(bench: Bench) -> None:
    """One turn of the loop: what was called for before, not what that calls for."""
    bench.loop.once()


def turns(bench: Bench, other: Transport, ask: object) -> int:
    """In how many turns of the loop another connection is answered before all is done."""
    count = 0
    while bench.loop._soon:
        once(bench)
        before = len(other.written)
        ask.data_received(PING)
        assert len(other.written) == before + len(b"+PONG\r\n")
        count += 1
    return count


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (ALL, WHOLE),
        (frame("KV.COUNT", "-", "+"), b":%d\r\n" % MANY),
        (frame("KEYS", "*7"), None),
        (frame("KV.DELRANGE", "-", "+", "COUNT"), b":%d\r\n" % MANY),
        (frame("SCAN", "0", "MATCH", "0000*", "COUNT", MANY), None),
        (frame("RANDOMKEY"), None),
    ],
    ids=["KV.RANGE", "KV.COUNT", "KEYS", "KV.DELRANGE", "SCAN", "RANDOMKEY"],
)
def test_others_are_answered_between_the_steps(
    bench: Bench, request_: bytes, reply: bytes | None
) -> None:
    other, transport = bench.connect()
    bench.session.data_received(request_ + PING)
    assert turns(bench, transport, other) >= 4
    assert bench.transport.written.endswith(b"+PONG\r\n")
    if reply is not None:
        assert bench.transport.written == reply + b"+PONG\r\n"
    assert free(bench)


def test_a_long_reply_leaves_in_parts(bench: Bench) -> None:
    bench.session.data_received(ALL)
    longest = 0
    while bench.loop._soon:
        before = len(bench.transport.written)
        once(bench)
        longest = max(longest, len(bench.transport.written) - before)
    assert bench.transport.written == WHOLE
    assert longest < len(WHOLE) // 4


def test_a_reader_that_is_slow_gets_no_more_than_it_takes(bench: Bench) -> None:
    bench.session.data_received(ALL)
    while bench.loop._soon and not bench.transport.written:
        once(bench)
    bench.session.pause_writing()
    once(bench)
    there = len(bench.transport.written)
    bench.loop.turn()  # ends: nothing goes round in circles
    assert len(bench.transport.written) == there < len(WHOLE)
    bench.session.resume_writing()
    bench.loop.turn()
    assert bench.transport.written == WHOLE


def test_a_step_waits_for_a_reader_that_is_slow(bench: Bench) -> None:
    bench.session.data_received(ALL)
    bench.session.pause_writing()
    bench.loop.turn()
    assert bench.transport.written == b""
    bench.session.resume_writing()
    bench.loop.turn()
    assert bench.transport.written == WHOLE


def test_what_is_written_meanwhile_is_not_in_it(bench: Bench) -> None:
    other, transport = bench.connect()
    bench.session.data_received(ALL)
    once(bench)
    other.data_received(frame("FLUSHALL") + frame("SET", "new", 1))
    bench.loop.turn()
    assert transport.written == b"+OK\r\n+OK\r\n"
    assert bench.transport.written == WHOLE


def test_the_reply_waits_for_a_write_that_it_shows() -> None:
    bench = Bench()
    fill(bench.store)
    bench._host.gate.busy = True  # a sync is under way, so the write of this turn is not safe
    other, transport = bench.connect()
    other.data_received(frame("SET", KEYS[MANY - 1], VALUE))
    bench.session.data_received(ALL)
    bench.loop.turn()
    assert transport.written == bench.transport.written == b""
    bench._host.gate.busy = False
    bench._host.gate._start(True)
    bench.loop.turn()
    assert transport.written == b"+OK\r\n"
    assert bench.transport.written == WHOLE


@pytest.mark.parametrize("steps", [0, 1, 3, 6, 8])
def test_a_client_that_vanishes_leaves_nothing(bench: Bench, steps: int) -> None:
    bench.session.data_received(ALL + PING)
    for _ in range(steps):
        once(bench)
    bench.session.connection_lost(None)
    bench.loop.turn()
    assert free(bench)
    assert bench._host.server.buffered == 0


@pytest.mark.parametrize("steps", [0, 2, 6])
def test_a_client_that_vanishes_while_it_reads_nothing_leaves_nothing(
    bench: Bench, steps: int
) -> None:
    bench.session.data_received(ALL)
    for _ in range(steps):
        once(bench)
    bench.session.pause_writing()
    bench.loop.turn()
    bench.session.connection_lost(None)
    bench.loop.turn()
    assert free(bench)


def test_who_has_said_all_it_had_to_say_gets_the_whole_reply(bench: Bench) -> None:
    bench.session.data_received(ALL)
    bench.session.eof_received()
    bench.loop.turn()
    assert bench.transport.written == WHOLE
    assert bench.transport.closed


@pytest.mark.parametrize("steps", [1, 7])
def test_a_stop_waits_for_a_long_command(bench: Bench, steps: int) -> None:
    bench.session.data_received(ALL)
    for _ in range(steps):
        once(bench)
    bench.session.stop()
    bench.loop.turn()
    assert bench.transport.written == WHOLE
    assert bench.transport.closed


def test_a_long_reply_in_json_is_one_object_on_one_line() -> None:
    bench = Bench(protocol="json")
    fill(bench.store)
    request = {"command": "read_key_range", "start_key": "0", "end_key": "9"}
    bench.session.data_received(json.dumps(request).encode() + b"\n")
    assert bench.transport.written == b""
    bench.loop.turn()
    assert bench.transport.written.count(b"\n") == 1
    answer = json.loads(bench.transport.written)
    expected = {key.decode(): VALUE.decode() for key in KEYS}
    assert answer == {"status": "ok", "result": expected}
    assert list(answer["result"]) == list(expected)


def test_a_reply_larger_than_the_output_bound_stops_at_it() -> None:
    bench = Bench()
    fill(bench.store, b"v" * 1000)
    size = len(bench.transport.written)
    bench.session.data_received(ALL)
    while bench.loop._soon and len(bench.transport.written) == size:
        once(bench)
    assert len(bench.transport.written) < OUTPUT_BOUND
    bench.loop.turn()
    assert bench.transport.written.count(b"$1000\r\n") == MANY


# --- tables -------------------------------------------------------------------------------------


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> MemoryDisk:
    """Tables with many keys, of which nothing is in memory."""
    disk = MemoryDisk()
    kept = Kept(disk)
    for at in range(0, MANY, 50):
        kept.save(*[put(key, VALUE) for key in KEYS[at : at + 50]])
    kept.tables()
    kept.close()
    monkeypatch.setattr(MemoryFile, "read_now", lambda self, offset, length: None)
    return disk


def test_a_step_that_misses_a_block_goes_on_where_it_was(disk: MemoryDisk) -> None:
    bench = Bench(reopen(disk, shape=small_shape()))
    bench.session.data_received(ALL)
    loads = 0
    bench.loop.turn()
    while bench.loads:
        bench.load()
        loads += 1
    assert bench.transport.written == WHOLE
    assert 5 < loads < MANY // 4


def test_a_client_that_vanishes_while_a_step_waits_for_a_block_leaves_nothing(
    disk: MemoryDisk,
) -> None:
    bench = Bench(reopen(disk, shape=small_shape()))
    bench.session.data_received(ALL)
    for _ in range(12):
        bench.loop.turn()
        bench.load()
    bench.session.connection_lost(None)
    bench.load_all()
    assert free(bench)


def test_damage_in_the_middle_of_a_long_command_is_told(disk: MemoryDisk) -> None:
    bench = Bench(reopen(disk, shape=small_shape()))
    infos = [info for level in bench.store.view.version.infos() for info in level]
    last = max(infos, key=lambda info: info.high)
    flip(disk, table_name(last.number), 3)
    bench.session.data_received(ALL + PING)
    bench.loop.turn()
    bench.load_all()
    assert bench.transport.written.startswith(b"-ERR ")
    assert bench.transport.written.endswith(b"\r\n+PONG\r\n")
    assert free(bench)


def test_a_range_that_was_deleted_and_cannot_be_counted_says_so(disk: MemoryDisk) -> None:
    bench = Bench(reopen(disk, shape=small_shape()))
    levels = bench.store.view.version.infos()[1:]
    infos = max(levels, key=len)  # one table of it is read after the other
    last = max(infos, key=lambda info: info.high)
    flip(disk, table_name(last.number), 3)
    bench.session.data_received(frame("KV.DELRANGE", "-", "+", "COUNT"))
    bench.loop.turn()
    bench.load_all()
    told = bench.transport.written
    assert told.startswith(b"-ERR the range was deleted, but its entries could not be counted: ")
