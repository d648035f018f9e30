"""Sizes that follow from the memory."""

from __future__ import annotations

import pytest

from kveik.engine.shape import Shape, shape_of
from kveik.format.codec import NONE
from kveik.limits import (
    LEVELS,
    MAX_SEGMENT,
    MAX_TABLE_SIZE,
    MIB,
    MIN_MEMORY,
    MIN_SEGMENT,
    MIN_TABLE_SIZE,
)

BUDGETS = [MIN_MEMORY, 10_000_019, 64 * MIB, 128 * MIB, 256 * MIB, 1 << 40]


@pytest.mark.parametrize("memory", BUDGETS)
def test_eight_segments_are_the_memory_within_bounds(memory: int) -> None:
    segment = shape_of(memory).segment_size
    assert segment == memory // 8 or segment in (MIN_SEGMENT, MAX_SEGMENT)
    assert MIN_SEGMENT <= segment <= MAX_SEGMENT


@pytest.mark.parametrize("memory", BUDGETS)
def test_sizes_fit_each_other(memory: int) -> None:
    shape = shape_of(memory)
    assert MIN_TABLE_SIZE <= shape.table_size <= MAX_TABLE_SIZE
    assert shape.cache_size <= memory // 2
    assert shape.level1_size >= shape.level0_trigger * shape.segment_size
    assert shape.job_size >= shape.level1_size + shape.level0_full * shape.segment_size
    assert shape.level0_idle < shape.level0_trigger < shape.level0_slow < shape.level0_full
    assert shape.codecs == [NONE] * LEVELS


def test_128_mib_are_what_the_load_was_played_with() -> None:
    shape = shape_of(128 * MIB)
    assert (shape.segment_size, shape.table_size) == (16 * MIB, 32 * MIB)
    assert (shape.level1_size, shape.job_size) == (256 * MIB, 1024 * MIB)


def test_each_level_is_six_times_the_one_above() -> None:
    shape = Shape(MIB, MIB)
    assert [shape.target(level) for level in range(1, 5)] == [
        16 * MIB,
        96 * MIB,
        576 * MIB,
        3456 * MIB,
    ]
