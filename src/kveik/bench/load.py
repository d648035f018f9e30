"""Drives generator processes: starts them, lets them go at one moment, and adds up what they found.

Called by everything that measures over a socket. Also says whether the generator was the limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from kveik.bench.generator import Job
from kveik.bench.latency import Latencies
from kveik.bench.responder import Job as NothingJob
from kveik.bench.results import Round
from kveik.bench.runner import started, tail
from kveik.bench.servers import HOST, BenchError
from kveik.bench.wires import WIRES, Shape, Target, key_at, values_of

MOST_PROCESSES = 4
BUSY = 0.9  # share of a processor from which the generator is the limit
ROOM = 1.3  # times the result that the generator must be able to reach
PROBE_S, PROBE_COUNT = 0.5, 200_000  # of a run against a server that does nothing

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Load:
    """What is asked of a server."""

    target: Target
    shapes: dict[str, Shape]
    kind: str  # see generator.Job
    connections: int
    pipeline: int
    keys: int
    size: int
    count: int
    limit: float
    processes: int
    seed: int = 0


@dataclass
class Found:
    round: Round
    latencies: dict[str, Latencies]  # by the kind of operation
    busy: float  # the busiest generator process, as a share of one processor
    waited: float  # the one that stood in line longest, as a share of the time
    missed: int

    def all_latencies(self) -> Latencies:
        return next(iter(self.latencies.values()))


def usual_processes() -> int:
    """Half of the processors is the server's."""
    return max(1, min(MOST_PROCESSES, len(os.sched_getaffinity(0)) // 2))


def drive(load: Load, tell: Tell | None = None) -> Found:
    """Run it; `tell` hears how many operations are done. Raises BenchError."""
    jobs = jobs_of(load)
    with ExitStack() as stack:
        running = [stack.enter_context(started("kveik.bench.generator", asdict(j))) for j in jobs]
        listeners = [Listener(process, number) for number, process in enumerate(running)]
        for listener in listeners:
            listener.wait_ready()
        done = dict.fromkeys(range(len(jobs)), 0)

        def hear(number: int, count: int) -> None:
            done[number] = count
            if tell is not None:
                tell(sum(done.values()))

        threads = [threading.Thread(target=each.listen, args=(hear,)) for each in listeners]
        for listener in listeners:
            listener.go()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return add_up([listener.result() for listener in listeners])


def jobs_of(load: Load) -> list[Job]:
    """The load, shared out: each process has at least one connection."""
    processes = max(1, min(load.processes, load.connections))
    shapes = {kind: asdict(shape) for kind, shape in load.shapes.items()}
    return [
        Job(
            target=asdict(load.target),
            shapes=shapes,
            kind=load.kind,
            connections=len(range(number, load.connections, processes)),
            pipeline=load.pipeline,
            keys=load.keys,
            size=load.size,
            count=len(range(number, load.count, processes)),
            limit=load.limit,
            seed=load.seed,
            number=number,
            processes=processes,
        )
        for number in range(processes)
    ]


class Listener:
    """One generator process and what it tells."""

    def __init__(self, process: subprocess.Popen[str], number: int) -> None:
        self._process = process
        self._number = number
        self._found: dict[str, Any] = {}
        self._failed = ""

    def wait_ready(self) -> None:
        self._next()
        if self._failed:
            raise BenchError(self._failed)

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def listen(self, hear: Callable[[int, int], None]) -> None:
        while not self._failed and not self._found:
            told = self._next()
            if "done" in told:
                hear(self._number, told["done"])

    def result(self) -> dict[str, Any]:
        if self._failed:
            raise BenchError(self._failed)
        return self._found

    def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            self._failed = f"the load generator failed\n{tail(self._process.stderr.read())}"
            return {}
        told: dict[str, Any] = json.loads(line)
        self._failed = told.get("failed", "")
        self._found = told.get("found", {})
        return told


def add_up(found: list[dict[str, Any]]) -> Found:
    begin = min(each["begin"] for each in found)
    seconds = (max(each["end"] for each in found) - begin) / 1e9
    every = Latencies()
    latencies = {"all": every}
    for each in found:
        for label, times in each["taken"].items():
            counted = {int(time): count for time, count in times.items()}
            latencies.setdefault(label, Latencies()).add(counted)
            every.add(counted)
    spans = [max((each["end"] - each["begin"]) / 1e9, 1e-9) for each in found]
    return Found(
        Round(sum(e["done"] for e in found), seconds, any(e["cut"] for e in found)),
        latencies,
        max(each["cpu"] / span for each, span in zip(found, spans, strict=True)),
        max(each["waited"] / span for each, span in zip(found, spans, strict=True)),
        sum(each["missed"] for each in found),
    )


# --- is it the limit? ---------------------------------------------------------------------------


def ceiling(load: Load) -> float:
    """Operations a second that the same load reaches against a server that does nothing."""
    wire, shape = WIRES[load.target.protocol], load.shapes[load.kind]
    key, value = key_at(0), values_of(load.size)[0]
    request = wire.put(key, value) if load.kind == "put" else wire.get(key)
    answer = shape.head.ljust(shape.length, ".")
    with started("kveik.bench.responder", asdict(NothingJob(len(request), answer))) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BenchError("the server that does nothing did not start")
        target = Target(load.target.protocol, HOST, json.loads(line)["port"])
        found = drive(replace(load, target=target, count=PROBE_COUNT, limit=PROBE_S))
    return found.round.rate


def was_limit(rate: float, busy: float, able: float) -> str:
    """Why the generator was, or may have been, the limit; "" if it was not."""
    if busy > BUSY:
        return f"it was {busy:.0%} busy"
    most = max(able, rate / max(busy, 1e-9))  # two estimates, either of them too low
    if most < ROOM * rate:
        return f"it reaches {most:,.0f}/s at most where the server does nothing"
    return ""
