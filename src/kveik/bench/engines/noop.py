"""No database at all: its figures are the cost of the loops around the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from kveik.bench.engines.base import Engine, Pair, Setting

PAIR: Pair = (b"k" * 16, b"v" * 100)


class Noop(Engine):
    name = "noop"
    abilities = frozenset({"range", "scan", "sync", "flush"})

    def __init__(self, setting: Setting) -> None:
        self.get = lambda key: PAIR[1]
        self.put = lambda key, value: None
        self.delete = lambda key: None

    def write(self, pairs: Sequence[Pair]) -> None:
        pass

    def range(self, start: bytes, count: int) -> Sequence[object]:
        return (PAIR,) * count

    def scan(self, reverse: bool) -> Iterator[object]:
        return repeat(PAIR)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    @classmethod
    def version(cls) -> str:
        return "-"
