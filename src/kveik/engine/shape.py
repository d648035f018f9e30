"""Temporary."""

from __future__ import annotations

from kveik.limits import MAX_SEGMENT, MIN_SEGMENT, SEGMENTS_PER_MEMORY
from kveik.native import i64


class Shape:
    def __init__(self, memory: i64) -> None:
        self.segment_size: i64 = min(max(memory // SEGMENTS_PER_MEMORY, MIN_SEGMENT), MAX_SEGMENT)
        self.table_size: i64 = self.segment_size
        self.cache: i64 = memory // 2
        self.block_size: i64 = 8192
        self.level1: i64 = 8 * self.segment_size

    def codec(self, level: i64) -> i64:
        return 0
