"""YCSB's core workloads A to F: which operation on which record, drawn beforehand.

The distributions are YCSB's own: Gray's zipfian numbers with theta 0.99, scattered over the records
with FNV-1a for all but D, which prefers the newest records.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from kveik.bench.keys import value_of

THETA = 0.99
LONGEST_SCAN = 100  # entries; lengths are uniform
_FNV_BASIS, _FNV_PRIME, _64_BITS = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


class Kind(IntEnum):
    READ = 0
    UPDATE = 1
    INSERT = 2
    SCAN = 3
    MODIFY = 4  # read, then update


@dataclass(frozen=True)
class Mix:
    """The shares of the operations of one workload, in percent."""

    about: str
    shares: dict[Kind, int]
    latest: bool = False


MIXES = {
    "a": Mix("50 % reads, 50 % updates", {Kind.READ: 50, Kind.UPDATE: 50}),
    "b": Mix("95 % reads, 5 % updates", {Kind.READ: 95, Kind.UPDATE: 5}),
    "c": Mix("reads only", {Kind.READ: 100}),
    "d": Mix("95 % reads of the latest, 5 % inserts", {Kind.READ: 95, Kind.INSERT: 5}, latest=True),
    "e": Mix("95 % short ranges, 5 % inserts", {Kind.SCAN: 95, Kind.INSERT: 5}),
    "f": Mix("50 % reads, 50 % read-modify-write", {Kind.READ: 50, Kind.MODIFY: 50}),
}

# kind, number of the record, and the value to write or the number of entries to read
Operation = tuple[Kind, int, Any]


class Zipfian:
    """Numbers from 0 up to `count`, the small ones far more often; `count` may grow."""

    def __init__(self, count: int, draw: random.Random) -> None:
        self._draw = draw
        self._count = 0
        self._zeta = 0.0
        self._alpha = 1 / (1 - THETA)
        self._zeta2 = 1 + 0.5**THETA
        self.grow(count)

    def grow(self, count: int) -> None:
        self._zeta += sum(1 / n**THETA for n in range(self._count + 1, count + 1))
        self._count = count
        if count > 2:
            self._eta = (1 - (2 / count) ** (1 - THETA)) / (1 - self._zeta2 / self._zeta)

    def next(self) -> int:
        u = self._draw.random()
        if u * self._zeta < 1 or self._count == 1:
            return 0
        if u * self._zeta < self._zeta2 or self._count == 2:
            return 1
        number = int(self._count * (self._eta * u - self._eta + 1) ** self._alpha)
        return min(number, self._count - 1)  # rounding may reach the end


def scatter(number: int) -> int:
    """FNV-1a over the number's 8 bytes, as YCSB has it: popular records lie apart."""
    digest = _FNV_BASIS
    for _ in range(8):
        digest = ((digest ^ (number & 0xFF)) * _FNV_PRIME) & _64_BITS
        number >>= 8
    return digest


def draw_operations(mix: Mix, records: int, count: int, draw: random.Random) -> list[Operation]:
    """`count` operations on a database of `records` records; inserts make it grow."""
    kinds = draw.choices(list(mix.shares), list(mix.shares.values()), k=count)
    popular = Zipfian(records, draw)
    operations: list[Operation] = []
    for number, kind in enumerate(kinds):
        if kind is Kind.INSERT:
            operations.append((kind, records, value_of(number)))
            records += 1
            if mix.latest:
                popular.grow(records)
            continue
        drawn = popular.next()
        record = records - 1 - drawn if mix.latest else scatter(drawn) % records
        more = draw.randint(1, LONGEST_SCAN) if kind is Kind.SCAN else value_of(number)
        operations.append((kind, record, more))
    return operations
