"""Compares embedded databases: the same workloads on each, in alternating rounds of one run.

Called by `kveik bench peers` and by the repository's bench.embedded_compare.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kveik.bench.embedded_report import Row
from kveik.bench.engines.base import Engine
from kveik.bench.engines.catalog import ENGINES, find_engine
from kveik.bench.runner import run_worker
from kveik.bench.screen import Screen
from kveik.bench.servers import BenchError
from kveik.bench.worker import LOAD, Job
from kveik.bench.workloads import Workload


@dataclass(frozen=True)
class Setting:
    rounds: int
    entries: int
    memory: int  # bytes, of each engine
    limit: float  # seconds of the longest run


class Comparison:
    """One run: what it has found so far."""

    def __init__(self, setting: Setting, home: Path, screen: Screen) -> None:
        self.rows: list[Row] = []
        self.failed = False
        self._setting = setting
        self._home = home
        self._screen = screen
        self._runs = 0

    def run(self, workloads: list[Workload], engines: dict[str, type[Engine]]) -> None:
        self.rows = [Row(workload) for workload in workloads]
        plan: list[tuple[Row, list[str]]] = []
        for row in self.rows:
            for name, engine in engines.items():
                if lacking := row.workload.needs - engine.abilities:
                    row.skipped[name] = f"cannot {', '.join(sorted(lacking))}"
            plan.append((row, [name for name in engines if name not in row.skipped]))
        bases = self._bases(plan)
        rounds = self._setting.rounds
        self._screen.plan(len(bases) + sum(len(names) for _, names in plan) * rounds)
        for name in bases:
            self._screen.step(f"loading {name}")
            self._work(name, LOAD, 0)
        os.sync()  # what was loaded shall not be written while others are measured
        for number in range(rounds):
            for row, names in plan:
                if names:
                    self._round(number, row, names)
            self._screen.say(f"round {number + 1} of {rounds} done")

    def _bases(self, plan: list[tuple[Row, list[str]]]) -> list[str]:
        """The engines that need a loaded database to start from."""
        wanted = {n for row, names in plan if row.workload.state == "base" for n in names}
        return [name for name in ENGINES if name in wanted]

    def _round(self, number: int, row: Row, names: list[str]) -> None:
        found = {}
        for name in turned(names, number):
            if name in row.skipped:
                continue
            self._screen.step(f"round {number + 1} {row.workload.name} {name}")
            try:
                found[name] = self._work(name, row.workload.name, number)
            except BenchError as error:  # the others' hours are not lost
                self.failed = True
                row.skipped[name] = "failed"
                self._screen.tell(f"error: {error}")
        row.rounds.append(found)

    def _work(self, engine: str, workload: str, number: int) -> dict[str, Any]:
        self._runs += 1
        base = self._home / f"{engine}-base"
        home = base if workload == LOAD else self._home / f"{engine}-{self._runs}"
        setting = self._setting
        found = run_worker(
            Job(
                engine=engine,
                workload=workload,
                home=str(home),
                base=str(base),
                entries=setting.entries,
                memory=setting.memory,
                seed=number,
                limit=setting.limit,
            )
        )
        self._screen.advance()
        return found


def turned(names: list[str], number: int) -> list[str]:
    """The order of a round: each round another begins, and every other goes backwards."""
    at = number % len(names)
    order = names[at:] + names[:at]
    return order if number % 2 == 0 else order[::-1]


def find_engines(names: list[str]) -> tuple[dict[str, type[Engine]], dict[str, str]]:
    """The adapters of those that are installed, and why the others are not there."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = find_engine(name)
        except ImportError as error:
            missing[name] = str(error)
    return found, missing
