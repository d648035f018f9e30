"""Commands that wait for a block: others go on, and replies keep the order of their requests."""

from __future__ import annotations

import errno

import pytest
from tests.engine.support.kept import Kept, small_shape
from tests.engine.support.stores import flip, put, reopen
from tests.server.bench import Bench
from tests.support.wire import frame

from kveik.disk.faulty import FaultyDisk, fail_each, no_faults
from kveik.disk.memory import MemoryDisk, MemoryFile
from kveik.engine.cache import Cached
from kveik.engine.table import Partition
from kveik.engine.upkeep import Wanted
from kveik.format.table import table_name

MANY = 40


@pytest.fixture(autouse=True)
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no block in memory."""
    monkeypatch.setattr(MemoryFile, "read_now", lambda self, offset, length: None)


@pytest.fixture
def memory() -> MemoryDisk:
    """Two tables with keys 00 to 39, all of them "v", and "n" in the newer one."""
    disk = MemoryDisk()
    kept = Kept(disk)
    kept.write(*[put(b"%02d" % number, b"v" + bytes(100)) for number in range(MANY)])
    kept.tables()
    kept.write(put(b"n", b"7"), put(b"03", b"v" + bytes(100)))
    kept.tables()
    kept.close()
    return disk


@pytest.fixture
def disk(memory: MemoryDisk) -> FaultyDisk:
    return FaultyDisk(memory)


@pytest.fixture
def bench(disk: FaultyDisk) -> Bench:
    return Bench(reopen(disk, shape=small_shape()))


GET = frame("GET", "n")
SEVEN = b"$1\r\n7\r\n"


def pins(bench: Bench) -> int:
    """Of all blocks in memory."""
    found = 0
    for level in bench.store.view.version.levels:
        for table in level:
            blocks: list[Cached | None] = list(table.partitions)
            for partition in table.partitions:
                if isinstance(partition, Partition):
                    blocks += partition.blocks
            found += sum(block.pins for block in blocks if block is not None)
    return found


def test_a_command_that_misses_a_block_is_answered_once_that_is_loaded(bench: Bench) -> None:
    bench.session.data_received(GET)
    bench.loop.turn()
    assert bench.transport.written == b""
    assert bench.load_all() == 3  # the root, the partition, the block
    assert bench.transport.written == SEVEN
    bench.session.data_received(GET)
    assert bench.transport.written == SEVEN * 2
    assert bench.loads == []


def test_what_is_in_the_system_s_memory_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryFile, "read_now", MemoryFile.read)
    bench.session.data_received(GET)
    assert bench.load_all() == 1  # the file had to be opened
    assert bench.transport.written == SEVEN


def test_other_connections_go_on(bench: Bench) -> None:
    other, transport = bench.connect()
    bench.session.data_received(GET)
    other.data_received(frame("SET", "new", 1) + frame("GET", "new") + frame("PING"))
    bench.loop.turn()
    assert transport.written == b"+OK\r\n$1\r\n1\r\n+PONG\r\n"
    assert bench.transport.written == b""
    bench.load_all()
    assert bench.transport.written == SEVEN


def test_replies_keep_the_order_of_their_requests(bench: Bench) -> None:
    bench.session.data_received(frame("PING") + GET + frame("ECHO", "a") + frame("SET", "k", 1))
    bench.session.data_received(GET + frame("ECHO", "b"))
    bench.loop.turn()
    assert bench.transport.written == b"+PONG\r\n"
    bench.load_all()
    assert bench.transport.written == (
        b"+PONG\r\n" + SEVEN + b"$1\r\na\r\n+OK\r\n" + SEVEN + b"$1\r\nb\r\n"
    )


def test_nothing_more_is_read_from_a_connection_that_waits(bench: Bench) -> None:
    bench.session.data_received(GET)
    assert not bench.transport.reading
    bench.load_all()
    assert bench.transport.reading


def test_two_connections_wait_for_the_same_block(bench: Bench) -> None:
    other, transport = bench.connect()
    bench.session.data_received(GET)
    other.data_received(GET)
    bench.load_all()
    assert bench.transport.written == transport.written == SEVEN


def test_a_write_that_looks_first_is_done_once(bench: Bench) -> None:
    bench.session.data_received(frame("DEL", "n", "missing") + frame("DEL", "n"))
    bench.load_all()
    assert bench.transport.written == b":1\r\n:0\r\n"
    assert bench.store.lsn() == bench.store.flushed + 1


def test_what_others_write_while_a_command_waits_is_what_it_finds(bench: Bench) -> None:
    other, transport = bench.connect()
    bench.session.data_received(GET + frame("SET", "n", 8, "NX"))
    other.data_received(frame("SET", "n", 40))
    bench.loop.turn()
    assert transport.written == b"+OK\r\n"
    bench.load_all()
    assert bench.transport.written == b"$2\r\n40\r\n$-1\r\n"


def test_a_command_that_needs_many_blocks_ends_in_the_smallest_cache(disk: FaultyDisk) -> None:
    shape = small_shape()
    shape.cache_size = 1
    bench = Bench(reopen(disk, shape=shape))
    keys = [f"{number:02}" for number in range(MANY)]
    bench.session.data_received(frame("MGET", *keys))
    assert bench.load_all() > 5
    value = b"$101\r\nv" + bytes(100) + b"\r\n"
    assert bench.transport.written == b"*%d\r\n" % MANY + value * MANY
    bench.session.data_received(frame("PING"))
    assert pins(bench) == 0


def test_a_json_request_waits_as_well(disk: FaultyDisk) -> None:
    bench = Bench(reopen(disk, shape=small_shape()), "json")
    read = b'{"command": "read", "key": "%b"}\n'
    bench.session.data_received(read % b"n" + read % b"missing")
    assert bench.transport.written == b""
    bench.load_all()
    answers = bench.transport.written.splitlines()
    assert [b'"7"' in answer for answer in answers] == [True, False]
    assert len(answers) == 2


# --- read errors --------------------------------------------------------------------------------


def test_a_damaged_block_is_told_and_the_connection_goes_on(
    memory: MemoryDisk, bench: Bench
) -> None:
    flip(memory, table_name(2), 3)
    bench.session.data_received(GET + frame("PING"))
    bench.load_all()
    error, _, rest = bench.transport.written.partition(b"\r\n")
    assert error.startswith(b"-ERR " + table_name(2).encode() + b": offset 0: ")
    assert rest == b"+PONG\r\n"
    assert pins(bench) == 0


def test_a_disk_that_fails_to_read_is_told_and_asked_again_by_the_next_command(
    disk: FaultyDisk, bench: Bench
) -> None:
    disk.plan = fail_each("read", errno.EIO)
    bench.session.data_received(GET)
    bench.load_all()
    assert bench.transport.written.startswith(b"-ERR the data could not be read: ")
    assert b"Input/output error" in bench.transport.written
    disk.plan = no_faults
    bench.session.data_received(GET)
    bench.load_all()
    assert bench.transport.written.endswith(SEVEN)


def test_a_read_error_is_told_in_json_as_well(disk: FaultyDisk) -> None:
    bench = Bench(reopen(disk, shape=small_shape()), "json")
    disk.plan = fail_each("read", errno.EIO)
    bench.session.data_received(b'{"command": "read", "key": "n"}\n')
    bench.load_all()
    assert b"the data could not be read" in bench.transport.written


# --- ends ---------------------------------------------------------------------------------------


def test_a_connection_that_is_lost_while_it_waits_leaves_nothing(bench: Bench) -> None:
    bench.session.data_received(frame("MGET", "n", "05") + frame("SET", "k", 1))
    for _ in range(4):  # some blocks are pinned for the rest of it
        bench.load()
    bench.session.connection_lost(None)
    bench.load_all()
    assert bench.transport.written == b""
    assert pins(bench) == 0
    assert bench.store.lsn() == bench.store.flushed


def test_who_has_said_all_it_had_to_say_is_still_answered(bench: Bench) -> None:
    bench.session.data_received(GET + frame("PING"))
    bench.session.eof_received()
    assert not bench.transport.closed
    bench.load_all()
    assert bench.transport.written == SEVEN + b"+PONG\r\n"
    assert bench.transport.closed


def test_a_stop_waits_for_the_commands_that_wait(bench: Bench) -> None:
    other, transport = bench.connect()
    bench.session.data_received(GET)
    bench.session.stop()
    other.stop()
    assert transport.closed
    assert not bench.transport.closed
    bench.load_all()
    assert bench.transport.written == SEVEN
    assert bench.transport.closed


def test_a_connection_that_ends_by_a_failure_lets_go_of_what_it_has_pinned(
    disk: FaultyDisk, bench: Bench
) -> None:
    other, _ = bench.connect()
    disk.plan = fail_each("sync", errno.EIO)
    bench.session.data_received(frame("SET", "k", 1) + frame("MGET", "n", "05"))
    for _ in range(4):
        parked, done = bench.loads.pop(0)
        parked.load()
        done(parked)
    bench.loop.turn()  # the sync fails, and ends the connection
    assert bench.transport.closed
    bench.load_all()
    other.data_received(frame("PING"))
    assert pins(bench) == 0


def test_a_compaction_takes_no_file_away_that_a_command_waits_for(
    memory: MemoryDisk, disk: FaultyDisk
) -> None:
    kept = Kept(disk)
    bench = Bench(kept.store)
    bench.session.data_received(frame("GET", "05"))
    waits_for = bench.loads[0][0].fault.table.name
    kept.upkeep.wanted = Wanted(b"\0", b"\1")
    kept.keep_up()
    assert waits_for in memory.names()
    bench.load_all()
    assert bench.transport.written == b"$101\r\nv" + bytes(100) + b"\r\n"
    kept.keep_up()
    assert waits_for not in memory.names()


# --- commands that do more than look a key up ---------------------------------------------------


def test_a_scan_that_waits_leaves_one_cursor(bench: Bench) -> None:
    cursor = b"0"
    found = 0
    for _ in range(5):
        bench.session.data_received(frame("SCAN", cursor, "COUNT", 10))
        bench.load_all()
        words = bench.transport.written.split(b"\r\n")
        bench.transport.written = b""
        assert words[:1] == [b"*2"]
        cursor = words[2]
        found += int(words[3][1:])
    assert (cursor, found) == (b"0", MANY + 1)
    assert bench.session.client.server.cursors.given == 4
    bench.session.data_received(frame("PING"))  # what was pinned is let go of by the next command
    assert pins(bench) == 0


def test_a_random_key_that_has_to_be_waited_for_is_drawn_once(bench: Bench) -> None:
    for count in range(1, 10):
        bench.session.data_received(frame("RANDOMKEY"))
        bench.load_all()
        assert bench.transport.written.count(b"$") == count
    bench.session.data_received(frame("PING"))  # what was pinned is let go of by the next command
    assert pins(bench) == 0


def test_a_copy_to_another_database_that_waits_is_done_once(bench: Bench) -> None:
    bench.session.data_received(frame("COPY", "n", "m", "DB", 3) + frame("MOVE", "n", 3))
    bench.load_all()
    bench.session.data_received(frame("GET", "m") + frame("EXISTS", "n") + frame("SELECT", 3))
    bench.session.data_received(frame("GET", "m") + frame("GET", "n"))
    bench.load_all()
    assert bench.transport.written == b":1\r\n:1\r\n$-1\r\n:0\r\n+OK\r\n" + SEVEN * 2


def test_a_long_common_subsequence_lets_others_have_their_turn(bench: Bench) -> None:
    other, transport = bench.connect()
    long = b"abcdefgh" * 500
    bench.session.data_received(frame("MSET", "a", long, "b", long[1:]))
    bench.session.data_received(frame("LCS", "a", "b", "LEN") + frame("PING"))
    other.data_received(frame("PING"))
    assert transport.written == b"+PONG\r\n"
    assert b":3999" not in bench.transport.written
    bench.loop.turn()
    assert bench.transport.written == b"+OK\r\n:3999\r\n+PONG\r\n"
