"""A figure of several rounds: the middle one, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    median: float
    min: float
    max: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        values = list(figures)
        return cls(median(values), min(values), max(values))
