"""The load: cases, how redis-benchmark runs one, and how many requests a case needs."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import redis

from kveik.bench import redis_benchmark
from kveik.bench.servers import HOST, BenchError, Server, settle

KEYS = 100_000
VALUE_BYTES = 100
CLIENTS = (1, 50, 200)
PIPELINES = (1, 16)
FILL_CHUNK = 1000


@dataclass(frozen=True)
class Case:
    pair: str
    test: str
    clients: int
    pipeline: int

    @property
    def name(self) -> str:
        return f"{self.pair} {self.test} c={self.clients} P={self.pipeline}"


@dataclass(frozen=True)
class Figures:
    """One run of one case on one server."""

    rps: float
    avg_latency_ms: float
    min_latency_ms: float
    p50_latency_ms: float
    p95_latency_ms: float
    p99_latency_ms: float
    max_latency_ms: float
    cpu_us: float  # server process, per command, while the case ran
    cpu_all_us: float  # with its helper processes, and with what it finished afterwards
    settled: bool  # False: background work was cut off by the time limit


def make_cases(only: str = "") -> list[Case]:
    # A GET never waits for the disk, so one pair is enough to compare it.
    tests = [("durable", "SET"), ("durable", "GET"), ("logged", "SET"), ("unsynced", "SET")]
    cases = [Case(*test, c, p) for test in tests for c in CLIENTS for p in PIPELINES]
    exact = [case for case in cases if case.name == only]  # "P=1" is in "P=16" too
    return exact or [case for case in cases if only.lower() in case.name.lower()]


def fill(server: Server) -> None:
    """Store every key that redis-benchmark may draw: SETs overwrite, GETs hit."""
    draw = random.Random(1)
    try:
        with redis.Redis(HOST, server.port, protocol=2, socket_timeout=60) as client:
            for start in range(0, KEYS, FILL_CHUNK):
                pipe = client.pipeline(transaction=False)
                for number in range(start, start + FILL_CHUNK):
                    pipe.set(_key(number), draw.randbytes(VALUE_BYTES // 2).hex())
                pipe.execute()
            if client.get(_key(KEYS - 1)) is None:
                raise BenchError(f"{server.name}: a key is missing after the fill")
    except redis.RedisError as error:
        server.check_alive()
        raise BenchError(f"{server.name}: filling it failed: {error}") from error


def _key(number: int) -> str:
    return f"key:{number:012d}"


def measure(case: Case, requests: int, server: Server, servers: list[Server]) -> Figures:
    """Run one case on `server`; `servers` are all that must be idle before the next run."""
    own, tree = server.own_cpu_us(), server.tree_cpu_us()
    row = _benchmark(case, requests, server)
    own_us = server.own_cpu_us() - own
    settled = settle(servers)
    for each in servers:
        each.check_alive()
    tree_us = max(own_us, server.tree_cpu_us() - tree)
    return Figures(
        rps=row["rps"],
        avg_latency_ms=row["avg_latency_ms"],
        min_latency_ms=row["min_latency_ms"],
        p50_latency_ms=row["p50_latency_ms"],
        p95_latency_ms=row["p95_latency_ms"],
        p99_latency_ms=row["p99_latency_ms"],
        max_latency_ms=row["max_latency_ms"],
        cpu_us=own_us / requests,
        cpu_all_us=tree_us / requests,
        settled=settled,
    )


def calibrate(case: Case, seconds: float, servers: list[Server]) -> int:
    """The number of requests that takes `seconds` on average over the servers; a warm-up too."""
    paces = [1 / _pace(case, seconds / 4, server) for server in servers]
    settle(servers)
    wanted = seconds * len(paces) / sum(paces)
    step = int(10 ** max(0, math.floor(math.log10(wanted)) - 1))  # two digits will do
    return max(round(wanted / step) * step, case.clients * case.pipeline)


def _pace(case: Case, seconds: float, server: Server) -> float:
    """Requests per second, from a run just long enough to tell."""
    requests = max(500, 2 * case.clients) * case.pipeline
    for _ in range(4):
        rps = _benchmark(case, requests, server)["rps"]
        if requests / rps >= seconds / 2:
            break
        requests = max(requests, int(rps * seconds))
    return rps


def _benchmark(case: Case, requests: int, server: Server) -> dict[str, float]:
    clients, pipeline = case.clients, case.pipeline
    return redis_benchmark.run(server, case.test, requests, clients, pipeline, KEYS, VALUE_BYTES)
