"""`kveik bench direct`: the engine alone, in a process of its own, without a server."""

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

TIMED = 100_000  # operations whose times are taken one by one
THREADS = 32  # that write at the same time, where each write waits for the disk


@dataclass(frozen=True)
class Options:
    writes: int
    durability: str
    rounds: int
    memory: int
    limit: float


@dataclass(frozen=True)
class Line:
    """A row of the table: which workload, and how much of it."""

    name: str
    workload: str
    share: float = 1.0  # inputs for each of `writes`
    threads: int = 0
    writes: bool = True


LINES = (
    Line("writes", "fillrandom"),
    Line("writes, 1,000 in a batch, per entry", "fillbatch", 1 / 1000),
    Line("reads", "readrandom", writes=False),
    Line("ranges of 100, per entry", "range100", 0.02, writes=False),
    Line("all entries in order", "readseq", writes=False),
)
WAITING = Line(f"writes, {THREADS} threads", "fillrandom", threads=THREADS)


class Direct(Measurement):
    def __init__(self, options: Options) -> None:
        self._options = options
        self._lines = list(LINES)
        if options.durability == "always":
            self._lines.insert(1, WAITING)
        durable = {
            "always": "every write is on the disk before it returns",
            "interval": "writes return at once and are synced every second",
            "none": "writes return at once and the system writes when it likes",
        }[options.durability]
        self.section = Section(
            "direct",
            f"Direct: the engine alone, durability {options.durability}",
            f"One process opens the database and calls it in a loop, on {options.writes:,} entries "
            f"of {KEY_BYTES} + {VALUE_BYTES} bytes in random order; {durable}. "
            "Rates hold the loop itself; the times of single calls come from a second "
            "pass, and a batch or a range counts there as one.",
            asdict(options),
        )

    def steps(self) -> int:
        return 1 + len(self._lines) * (self._options.rounds + 1)

    def run(self, screen: Screen) -> None:
        options, results = self._options, self.section.results
        results += [Result(line.name) for line in self._lines]
        with tempfile.TemporaryDirectory(prefix="kveik-bench-", ignore_cleanup_errors=True) as home:
            screen.step(f"direct: writing {options.writes:,} entries to read")
            self._work(home, "base", LOAD, 0)
            os.sync()
            screen.advance()
            for number in range(options.rounds):
                for line, result in zip(self._lines, results, strict=True):
                    screen.step(f"direct: {line.name}, round {number + 1} of {options.rounds}")
                    found = self._line(home, line, number)
                    result.rounds.append(Round(found["done"], found["seconds"], found["cut"]))
                    screen.advance()
            for line, result in zip(self._lines, results, strict=True):
                screen.step(f"direct: {line.name}, each call timed")
                found = self._line(home, line, options.rounds, each=True)
                result.latencies.add({int(time): count for time, count in found["taken"].items()})
                screen.advance()
        screen.say("direct done")
        self.section.charts.append(charts.percentiles(self.section))

    def _line(self, home: str, line: Line, seed: int, each: bool = False) -> dict[str, Any]:
        inputs = self._options.writes * line.share
        count = max(1, int((min(inputs, TIMED) if each else inputs) + 1e-6))
        durability = self._options.durability if line.writes else "none"
        return self._work(
            home,
            f"run-{line.name}-{seed}-{each}",
            line.workload,
            seed,
            count=count,
            threads=line.threads,
            durability=durability,
            each=each,
        )

    def _work(self, home: str, name: str, workload: str, seed: int, **more: Any) -> dict[str, Any]:
        options = self._options
        base = Path(home, "base")
        own = Path(home, name)
        job = Job(
            OURS,
            workload,
            str(own),
            str(base),
            options.writes,
            options.memory,
            seed,
            options.limit,
            **more,
        )
        return run_worker(job)
