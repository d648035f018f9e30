"""A load of random keys through the picker: how often bytes are rewritten, how long level 0 gets.

The bounds are about a tenth above what was reached when the picker's numbers were chosen
(docs/decisions/0007).
"""

from __future__ import annotations

import pytest
from tests.engine.support.load import LANE, WRITERS, Load

from kveik.engine.levels import total
from kveik.engine.picker import debt
from kveik.engine.shape import shape_of
from kveik.limits import MIB

GB = 1000 * MIB


def loaded(memory: int, size: float, writers: int = WRITERS) -> Load:
    load = Load(shape_of(memory), writers)
    load.write(int(size * GB))
    return load


@pytest.mark.parametrize(
    ("size", "while_loading", "in_all"),
    [
        (2.3, 2.6, 3.6),
        (10, 4.9, 5.5),
        (30, 6.9, 7.2),
        pytest.param(100, 10.2, 10.4, marks=pytest.mark.slow),
    ],
)
def test_bytes_are_rewritten_no_more_often_than_when_the_numbers_were_chosen(
    size: float, while_loading: float, in_all: float
) -> None:
    load = loaded(128 * MIB, size)
    assert load.amplification() <= while_loading
    load.rest()
    assert load.amplification() <= in_all


@pytest.mark.parametrize("memory", [8 * MIB, 128 * MIB, 1024 * MIB])
def test_level_0_and_jobs_stay_in_bounds_whatever_the_memory(memory: int) -> None:
    load = loaded(memory, memory / MIB * 0.02)
    shape = load.shape
    assert load.longest <= shape.level0_full * 5 // 4
    assert load.steepest <= 0.05
    assert load.largest <= 5 * shape.job_size // 4


@pytest.mark.parametrize("writers", [5 * MIB, 20 * MIB, 60 * MIB])
def test_slower_writers_are_not_slowed_further_than_compaction_asks_for(writers: int) -> None:
    load = loaded(128 * MIB, 5, writers)
    sustained = LANE / load.amplification()
    assert load.loaded / load.seconds >= 0.75 * min(writers, sustained)


@pytest.mark.parametrize("size", [2.3, 10, 30])
def test_writers_keep_a_pace(size: float) -> None:
    load = loaded(128 * MIB, size)
    assert load.slowest(4) >= 0.2 * load.loaded / load.seconds


def test_after_a_load_everything_comes_to_rest_in_its_size() -> None:
    load = loaded(128 * MIB, 10)
    load.rest()
    assert debt(load.state.levels, load.shape) == 0.0
    assert len(load.state.levels[0]) < load.shape.level0_idle
    for level in range(1, 6):
        assert total(load.state.levels[level]) <= load.shape.target(level)
    assert sum(map(total, load.state.levels)) == pytest.approx(load.loaded, rel=0.001)


def test_tables_are_neither_tiny_nor_too_large() -> None:
    load = loaded(128 * MIB, 10)
    load.rest()
    sizes = sorted(one.size for level in load.state.levels[1:] for one in level)
    assert sizes[-1] <= load.shape.table_size
    assert sum(sizes) / len(sizes) >= 0.6 * load.shape.table_size
