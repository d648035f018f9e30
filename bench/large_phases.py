"""The phases of the large load, each in a process of its own; run by large_load.py.

The job comes as one line of JSON on stdin; lines of JSON go to stdout: {"done": puts} while it
works, and at the end what was measured. The process holds no list of all keys, they come from a
file: its resident memory is the database's.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from kveik.bench.engines.base import Engine, Setting
from kveik.bench.engines.catalog import find_engine
from kveik.bench.keys import KEY_BYTES, key_of, value_of
from kveik.bench.processes import peak_of

CHUNK = 1000  # puts between two looks at the clock on the wall
TOLD_EVERY = 0.2  # seconds
WORST = 10
SAMPLE = 1000  # keys that are looked for after a crash


@dataclass(frozen=True)
class Job:
    phase: str  # load, read, crash, recover
    engine: str
    home: str
    keys: str  # a file: all keys in the order in which they are written
    entries: int
    memory: int
    reads: int


@dataclass
class Loaded:
    """The load: puts in each whole second, and the worst single ones."""

    seconds: float = 0.0
    close_seconds: float = 0.0
    peak_bytes: int = 0
    seconds_done: list[int] = field(default_factory=list)
    worst: list[tuple[float, float]] = field(default_factory=list)  # (took, second) worst first


class Watch:
    """Tells the parent now and then how far it is, and counts what each second has done."""

    def __init__(self) -> None:
        self.start = self._told = time.perf_counter()
        self.done = 0
        self.bins: list[int] = [0]

    def add(self, count: int) -> None:
        now = time.perf_counter()
        second = int(now - self.start)
        while len(self.bins) <= second:
            self.bins.append(0)
        self.bins[second] += count
        self.done += count
        if now - self._told >= TOLD_EVERY:
            self._told = now
            say({"done": self.done})


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def opened(job: Job, counted: bool = False) -> tuple[Engine, float]:
    start = time.perf_counter()
    engine = find_engine(job.engine)(Setting(Path(job.home), job.memory, counted=counted))
    return engine, time.perf_counter() - start


def load(job: Job) -> dict[str, Any]:
    engine, open_seconds = opened(job)
    watch = Watch()
    found = Loaded()
    slow: list[tuple[float, float]] = []
    with Path(job.keys).open("rb", buffering=0) as file:
        while block := file.read(CHUNK * KEY_BYTES):
            keys = [block[at : at + KEY_BYTES] for at in range(0, len(block), KEY_BYTES)]
            put_timed(engine, keys, watch, slow)
    found.seconds = time.perf_counter() - watch.start
    stats, found.peak_bytes = engine.stats(), peak_of(os.getpid())
    start = time.perf_counter()
    engine.close()
    found.close_seconds = time.perf_counter() - start
    found.seconds_done = watch.bins
    found.worst = sorted(slow, reverse=True)
    return {**asdict(found), "open_seconds": open_seconds, "stats": stats}


def put_timed(
    engine: Engine, keys: list[bytes], watch: Watch, slow: list[tuple[float, float]]
) -> None:
    """Put a chunk; `slow` is a heap of the worst so far: (seconds, second of the load)."""
    put, clock = engine.put, time.perf_counter
    value = value_of(watch.done // CHUNK)
    floor = slow[0][0] if len(slow) == WORST else 0.0
    before = clock()
    for key in keys:
        put(key, value)
        now = clock()
        if now - before > floor:
            worst = (now - before, before - watch.start)
            if len(slow) < WORST:
                heapq.heappush(slow, worst)
            else:
                heapq.heapreplace(slow, worst)
            floor = slow[0][0] if len(slow) == WORST else 0.0
            now = clock()
        before = now
    watch.add(len(keys))


def read(job: Job) -> dict[str, Any]:
    """Open after a clean close, then get random keys."""
    engine, open_seconds = opened(job, counted=True)
    draw = random.Random(3)
    keys = [key_of(draw.randrange(job.entries)) for _ in range(job.reads)]
    before = engine.stats()
    took: list[float] = []
    missing = 0
    get, clock = engine.get, time.perf_counter
    for number, key in enumerate(keys):
        start = clock()
        missing += get(key) is None
        took.append(clock() - start)
        if number % CHUNK == 0:
            say({"done": number})
    after = engine.stats()
    engine.close()
    per_get = {name: (after[name] - before.get(name, 0)) / len(keys) for name in after}
    return {
        "open_seconds": open_seconds,
        "seconds": sum(took),
        "missing": missing,
        "median_us": median(took) * 1e6,
        "p99_us": quantiles(took, n=100)[-1] * 1e6,
        "stats": after,
        "per_get": {name: change for name, change in per_get.items() if change},
    }


def crash(job: Job) -> dict[str, Any]:
    """Overwrite random keys until the parent kills the process."""
    engine, _ = opened(job)
    watch = Watch()
    draw = random.Random(4)
    while True:
        for number in range(CHUNK):
            engine.put(key_of(draw.randrange(job.entries)), value_of(number))
        watch.add(CHUNK)


def recover(job: Job) -> dict[str, Any]:
    """Open after kill -9."""
    engine, open_seconds = opened(job)
    draw = random.Random(5)
    missing = sum(engine.get(key_of(draw.randrange(job.entries))) is None for _ in range(SAMPLE))
    found = {"open_seconds": open_seconds, "missing": missing, "stats": engine.stats()}
    engine.close()
    return found


PHASES = {"load": load, "read": read, "crash": crash, "recover": recover}


def main() -> int:
    job = Job(**json.loads(sys.stdin.readline()))
    say({"found": PHASES[job.phase](job)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
