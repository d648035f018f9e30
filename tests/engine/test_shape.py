"""Sizes that follow from the memory."""

from __future__ import annotations

from pathlib import Path

import pytest

import kveik
from kveik.engine.shape import Shape, shape_of
from kveik.format.codec import NONE, ZLIB, ZSTD, has_zstd
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


def test_deep_levels_are_compressed_as_asked() -> None:
    assert set(shape_of(128 * MIB).codecs) == {NONE}
    assert shape_of(128 * MIB, "zlib").codecs == [NONE, ZLIB, ZLIB, ZLIB, ZLIB, ZLIB, ZLIB]
    assert shape_of(128 * MIB, "auto").codecs[2] == (ZSTD if has_zstd() else ZLIB)


@pytest.mark.skipif(has_zstd(), reason="zstandard is installed")
def test_a_codec_that_is_not_there_is_refused_with_its_package() -> None:
    with pytest.raises(ValueError, match="needs the package zstandard"):
        shape_of(128 * MIB, "zstd")


def test_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of none, auto, zlib, zstd, not 'lz4'"):
        kveik.open(tmp_path / "db", compression="lz4")
    assert not (tmp_path / "db").exists()


def test_what_is_compressed_is_smaller_and_reads_the_same(tmp_path: Path) -> None:
    """Also by an opening that would not compress."""
    sizes = []
    for compression in ("none", "zlib"):
        folder = tmp_path / compression
        with kveik.open(folder, memory="8MB", compression=compression, durability="none") as db:
            for number in range(60_000):
                db.put(b"%08d" % (number * 7919 % 60_000), b"value %08d " % number * 12)
            db.compact()
        sizes.append(sum(path.stat().st_size for path in folder.glob("*.tbl")))
        with kveik.open(folder, memory="8MB") as db:
            assert db.get(b"%08d" % (59_999 * 7919 % 60_000)) == b"value 00059999 " * 12
            assert len(db) == 60_000
    assert sizes[1] < sizes[0] // 2
