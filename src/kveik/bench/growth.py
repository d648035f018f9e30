"""`kveik bench writes`: does writing get slower as the database grows?"""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kveik.bench import charts
from kveik.bench.engines.catalog import OURS
from kveik.bench.keys import KEY_BYTES, VALUE_BYTES
from kveik.bench.measurement import Measurement
from kveik.bench.results import Result, Round, Section
from kveik.bench.runner import run_worker
from kveik.bench.screen import Screen
from kveik.bench.worker import LOAD, Job

SIZES = (0, 100, 1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Options:
    writes: int
    sizes: tuple[int, ...]
    durability: str
    rounds: int
    memory: int
    limit: float


class Growth(Measurement):
    def __init__(self, options: Options) -> None:
        self._options = options
        self.section = Section(
            "writes",
            f"Writes against existing keys, durability {options.durability}",
            f"Each run opens a database that holds so many keys and puts {options.writes:,} new "
            f"ones between them, of {KEY_BYTES} + {VALUE_BYTES} bytes, one by one. A flat line is "
            "what to hope for: the cost of a write should not depend on what is there.",
            asdict(options),
        )

    def steps(self) -> int:
        return len(self._options.sizes) * (2 + self._options.rounds)

    def run(self, screen: Screen) -> None:
        for size in self._options.sizes:
            result = Result(f"{size:,} keys")
            result.facts["existing"] = size
            self.section.results.append(result)
            prefix = "kveik-bench-"
            with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as home:
                self._size(screen, size, result, Path(home))
        screen.say("writes done")
        self.section.charts.append(charts.growth(self.section))

    def _size(self, screen: Screen, size: int, result: Result, home: Path) -> None:
        options = self._options
        screen.step(f"writes: storing {size:,} keys")
        self._work(home, LOAD, size, 0, False)
        os.sync()
        screen.advance()
        for number in range(options.rounds + 1):
            each = number == options.rounds
            what = "each write timed" if each else f"round {number + 1} of {options.rounds}"
            screen.step(f"writes: {size:,} keys, {what}")
            found = self._work(home, "insert", size, number, each)
            if each:
                result.latencies.add({int(time): count for time, count in found["taken"].items()})
            else:
                result.rounds.append(Round(found["done"], found["seconds"], found["cut"]))
            screen.advance()

    def _work(self, home: Path, workload: str, size: int, seed: int, each: bool) -> dict[str, Any]:
        options = self._options
        base, own = home / "base", home / f"run-{seed}"
        job = Job(
            OURS,
            workload,
            str(base if workload == LOAD else own),
            str(base),
            size,
            options.memory,
            seed,
            options.limit,
            count=options.writes,
            durability=options.durability,
            each=each,
        )
        return run_worker(job)
