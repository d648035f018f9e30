"""`kveik bench tcp`: writes and reads through the socket, and what the server's processor spent.

The server is started here on a temporary directory, or `--url` names one that runs; there all keys
lie under a prefix of their own and are removed at the end. `peers` calls Tcp with several servers.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace

from kveik.bench import charts, redis_benchmark
from kveik.bench.embedded import turned
from kveik.bench.load import Load, ceiling, drive, usual_processes, was_limit
from kveik.bench.measurement import Measurement
from kveik.bench.results import Result, Round, Section
from kveik.bench.screen import Screen
from kveik.bench.servers import HOST, Argv, BenchError, Server, kveik_argv, running, settle
from kveik.bench.wires import KEY_BYTES, Target, WireError, learn, parse_target

FILL_PIPELINE = 50
FILL_CONNECTIONS = 4
FILL_LIMIT_S = 600.0
CASES = {"writes": "put", "reads": "get"}
TESTS = {"put": "SET", "get": "GET"}
OWN = "kveik"


@dataclass(frozen=True)
class Options:
    count: int  # operations of a run
    connections: int
    pipeline: int
    protocol: str  # "" for what the URL says
    durability: str
    keys: int
    size: int  # bytes of a value
    rounds: int
    limit: float  # seconds of the longest run
    processes: int = 0  # of the generator; 0: as many as fit
    url: str = ""


@dataclass
class Subject:
    """A server under load; `server` where it was started here."""

    name: str
    target: Target
    server: Server | None = None
    loads: dict[str, Load] | None = None


class Tcp(Measurement):
    """`servers`: what to start, by name; the URL's server where there is one."""

    def __init__(self, options: Options, servers: dict[str, Argv] | None = None) -> None:
        self._options = options
        self._given = parse_target(options.url, options.protocol) if options.url else None
        self._servers = servers or {OWN: kveik_argv(options.durability)}
        protocol = self._given.protocol if self._given else options.protocol or "resp"
        self._protocol = protocol
        self._processes = options.processes or usual_processes()
        names = {"always": "durable", "interval": "synced every second", "none": "unsynced"}
        kept = f"at {self._given}" if self._given else names[options.durability]
        pipeline = f", {options.pipeline} in a pipeline" if options.pipeline > 1 else ""
        asked = f"{options.pipeline} requests" if options.pipeline > 1 else "a request"
        self.section = Section(
            "tcp",
            f"Over the socket: {protocol}, {options.connections} connections{pipeline}, {kept}",
            f"{options.connections} connections send {asked} at a time, wait for the answer "
            f"and go on: random ones of {options.keys:,} keys that are there, of "
            f"{KEY_BYTES} + {options.size} bytes. Client and server share this machine; times are "
            "the client's, from sending to the whole answer"
            f"{' to the whole pipeline' if options.pipeline > 1 else ''}.",
            asdict(options) | {"protocol": protocol, "processes": self._processes},
        )

    def steps(self) -> int:
        subjects = 1 if self._given else len(self._servers)
        return subjects * (1 + len(CASES) * self._options.rounds) + len(CASES)

    def run(self, screen: Screen) -> None:
        with ExitStack() as stack:
            try:
                subjects = self._subjects(stack)
                for subject in subjects:
                    screen.step(f"tcp: storing {self._options.keys:,} keys, {subject.name}")
                    self._prepare(subject)
                    screen.advance()
                self._rounds(subjects, screen)
                self._check_generator(subjects, screen)
                if self._given:
                    self._remove(subjects[0])
            except (OSError, WireError) as error:
                raise BenchError(f"tcp: {error}") from error
        screen.say("tcp done")
        self.section.charts.append(charts.percentiles(self.section))

    def _subjects(self, stack: ExitStack) -> list[Subject]:
        if self._given:
            return [Subject(OWN, self._given)]
        found = []
        for name, argv in self._servers.items():
            server = stack.enter_context(running(name, argv, {}))
            found.append(Subject(name, Target(self._protocol, HOST, server.port), server))
        return found

    def _prepare(self, subject: Subject) -> None:
        """Every key is there, and the server is at rest."""
        options = self._options
        shapes = learn(subject.target, options.size, options.keys)
        load = Load(
            subject.target,
            shapes,
            "put",
            options.connections,
            options.pipeline,
            options.keys,
            options.size,
            options.count,
            options.limit,
            self._processes,
        )
        drive(_once(load, "fill"))
        subject.loads = {name: replace(load, kind=kind) for name, kind in CASES.items()}

    def _remove(self, subject: Subject) -> None:
        assert subject.loads is not None
        drive(_once(subject.loads["writes"], "delete"))

    def _rounds(self, subjects: list[Subject], screen: Screen) -> None:
        rounds = self._options.rounds
        by_name = {subject.name: subject for subject in subjects}
        results = {
            (case, name): Result(case, name, facts={"server_us": 0, "busy": 0, "waited": 0})
            for case in CASES
            for name in by_name
        }
        self.section.results += results.values()
        servers = [subject.server for subject in subjects if subject.server]
        for number in range(rounds):
            for case in CASES:
                for name in turned(list(by_name), number):
                    screen.step(f"tcp: {case}, {name}, round {number + 1} of {rounds}")
                    settle(servers)
                    self._round(case, by_name[name], results[case, name], number, screen)
                    screen.advance()

    def _round(
        self, case: str, subject: Subject, result: Result, number: int, screen: Screen
    ) -> None:
        assert subject.loads is not None
        load = replace(subject.loads[case], seed=number)
        server = subject.server
        cpu = server.own_cpu_us() if server else 0
        found = drive(load, lambda done: screen.at(done / load.count))
        if server:
            server.check_alive()
            spent = (server.own_cpu_us() - cpu) / max(found.round.done, 1)
            result.facts["server_us"] = spent
        result.rounds.append(found.round)
        result.latencies.merge(found.all_latencies())
        result.facts["busy"] = max(result.facts["busy"], found.busy)
        result.facts["waited"] = max(result.facts["waited"], found.waited)

    # --- the generator ----------------------------------------------------------------------------

    def _check_generator(self, subjects: list[Subject], screen: Screen) -> None:
        """Compare what it reached with what it can; ask redis-benchmark where that is too close."""
        loads = subjects[0].loads
        assert loads is not None
        for case in CASES:
            screen.step(f"tcp: what the load generator can do, {case}")
            able = ceiling(loads[case])
            mine = [result for result in self.section.results if result.name == case]
            for result in mine:
                result.facts["generator_ceiling"] = able
            top = max(mine, key=lambda result: result.rate.max)
            busy = max(result.facts["busy"] for result in mine)
            why = was_limit(top.rate.max, busy, able)
            if why:
                self.section.warnings.append(
                    f"{case}: the load generator may have been the limit ({why}): the server may "
                    f"do more. Try --processes {self._processes + 1} or a longer --pipeline."
                )
                self._second_opinion(case, subjects, screen)
            screen.advance()

    def _second_opinion(self, case: str, subjects: list[Subject], screen: Screen) -> None:
        servers = {subject.name: subject.server for subject in subjects if subject.server}
        usable = servers and self._protocol == "resp" and shutil.which(redis_benchmark.PROGRAM)
        if not usable:
            return
        options = self._options
        results = {name: Result(f"{case}, by redis-benchmark", name) for name in servers}
        self.section.results += results.values()
        for number in range(options.rounds):
            for name in turned(list(servers), number):
                screen.step(f"tcp: {results[name].name}, round {number + 1} of {options.rounds}")
                settle(list(servers.values()))
                row = redis_benchmark.run(
                    servers[name],
                    TESTS[CASES[case]],
                    options.count,
                    options.connections,
                    options.pipeline,
                    options.keys,
                    options.size,
                )
                results[name].rounds.append(Round(options.count, options.count / row["rps"]))
                for told in ("p50", "p99", "max"):
                    results[name].facts[f"{told}_us"] = row[f"{told}_latency_ms"] * 1000


def _once(load: Load, kind: str) -> Load:
    """Put or delete each key, once."""
    return replace(
        load,
        kind=kind,
        connections=FILL_CONNECTIONS,
        pipeline=FILL_PIPELINE,
        count=load.keys,
        limit=FILL_LIMIT_S,
    )
