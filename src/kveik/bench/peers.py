"""`kveik bench peers`: side by side with what is installed, in alternating rounds of one run.

Embedded databases run the same workloads in processes of their own; redis-server stands beside
`kveik serve` under the same load. What is not installed is named, with how to get it.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from kveik.bench import charts
from kveik.bench.embedded import Comparison, Setting, find_engines
from kveik.bench.embedded_report import Row, as_chart, finished
from kveik.bench.engines.base import Engine
from kveik.bench.engines.catalog import ENGINES, NOOP, OURS
from kveik.bench.keys import KEY_BYTES, VALUE_BYTES
from kveik.bench.machine import first_line
from kveik.bench.measurement import Measurement
from kveik.bench.results import Chart, Result, Round, Section
from kveik.bench.screen import Screen
from kveik.bench.servers import Argv, kveik_argv, redis_argv
from kveik.bench.tcp import Options as TcpOptions
from kveik.bench.tcp import Tcp
from kveik.bench.workloads import find_workloads
from kveik.sizes import show_size

REDIS = "redis-server"
PEERS = (*(name for name in ENGINES if name != OURS), REDIS)
USUAL = "fillrandom,fillbatch,fillsync,readrandom,range100,ycsb-a,ycsb-b"
CONNECTIONS = 50
RATIOS = (
    "Each bar is what Kveik does over what the other one does: to the right of 1 Kveik is faster, "
    "to the left the other. The thin line spans the rounds: where it crosses 1, there is no "
    "difference to speak of."
)


@dataclass(frozen=True)
class Options:
    peers: tuple[str, ...]
    only: str  # workloads
    entries: int
    rounds: int
    memory: int
    limit: float
    count: int  # requests of a run over the socket


def how_to_get(name: str) -> str:
    if name == REDIS:
        return "apt-get install redis-server"
    return f"pip install {name}"


class Embedded(Measurement):
    def __init__(self, options: Options) -> None:
        self._options = options
        names = [OURS, *(name for name in options.peers if name in ENGINES and name != OURS)]
        found, missing = find_engines([*names, NOOP])
        self._engines: dict[str, type[Engine]] = found
        self._workloads = find_workloads(options.only)
        self.versions = {name: e.version() for name, e in found.items() if name not in (OURS, NOOP)}
        self.section = Section(
            "peers",
            "Peers: embedded databases side by side",
            f"The same workloads on {options.entries:,} entries of {KEY_BYTES} + {VALUE_BYTES} "
            f"bytes with {show_size(options.memory)} of memory each, without compression, in "
            "alternating rounds. Rates hold the loop around the calls; a workload with sync in its "
            "name waits for the disk at every write, the others do not.",
            asdict(options),
        )
        for name in missing:
            self.section.notes.append(f"{name} is not installed: {how_to_get(name)}")

    def steps(self) -> int:
        return 0  # Comparison plans its own

    def run(self, screen: Screen) -> None:
        options = self._options
        setting = Setting(options.rounds, options.entries, options.memory, options.limit)
        with tempfile.TemporaryDirectory(prefix="kveik-bench-", ignore_cleanup_errors=True) as home:
            comparison = Comparison(setting, Path(home), screen)
            try:
                comparison.run(self._workloads, self._engines)
            finally:
                self.failed = comparison.failed
                self._fill(finished(comparison.rows))

    def _fill(self, rows: list[Row]) -> None:
        for row in rows:
            for name in row.engines():
                if name == NOOP:
                    continue
                unit = row.workload.unit
                result = Result(f"{row.workload.name}: {row.workload.about}", name, unit)
                for each in row.rounds:
                    run = each[name]
                    result.rounds.append(Round(run["done"], run["seconds"], run["cut"]))
                ratio = row.ratios().get(name)
                if ratio is not None:
                    result.facts["ratio"] = ratio.of_medians
                    result.facts |= {"ratio_min": ratio.rounds.min, "ratio_max": ratio.rounds.max}
                if (loop := row.loop_ns()) is not None:
                    result.facts["loop_ns"] = loop
                self.section.results.append(result)
            for name, reason in row.skipped.items():
                if name != NOOP:
                    self.section.notes.append(f"{row.workload.name}: {name} {reason}")
        names = [name for name in self._engines if name != NOOP]
        if any(row.ratios() for row in rows):
            title = f"Kveik against others: {self._options.entries:,} entries"
            svg = charts.bare(as_chart(rows, names, title))
            self.section.charts.append(Chart("Ratios", RATIOS, svg))


class Served(Tcp):
    """Kveik and redis-server under the same load."""

    def __init__(self, options: Options) -> None:
        servers: dict[str, Argv] = {OURS: kveik_argv("always")}
        there = shutil.which(REDIS) is not None
        wanted = REDIS in options.peers
        if there and wanted:
            servers[REDIS] = redis_argv("always")
        super().__init__(
            TcpOptions(
                count=options.count,
                connections=CONNECTIONS,
                pipeline=1,
                protocol="resp",
                durability="always",
                keys=min(options.entries, 100_000),
                size=VALUE_BYTES,
                rounds=options.rounds,
                limit=options.limit,
            ),
            servers,
        )
        self.section.name = "peers"
        if len(servers) > 1:
            both = f"{OURS} and {REDIS}, durable, {CONNECTIONS} connections"
            self.section.title = f"Peers over the socket: {both}"
            told = first_line([REDIS, "--version"])
            self.versions = {"redis-server": told.partition("v=")[2].partition(" ")[0]}
        elif wanted:
            self.section.notes.append(f"{REDIS} is not installed: {how_to_get(REDIS)}")

    def run(self, screen: Screen) -> None:
        super().run(screen)
        for result in self.section.finished():
            ours = next(r for r in self.section.results if r.name == result.name)
            if result.subject != OURS and ours.subject == OURS:
                result.facts["ratio"] = ours.rate.median / result.rate.median
