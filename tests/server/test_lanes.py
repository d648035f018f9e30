"""Several syncs at once: replies in order, none before its turn, whichever sync ends first."""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.stores import contents
from tests.server.bench import Bench
from tests.support.wire import frame

from kveik.disk.faulty import FaultyDisk, fail_each
from kveik.disk.memory import MemoryDisk
from kveik.engine.log import Group
from kveik.engine.opening import open_store
from kveik.server.gate import CHEAP_SYNC, LANES, SAMPLE, Flight

SLOW = 1.0  # seconds a sync takes, as far as the gate knows
MEMORY = 8 << 20  # of which a segment is an eighth


class Lanes(Bench):
    """A bench with two connections and a slow disk, whose syncs end when they are told to."""

    def __init__(self, disk: MemoryDisk | FaultyDisk | None = None) -> None:
        super().__init__(open_store(disk or MemoryDisk(), memory=MEMORY))
        self.flights: list[Flight] = []  # under way, in their order
        self._done: Callable[[Flight], None] | None = None
        self.server.connections = 2
        self.gate = self._host.gate
        self.gate._cost = SLOW

    def _perform(self, flight: Flight, done: Callable[[Flight], None]) -> None:
        self.flights.append(flight)
        self._done = done

    def send(self, key: str, value: object) -> None:
        """A SET in a turn of its own."""
        self.session.data_received(frame("SET", key, str(value)))
        self.loop.turn()

    def land(self, at: int, error: Exception | None = None, *, seconds: float = SLOW) -> None:
        """The sync of a flight ends."""
        flight = self.flights.pop(at)
        flight.seconds = seconds
        flight.error = error
        if error is None:
            flight.group.perform()
        assert self._done is not None
        self._done(flight)
        self.loop.turn()

    def answered(self) -> int:
        written = self.transport.written
        assert written == b"+OK\r\n" * (len(written) // 5)
        return len(written) // 5


def test_a_sync_sets_out_while_others_are_under_way() -> None:
    bench = Lanes()
    for number in range(LANES + 2):
        bench.send(f"k{number}", number)
    assert len(bench.flights) == LANES
    assert sorted(flight.lane for flight in bench.flights) == list(range(LANES))
    bench.land(0)
    assert bench.answered() == 1
    assert [flight.group.lsn for flight in bench.flights] == [2, 3, 4, 6]  # 5 and 6 went together


def test_no_reply_overtakes_an_earlier_sync() -> None:
    bench = Lanes()
    for number in range(3):
        bench.send(f"k{number}", number)
    bench.land(2)
    bench.land(1)
    assert bench.answered() == 0
    assert bench.store.synced() == 0
    bench.land(0)
    assert bench.answered() == 3
    assert bench.store.synced() == 3
    assert not bench.gate.busy


def test_each_of_them_has_an_open_file_of_its_own() -> None:
    """One that is shared tells only the first who asks that what was written is lost."""
    bench = Lanes()
    for number in range(LANES):
        bench.send(f"k{number}", number)
    files = {id(flight.group._file) for flight in bench.flights}
    assert len(files) == LANES


@pytest.mark.parametrize("failing", range(3))
@pytest.mark.parametrize("last", range(2))
def test_after_one_has_failed_nothing_more_is_acknowledged(failing: int, last: int) -> None:
    bench = Lanes()
    for number in range(3):
        bench.send(f"k{number}", number)
    bench.land(failing, OSError(errno.EIO, "Input/output error"))
    before = bench.transport.written
    assert before.count(b"-MISCONF") + before.count(b"-ERR") > 0 or bench.transport.closed
    bench.land(last)
    bench.land(0)
    assert b"+OK" not in bench.transport.written
    assert bench.store.synced() == 0
    assert not bench.gate.busy
    bench.session.data_received(frame("SET", "more", 1))
    bench.loop.turn()
    assert bench.flights == []
    assert b"+OK" not in bench.transport.written


def test_the_end_of_a_segment_waits_for_the_others_and_they_for_it() -> None:
    bench = Lanes()
    size = bench.store.shape.segment_size // 3
    bench.send("a", "x" * size)
    bench.send("b", "x" * size)
    bench.send("c", "x" * size)  # it has no room
    bench.send("d", "x")
    assert len(bench.flights) == 2
    bench.land(0)
    assert len(bench.flights) == 1
    bench.land(0)
    assert [flight.group.ends_segment() for flight in bench.flights] == [True]
    bench.send("e", "x")
    assert len(bench.flights) == 1
    bench.land(0)
    assert [flight.group.lsn for flight in bench.flights] == [5]  # d and e
    bench.land(0)
    assert bench.answered() == 5


def test_where_no_more_files_can_be_opened_they_wait_for_each_other() -> None:
    inner = FaultyDisk(MemoryDisk())
    bench = Lanes(inner)
    inner.plan = fail_each("open", errno.EMFILE)
    for number in range(3):
        bench.send(f"k{number}", number)
    assert len(bench.flights) == 1
    for _ in range(3):
        if bench.flights:
            bench.land(0)
    assert bench.answered() == 3
    assert bench.store.synced() == 3


def test_a_cheap_sync_has_no_company() -> None:
    bench = Lanes()
    bench.send("a", 1)
    bench.gate._cost = 0.0
    bench.send("b", 1)
    assert len(bench.flights) == 1


def test_a_disk_that_has_become_fast_is_used_on_the_loop_again() -> None:
    bench = Lanes()
    for number in range(SAMPLE):
        bench.send(f"k{number}", number)
        bench.land(0, seconds=SLOW if number % 3 else CHEAP_SYNC / 2)
    bench.send("k", 1)
    assert bench.flights == []
    assert bench.answered() == SAMPLE + 1


def test_it_sets_out_once_there_is_enough_for_it_or_another_one_is_over() -> None:
    bench = Lanes()
    bench.server.connections = 3 * LANES
    for number in range(3):
        bench.send(f"k{number}", number)
    assert [flight.group.lsn for flight in bench.flights] == [1]
    bench.send("k", 3)
    assert [flight.group.lsn for flight in bench.flights] == [1, 4]
    bench.send("k", 4)
    assert len(bench.flights) == 2
    bench.land(0)
    assert [flight.group.lsn for flight in bench.flights] == [4, 5]


def write_only(group: Group) -> None:
    """A flight that has come so far when the power fails."""
    for span in group.spans:
        if span.pieces:
            span.segment.file.write(span.offset, span.pieces)
        if span.seal:
            return  # the next segment is not written to before this one is synced


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=300)
def test_whatever_is_acknowledged_is_there_after_a_crash(steps: list[int], seed: int) -> None:
    chance = Random(seed)
    disk = MemoryDisk()
    bench = Lanes(disk)
    sent: list[tuple[bytes, bytes]] = []
    for step in steps:
        if step < 6 or not bench.flights:
            size = chance.choice([1, 100, 5000, 200_000])
            pair = (b"k%d" % chance.randrange(8), chance.randbytes(size))
            sent.append(pair)
            bench.session.data_received(frame("SET", *pair))
            bench.loop.turn()
        else:
            bench.land(chance.randrange(len(bench.flights)))
    for flight in bench.flights:
        if chance.random() < 0.7:
            write_only(flight.group)
    acknowledged = bench.answered()
    left = contents(open_store(disk.crash(seed), memory=MEMORY))
    # Some beginning of the history, with all that was acknowledged in it.
    histories = [dict(sent[:count]) for count in range(acknowledged, len(sent) + 1)]
    assert left in histories
