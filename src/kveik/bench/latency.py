"""How long single operations took: an HDR histogram of nanoseconds, and what is told of it.

The processes that measure know nothing of histograms: they hand over how often each time was met.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hdrh.histogram import HdrHistogram

LOWEST, HIGHEST = 1, 3_600_000_000_000  # ns: up to an hour
DIGITS = 3  # significant ones: an error of a thousandth at most
TOLD = (50.0, 90.0, 99.0, 99.9)
CURVE = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 99.999, 100.0)
US = 1000  # ns


class Latencies:
    def __init__(self) -> None:
        self._histogram: Any = HdrHistogram(LOWEST, HIGHEST, DIGITS)
        self._sum = 0
        self._least = HIGHEST
        self._most = 0

    def add(self, times: Mapping[int, int]) -> None:
        """How often (value) each time in ns (key) was met."""
        record = self._histogram.record_value
        for time, count in times.items():
            record(min(max(time, LOWEST), HIGHEST), count)
            self._sum += time * count
        if times:
            self._least = min(self._least, *times)
            self._most = max(self._most, *times)

    def merge(self, other: Latencies) -> None:
        self._histogram.add(other._histogram)
        self._sum += other._sum
        self._least = min(self._least, other._least)
        self._most = max(self._most, other._most)

    def __len__(self) -> int:
        return int(self._histogram.get_total_count())

    def at(self, percentile: float) -> float:
        """Microseconds that so many percent of the operations took at most."""
        if percentile >= 100:
            return self._most / US
        return float(min(self._histogram.get_value_at_percentile(percentile), self._most)) / US

    def as_json(self) -> dict[str, float]:
        """Microseconds; the count is of operations."""
        if not len(self):
            return {"count": 0}
        told = {f"p{percentile:g}": self.at(percentile) for percentile in TOLD}
        return {
            "count": len(self),
            "mean": self._sum / len(self) / US,
            "min": self._least / US,
            **told,
            "max": self._most / US,
        }

    def curve(self) -> list[tuple[float, float]]:
        """(percentile, microseconds), as far as so many operations can tell."""
        count = len(self)
        told = [p for p in CURVE if p in (0.0, 100.0) or count * (100 - p) / 100 >= 1]
        return [(p, self._least / US if p == 0 else self.at(p)) for p in told] if count else []
