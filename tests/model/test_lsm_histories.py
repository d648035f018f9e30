"""Drawn histories of a store with tables, on a disk that crashes, against a dict for each commit.

Writes, clears, expiry, flushes, compactions, snapshots, crashes and reopenings, in any order; the
three parts of a step of the upkeep come apart, as they do where threads perform them.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.support.driver import Driver, Step, alive, clear, delete, put
from tests.engine.support.lsm_script import KEYS, draw_script, play
from tests.engine.support.stores import value

from kveik.disk.memory import MemoryDisk

DURABILITIES = ("always", "none")
SEEDS = range(1000, 1020)
# What once went wrong: 117 to 287, deleted keys came back as level 0 was merged over a part of
# level 1 only, for which nothing lay below.
FROZEN = (117, 227, 251, 287)

keys = st.sampled_from(KEYS[:12] + KEYS[40:43] + [b"\x00", b"\xff\xff"])
sizes = st.sampled_from([0, 1, 100, 100, 700, 1500, 5000])
puts = st.builds(
    put, keys, st.builds(value, sizes, st.integers(0, 20)), st.sampled_from([0, 0, 0, 1, 30])
)
deletes = st.builds(delete, keys)
clears = st.builds(clear, keys, keys)
steps = puts | puts | puts | deletes | clears
seeds = st.none() | st.integers(0, 1000)


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("seed", [*FROZEN, *SEEDS])
def test_a_long_history_is_what_a_dict_says(seed: int, durability: str) -> None:
    driver = Driver(MemoryDisk(), durability=durability)
    play(driver, draw_script(seed, 800))
    assert driver.errors == []
    assert driver.upkeep.flushes > 20
    assert driver.upkeep.compactions > 2


class StoreMachine(RuleBasedStateMachine):
    @initialize(durability=st.sampled_from(DURABILITIES), ahead=st.booleans(), rows=st.booleans())
    def begin(self, durability: str, ahead: bool, rows: bool) -> None:
        self.disk = MemoryDisk()
        self.driver = Driver(self.disk, durability=durability, ahead=ahead, rows=rows)
        self.driver.open()

    # --- writes ---------------------------------------------------------------------------------

    @rule(step=steps)
    def one_write(self, step: Step) -> None:
        self.driver.save(step)

    @rule(several=st.lists(steps, min_size=2, max_size=8))
    def several_in_one_commit(self, several: list[Step]) -> None:
        self.driver.save(*several)

    @rule(several=st.lists(steps, min_size=2, max_size=20))
    def several_commits_in_one_group(self, several: list[Step]) -> None:
        for step in several:
            self.driver.commit(step)
        self.driver.flush()

    @rule(step=steps)
    def a_commit_that_waits(self, step: Step) -> None:
        self.driver.commit(step)

    @rule()
    def an_asked_for_sync(self) -> None:
        self.driver.flush(sync=True)

    # --- upkeep ---------------------------------------------------------------------------------

    @rule()
    def begin_a_step(self) -> None:
        self.driver.begin_work()

    @precondition(lambda self: self.driver.begun)
    @rule()
    def perform_a_step(self) -> None:
        self.driver.perform_work()

    @precondition(lambda self: self.driver.performed)
    @rule()
    def finish_a_step(self) -> None:
        self.driver.finish_work()

    @rule()
    def do_all_that_is_due(self) -> None:
        self.driver.keep_up()

    @rule()
    def make_tables(self) -> None:
        self.driver.make_tables()

    @rule()
    def compact(self) -> None:
        self.driver.compact()

    # --- snapshots and time ---------------------------------------------------------------------

    @precondition(lambda self: len(self.driver.frozen) < 10)
    @rule()
    def freeze(self) -> None:
        self.driver.freeze()

    @rule()
    def thaw(self) -> None:
        self.driver.thaw()

    @rule(milliseconds=st.sampled_from([1, 20, 5000]))
    def time_passes(self, milliseconds: int) -> None:
        self.driver.now += milliseconds
        self.driver.upkeep.tick()

    # --- ends and beginnings --------------------------------------------------------------------

    @rule(seed=seeds)
    def crash(self, seed: int | None) -> None:
        self.go_on_with(self.disk.crash(seed))

    @rule()
    def kill(self) -> None:
        self.go_on_with(self.disk.kill())

    @rule(crashed=st.booleans())
    def close(self, crashed: bool) -> None:
        """What was begun is performed, or had no chance; a crash then takes nothing."""
        for frozen in self.driver.frozen:
            self.driver.check_frozen(frozen)
        if not self.driver.begun and not self.driver.performed:
            self.driver.close()
            assert self.driver.acknowledged == len(self.driver.states) - 1
            self.go_on_with(self.disk.crash() if crashed else self.disk)

    def go_on_with(self, disk: MemoryDisk) -> None:
        self.disk = disk
        self.driver = self.driver.like_me(disk)
        self.driver.open()
        assert self.driver.strangers() == set()

    # --- reads ----------------------------------------------------------------------------------

    @rule(
        start=keys | st.just(b""),
        stop=st.none() | keys,
        reverse=st.booleans(),
        limit=st.integers(-1, 5),
    )
    def scan(self, start: bytes, stop: bytes | None, reverse: bool, limit: int) -> None:
        driver = self.driver
        left = alive(driver.states[-1], driver.now)
        wanted = [key for key in left if start <= key and (stop is None or key < stop)]
        if reverse:
            wanted.reverse()
        rows = driver.read(driver.store, lambda txn: txn.scan(start, stop, reverse, limit))
        assert rows.keys == (wanted if limit < 0 else wanted[:limit])
        assert [rows.data(at) for at in range(len(rows.keys))] == [left[key] for key in rows.keys]

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        self.driver.check_keys([key])

    @rule()
    def look_into_snapshots(self) -> None:
        for frozen in self.driver.frozen:
            self.driver.check_frozen(frozen)

    @rule()
    def count(self) -> None:
        """Expired keys may be counted until somebody comes across them."""
        driver = self.driver
        found = driver.read(driver.store, lambda txn: txn.count())
        if found < 0:  # it takes a walk
            found = driver.read(driver.store, lambda txn: len(txn.scan(b"", None).keys))
        state = driver.states[-1]
        assert len(alive(state, driver.now)) <= found <= len(state)

    @invariant()
    def check(self) -> None:
        if hasattr(self, "driver"):
            self.driver.check()
            assert self.driver.errors == []


TestLsmHistories = StoreMachine.TestCase
TestLsmHistories.settings = settings(
    max_examples=100, stateful_step_count=50, deadline=None, print_blob=True
)
