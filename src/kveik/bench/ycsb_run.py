"""`kveik bench ycsb`: YCSB's core workloads, in process or over the socket."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kveik.bench import charts
from kveik.bench.engines.catalog import OURS
from kveik.bench.keys import ENTRY_BYTES, VALUE_BYTES
from kveik.bench.load import Load, drive, usual_processes
from kveik.bench.measurement import Measurement
from kveik.bench.results import Result, Round, Section
from kveik.bench.runner import run_worker
from kveik.bench.screen import Screen
from kveik.bench.servers import HOST, BenchError, kveik_argv, running
from kveik.bench.wires import PAST, PREFIX, Target, WireError, ask, learn, parse_target, resp
from kveik.bench.worker import LOAD, Job
from kveik.bench.ycsb import MIXES

LOAD_PIPELINE = 50


@dataclass(frozen=True)
class Options:
    letters: str  # of the workloads: "abcdef"
    records: int
    operations: int
    threads: int  # or connections
    durability: str
    rounds: int
    memory: int
    limit: float
    served: bool = False
    url: str = ""


class Ycsb(Measurement):
    def __init__(self, options: Options) -> None:
        self._options = options
        self._given = parse_target(options.url, "resp") if options.url else None
        served = options.served or self._given is not None
        self._run_letter = self._served if served else self._embedded
        where = f"{'over the socket' if served else 'in process'}, durability {options.durability}"
        where = f"at {self._given}" if self._given else where
        each = "connection" if served else "thread"
        many = f"{options.threads} {each}{'s' * (options.threads > 1)}"
        compaction = "" if served else " (with its compaction)"
        mixes = "; ".join(f"{letter.upper()}: {MIXES[letter].about}" for letter in options.letters)
        self.section = Section(
            "ycsb",
            f"YCSB {options.letters.upper()}: {where}, {many}",
            f"YCSB's mixes on {options.records:,} records of about {ENTRY_BYTES} bytes: a load "
            f"phase{compaction}, then operations on records of which few are asked for often "
            f"(zipfian), D on the newest. {mixes}.",
            asdict(options),
        )

    def steps(self) -> int:
        rounds = self._options.rounds
        return len(self._options.letters) * (1 + rounds + (self._run_letter == self._embedded))

    def run(self, screen: Screen) -> None:
        for letter in self._options.letters:
            self._run_letter(letter, screen)
        screen.say("ycsb done")
        self.section.charts.append(charts.percentiles(self.section))

    def _results(self, letter: str) -> tuple[Result, Result]:
        loaded, ran = Result(f"{letter.upper()} load"), Result(f"{letter.upper()} run")
        self.section.results += [loaded, ran]
        return loaded, ran

    # --- in process -------------------------------------------------------------------------------

    def _embedded(self, letter: str, screen: Screen) -> None:
        options = self._options
        loaded, ran = self._results(letter)
        with tempfile.TemporaryDirectory(prefix="kveik-bench-", ignore_cleanup_errors=True) as home:
            screen.step(f"ycsb {letter.upper()}: load")
            found = self._work(Path(home), LOAD, 0, False)
            loaded.rounds.append(Round(found["done"], found["seconds"]))
            os.sync()
            screen.advance()
            for number in range(options.rounds + 1):
                each = number == options.rounds
                what = "each call timed" if each else f"round {number + 1} of {options.rounds}"
                screen.step(f"ycsb {letter.upper()}: {what}")
                found = self._work(Path(home), f"ycsb-{letter}", number, each)
                if each:
                    times = {int(time): count for time, count in found["taken"].items()}
                    ran.latencies.add(times)
                else:
                    ran.rounds.append(Round(found["done"], found["seconds"], found["cut"]))
                screen.advance()

    def _work(self, home: Path, workload: str, seed: int, each: bool) -> dict[str, Any]:
        options = self._options
        base = home / "base"
        job = Job(
            OURS,
            workload,
            str(base if workload == LOAD else home / f"run-{seed}"),
            str(base),
            options.records,
            options.memory,
            seed,
            options.limit,
            count=options.operations,
            threads=options.threads,
            durability=options.durability,
            each=each,
        )
        return run_worker(job)

    # --- over the socket --------------------------------------------------------------------------

    def _served(self, letter: str, screen: Screen) -> None:
        """A new server for each round, as some mixes make the database grow."""
        loaded, ran = self._results(letter)
        parts: dict[str, Result] = {}
        screen.step(f"ycsb {letter.upper()}: load")
        for number in range(self._options.rounds):
            with ExitStack() as stack:
                try:
                    target = self._target(stack)
                    self._round(letter, number, target, (loaded, ran), parts, screen)
                    if self._given:
                        with target.connect() as connection:
                            ends = f"[{PREFIX}", b"(" + PAST
                            ask(connection, "resp", resp("KV.DELRANGE", *ends))
                except (OSError, WireError) as error:
                    raise BenchError(f"ycsb {letter.upper()}: {error}") from error
        screen.advance()
        self.section.results += parts.values()

    def _target(self, stack: ExitStack) -> Target:
        if self._given:
            return self._given
        argv = kveik_argv(self._options.durability)
        return Target("resp", HOST, stack.enter_context(running("kveik", argv, {})).port)

    def _round(
        self,
        letter: str,
        number: int,
        target: Target,
        results: tuple[Result, Result],
        parts: dict[str, Result],
        screen: Screen,
    ) -> None:
        options = self._options
        shapes = learn(target, VALUE_BYTES, options.records)
        processes = usual_processes()

        def drive_kind(kind: str, pipeline: int, count: int) -> Any:
            return drive(
                Load(
                    target,
                    shapes,
                    kind,
                    options.threads,
                    pipeline,
                    options.records,
                    VALUE_BYTES,
                    count,
                    options.limit if kind == letter else 600.0,
                    processes,
                    number,
                ),
                lambda done: screen.at(done / count),
            )

        loaded, ran = results
        loaded.rounds.append(drive_kind("fill", LOAD_PIPELINE, options.records).round)
        screen.step(f"ycsb {letter.upper()}: round {number + 1} of {options.rounds}")
        found = drive_kind(letter, 1, options.operations)
        ran.rounds.append(found.round)
        ran.facts["missed"] = ran.facts.get("missed", 0) + found.missed
        ran.facts["busy"] = max(ran.facts.get("busy", 0), found.busy)
        for label, latencies in found.latencies.items():
            if label == "all":
                ran.latencies.merge(latencies)
                continue
            part = parts.setdefault(label, Result(f"{letter.upper()}: each {label}"))
            part.rounds.append(Round(len(latencies), found.round.seconds, found.round.cut))
            part.latencies.merge(latencies)
        screen.advance()
