"""How large things are: every size that follows from the memory budget, in one value.

The numbers come from tests/engine/support/load.py, which plays a load of random keys through the
picker; docs/decisions/0007 has its figures. Called by whoever opens a store; read by the picker.
"""

from __future__ import annotations

from typing import Final

from kveik.format.codec import NONE, ZLIB, ZSTD, has_zstd
from kveik.format.table import BLOCK_SIZE
from kveik.limits import (
    LEVELS,
    MAX_SEGMENT,
    MAX_TABLE_SIZE,
    MIN_SEGMENT,
    MIN_TABLE_SIZE,
    SEGMENTS_PER_MEMORY,
)
from kveik.model import COMPRESSIONS
from kveik.native import i64

CACHE_SHARE: Final = 2  # of the memory, one part; memtables have the rest
ROWS_SHARE: Final = 2  # of the cache, one part, where single values are kept, too (a server)
LEVEL1_SEGMENTS: Final = 16  # level 1 is twice what a job brings to it at the least
FIRST_COMPRESSED: Final = 1  # level; what level 0 holds is written anew too soon to be worth it
JOB_SEGMENTS: Final = 64  # of a job: all of level 0 under load, and level 1


class Shape:
    """Sizes in bytes, of a whole level or table where nothing else is said.

    segment_size: of a log segment, and about of a table that one becomes. level0_trigger: tables
    in level 0 at which they are compacted; level0_idle: the same where there is nothing else to
    do. level0_slow, level0_full: tables at which debt begins, and is 1. fanout: how many times
    larger each level is than the one above. job_size: of a compaction's inputs, but for what
    a single step needs. cache_size: of the blocks in memory, of which a server takes rows_size for
    single values. block_size, codecs (by level): of the tables.
    """

    def __init__(self, segment_size: i64, cache_size: i64) -> None:
        self.segment_size = segment_size
        self.rows_size: i64 = cache_size // ROWS_SHARE
        self.cache_size = cache_size
        self.table_size: i64 = min(max(2 * segment_size, MIN_TABLE_SIZE), MAX_TABLE_SIZE)
        self.level0_trigger: i64 = 8
        self.level0_idle: i64 = 4
        self.level0_slow: i64 = 16
        self.level0_full: i64 = 48
        self.level1_size: i64 = LEVEL1_SEGMENTS * segment_size
        self.fanout: i64 = 6
        self.job_size: i64 = JOB_SEGMENTS * segment_size
        self.block_size: i64 = BLOCK_SIZE
        self.codecs = [NONE] * LEVELS

    def target(self, level: i64) -> i64:
        """Bytes that a level from 1 on should not have more of."""
        size = self.level1_size
        while level > 1:
            size *= self.fanout
            level -= 1
        return size


def shape_of(memory: i64, compression: str = "none") -> Shape:
    """The sizes for a memory budget; ValueError for a compression that cannot be had."""
    segment = min(max(memory // SEGMENTS_PER_MEMORY, MIN_SEGMENT), MAX_SEGMENT)
    shape = Shape(segment, memory // CACHE_SHARE)
    codec = codec_of(compression)
    for level in range(FIRST_COMPRESSED, LEVELS):
        shape.codecs[level] = codec
    return shape


def codec_of(compression: str) -> int:
    """The codec that a name from COMPRESSIONS stands for; ValueError if it cannot be had."""
    if compression not in COMPRESSIONS:
        raise ValueError(f"compression is one of {', '.join(COMPRESSIONS)}, not {compression!r}")
    if compression == "zstd" and not has_zstd():
        raise ValueError("compression 'zstd' needs the package zstandard, which is not installed")
    if compression == "auto":
        return ZSTD if has_zstd() else ZLIB
    return {"none": NONE, "zlib": ZLIB, "zstd": ZSTD}[compression]
