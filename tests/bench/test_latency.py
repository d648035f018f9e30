"""Percentiles against distributions that are known."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from tests.support.tools import bench_library

bench_library()

from kveik.bench.latency import Latencies  # noqa: E402


def test_nothing_measured_tells_nothing() -> None:
    assert Latencies().as_json() == {"count": 0}
    assert Latencies().curve() == []


def test_one_time_is_every_percentile() -> None:
    latencies = Latencies()
    latencies.add({123_456: 1})
    told = latencies.as_json()
    assert told.pop("count") == 1
    assert all(value == 123.456 for value in told.values())


def test_percentiles_of_a_uniform_distribution() -> None:
    latencies = Latencies()
    latencies.add({us * 1000: 1 for us in range(1, 10_001)})
    told = latencies.as_json()
    assert told["count"] == 10_000
    assert told["mean"] == 5000.5
    assert (told["min"], told["max"]) == (1, 10_000)
    for percentile in (50, 90, 99, 99.9):
        wanted = percentile * 100
        assert told[f"p{percentile:g}"] == pytest.approx(wanted, rel=1.1e-3)


def test_percentiles_of_an_exponential_distribution() -> None:
    draw = random.Random(3)
    times = [int(draw.expovariate(1 / 50_000)) + 1 for _ in range(50_000)]
    latencies = Latencies()
    latencies.add(Counter(times))
    times.sort()
    for percentile in (50.0, 90.0, 99.0, 99.9):
        exact = times[math.ceil(len(times) * percentile / 100) - 1] / 1000
        assert latencies.at(percentile) == pytest.approx(exact, rel=1.1e-3)
    assert latencies.as_json()["mean"] == pytest.approx(sum(times) / len(times) / 1000)


def test_one_slow_operation_in_a_thousand_is_in_the_last_percentile_alone() -> None:
    latencies = Latencies()
    latencies.add({10_000: 9_990, 5_000_000: 10})
    told = latencies.as_json()
    assert told["p99"] == pytest.approx(10, rel=1e-3)
    assert told["max"] == 5000
    assert latencies.at(99.95) == pytest.approx(5000, rel=1e-3)


def test_merged_is_as_added_together() -> None:
    one, two, both = Latencies(), Latencies(), Latencies()
    for latencies, times in ((one, {1000: 5, 70_000: 2}), (two, {900: 1, 8_000_000: 3})):
        latencies.add(times)
        both.add(times)
    one.merge(two)
    assert one.as_json() == both.as_json()
    assert one.curve() == both.curve()


def test_the_curve_tells_no_percentile_that_so_few_cannot_know() -> None:
    latencies = Latencies()
    latencies.add(dict.fromkeys(range(1000, 101_000, 1000), 1))
    assert [percentile for percentile, _ in latencies.curve()] == [0, 25, 50, 75, 90, 95, 99, 100]
