"""Short histories that once went wrong, each as the drawn one that found it was cut down to."""

from __future__ import annotations

import pytest
from tests.engine.support.drawn import drawn, told
from tests.engine.support.driver import Driver, clear, put
from tests.engine.support.stores import value

from kveik.disk.memory import MemoryDisk
from kveik.engine.picker import pick
from kveik.engine.shape import Shape
from kveik.limits import MIB

LARGE = value(5000)  # more than a segment holds beside another write


def test_level_0_is_not_merged_at_the_bottom_where_what_it_takes_along_reaches_further() -> None:
    """The tombstones of b-z would be dropped, and hide what level 2 has of y and z."""
    shape = Shape(4 * MIB, 8 * MIB)
    line = "L0: " + "a-c:4 " * 8 + "L1: b-z:8!  L2: y-zz"
    sources = ", ".join(["a-c"] * 8)
    assert told(pick(drawn(line), shape)) == f"0>1: {sources}, b-z"
    assert told(pick(drawn(line.replace("y-zz", "z-zz")), shape)) == f"0>1 bottom: {sources}, b-z"


def two_segments_that_nobody_synced() -> MemoryDisk:
    disk = MemoryDisk()
    driver = Driver(disk, durability="none", ahead=False)
    driver.open()
    driver.commit(put(b"a", b"1"))
    driver.commit(put(b"b", LARGE))  # the second segment
    driver.flush()
    return disk.kill()


def test_what_is_found_after_a_kill_is_synced_in_every_segment() -> None:
    disk = two_segments_that_nobody_synced()
    driver = Driver(disk, durability="always")
    driver.states += [{b"a": (b"1", 0)}, {b"a": (b"1", 0), b"b": (LARGE, 0)}]
    driver.open()
    assert driver.acknowledged == 2
    driver.save(put(b"c", b"3"))
    left = driver.like_me(disk.crash())
    left.open()
    assert left.acknowledged == 3


@pytest.mark.parametrize("durability", ["always", "none"])
def test_a_commit_that_changes_nothing_leaves_no_gap_in_the_log(durability: str) -> None:
    driver = Driver(MemoryDisk(), durability=durability)
    driver.open()
    driver.save(put(b"a", LARGE))
    driver.save(clear(b"b", b"a"))  # alone in its segment
    driver.save(put(b"b", LARGE))
    driver.make_tables()
    assert driver.errors == []
    assert driver.store.flushed == 3
    driver.check()
