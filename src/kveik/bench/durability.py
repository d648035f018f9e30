"""`kveik bench durability`: a server, killed with SIGKILL under load, and what it still has.

Every connection writes keys of its own, each of them twice, with values that can be told apart. A
write whose answer has come must be there after the restart, or a later one to the same key. All of
it runs on one directory, so later tests also recover what earlier ones have left.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from kveik.bench.measurement import Measurement
from kveik.bench.results import Result, Round, Section
from kveik.bench.screen import Screen
from kveik.bench.servers import HOST, Argv, BenchError, Server, kveik_argv, running
from kveik.bench.wires import PREFIX, Target, resp

TWICE = 2  # writes of each key
CHUNK = 500  # keys read at once
PAUSE_S = 0.0005  # between two looks at how much is written
LATEST_S = 0.003  # of a random wait beyond that, so that no kill follows an answer
LIMIT_S = 120.0  # until a test's writes must have been answered
OK = b"+OK\r\n"


@dataclass(frozen=True)
class Options:
    writes: int  # the kill comes after at most so many
    tests: int
    durability: str
    connections: int
    size: int  # bytes of a value
    seed: int


def value_at(key: str, sequence: int, size: int) -> bytes:
    """Its own, so that a value that belongs to another write is found."""
    piece = f"{sequence}@{key};".encode()
    return (piece * (size // len(piece) + 1))[: max(size, len(piece))]


class Writer(threading.Thread):
    """One connection: writes, waits for the answer, writes again, until the server is gone."""

    def __init__(self, port: int, name: str, size: int) -> None:
        super().__init__(daemon=True)
        self.sent = self.acknowledged = 0  # writes; they are numbered from 0
        self.failure = ""
        self.taken: Counter[int] = Counter()
        self._name = name
        self._size = size
        self._connection = Target("resp", HOST, port).connect()

    def key_of(self, sequence: int) -> str:
        return f"{PREFIX}{self._name}:{sequence // TWICE:08d}"

    def value_of(self, sequence: int) -> bytes:
        return value_at(self.key_of(sequence), sequence, self._size)

    def keys(self) -> range:
        """The first write of each key."""
        return range(0, self.sent, TWICE)

    def run(self) -> None:
        connection, clock = self._connection, time.perf_counter_ns
        try:
            with connection:
                while True:
                    sequence = self.sent
                    request = resp("SET", self.key_of(sequence), self.value_of(sequence))
                    begin = clock()
                    self.sent = sequence + 1
                    connection.sendall(request)
                    answer = connection.recv(4096)
                    if answer != OK:
                        self.failure = answer.decode("latin-1")
                        return
                    self.acknowledged = sequence + 1
                    self.taken[(clock() - begin) // 1000 * 1000] += 1
        except OSError:
            return  # the server is gone, as it must


@dataclass
class Verdict:
    """What became of one test's writes."""

    acknowledged: int = 0
    lost: int = 0  # acknowledged, and neither they nor later ones are there
    wrong: int = 0  # values that nobody sent, or sent for another key
    in_flight: int = 0  # sent and not answered: these may be there or not
    kept: int = 0  # of those
    examples: list[str] = field(default_factory=list)

    @property
    def loss(self) -> float:
        return 100 * self.lost / max(self.acknowledged, 1)


def judge(writer: Writer, found: Iterable[tuple[int, bytes | None]], verdict: Verdict) -> None:
    """`found`: the value of each of the writer's keys, by the key's first write."""
    verdict.acknowledged += writer.acknowledged
    verdict.in_flight += writer.sent - writer.acknowledged
    for first, value in found:
        sent = range(first, min(first + TWICE, writer.sent))
        there = next((number for number in sent if writer.value_of(number) == value), None)
        if value is not None and there is None:
            verdict.wrong += 1
        reached = -1 if there is None else there
        lost = [number for number in sent if reached < number < writer.acknowledged]
        verdict.lost += len(lost)
        verdict.kept += there is not None and there >= writer.acknowledged
        if (lost or (value is not None and there is None)) and len(verdict.examples) < 3:
            verdict.examples.append(f"{writer.key_of(first)} is {value!r:.60}")


def read_back(port: int, writer: Writer) -> Iterable[tuple[int, bytes | None]]:
    firsts = list(writer.keys())
    with Target("resp", HOST, port).connect() as connection, connection.makefile("rb") as answers:
        for at in range(0, len(firsts), CHUNK):
            asked = firsts[at : at + CHUNK]
            connection.sendall(resp("MGET", *map(writer.key_of, asked)))
            head = answers.readline()
            if head != b"*%d\r\n" % len(asked):
                raise BenchError(f"the server answered {head!r} to MGET")
            for first in asked:
                size = int(answers.readline()[1:])
                yield first, None if size < 0 else answers.read(size + 2)[:-2]


class Durability(Measurement):
    """`server`: what to start, where it is not Kveik (tests give one that forgets)."""

    def __init__(self, options: Options, server: Argv | None = None) -> None:
        self._options = options
        self._argv = server or kveik_argv(options.durability)
        self._draw = random.Random(options.seed)
        self._tests: list[list[Writer]] = []
        self.section = Section(
            "durability",
            f"Kill -9 under load, durability {options.durability}",
            f"{options.connections} connections write, the server is killed with SIGKILL at a "
            f"random moment, started again on the same directory, and every key is compared. "
            "Each acknowledged write must be there: anything but 0 % lost is a fault. A kill "
            "takes the process, not the machine: only pulling the plug shows what a disk forgets.",
            asdict(options),
        )

    def steps(self) -> int:
        return self._options.tests + 1

    def run(self, screen: Screen) -> None:
        result = Result("writes until the kill")
        self.section.results.append(result)
        self.section.notes.append(f"seed {self._options.seed}")
        try:
            with running("kveik", self._argv, {}) as server:
                for number in range(self._options.tests):
                    screen.step(f"durability: test {number + 1} of {self._options.tests}")
                    verdict = self._test(number, server, result)
                    screen.advance()
                    if not screen.live:
                        told = f"{verdict.loss:.3g} % lost of {verdict.acknowledged:,}"
                        screen.tell(f"durability: test {number + 1}: {told}")
                screen.step("durability: reading everything again")
                self._read_all_again(server)
                screen.advance()
        finally:
            if self.section.tests:
                self._sum_up(result)

    def _test(self, number: int, server: Server, result: Result) -> Verdict:
        names = [f"{number}:{each}" for each in range(self._options.connections)]
        writers = [Writer(server.port, name, self._options.size) for name in names]
        self._tests.append(writers)
        begin = time.perf_counter()
        for writer in writers:
            writer.start()
        self._wait(writers, self._draw.randint(1, self._options.writes))
        server.kill9()
        seconds = time.perf_counter() - begin
        for writer in writers:
            writer.join()
        begin = time.perf_counter()
        server.start()
        server.wait_ready()
        recovery = time.perf_counter() - begin
        verdict = self._judge(server, writers)
        result.rounds.append(Round(verdict.acknowledged, seconds))
        for writer in writers:
            result.latencies.add(writer.taken)
        told = {key: value for key, value in asdict(verdict).items() if key != "examples"}
        row = {"test": number + 1, **told, "loss_percent": verdict.loss}
        self.section.tests.append({**row, "recovery_seconds": recovery})
        return verdict

    def _wait(self, writers: list[Writer], wanted: int) -> None:
        deadline = time.monotonic() + LIMIT_S
        while sum(writer.acknowledged for writer in writers) < wanted:
            time.sleep(PAUSE_S)
            failures = [writer.failure for writer in writers if writer.failure]
            if failures:
                raise BenchError(f"durability: the server answered {failures[0]!r} to SET")
            if time.monotonic() > deadline or not any(each.is_alive() for each in writers):
                raise BenchError("durability: the server has stopped answering")
        time.sleep(self._draw.uniform(0, LATEST_S))

    def _judge(self, server: Server, writers: list[Writer]) -> Verdict:
        verdict = Verdict()
        for writer in writers:
            judge(writer, read_back(server.port, writer), verdict)
        self._warn(verdict)
        return verdict

    def _warn(self, verdict: Verdict, when: str = "") -> None:
        if verdict.lost or verdict.wrong:
            self.failed = True
            self.section.warnings.append(
                f"{verdict.lost:,} acknowledged writes lost, {verdict.wrong:,} wrong values{when}: "
                f"{'; '.join(verdict.examples)}"
            )

    def _read_all_again(self, server: Server) -> None:
        """What one test has left must outlive the later ones."""
        before = sum(row["lost"] + row["wrong"] for row in self.section.tests)
        verdict = Verdict()
        for writers in self._tests:
            for writer in writers:
                judge(writer, read_back(server.port, writer), verdict)
        if verdict.lost + verdict.wrong > before:
            self._warn(verdict, " when everything was read again at the end")

    def _sum_up(self, result: Result) -> None:
        tests = self.section.tests
        acknowledged = sum(row["acknowledged"] for row in tests)
        lost, wrong = sum(row["lost"] for row in tests), sum(row["wrong"] for row in tests)
        losses = [row["loss_percent"] for row in tests]
        result.facts |= {
            "acknowledged": acknowledged,
            "lost": lost,
            "wrong": wrong,
            "loss_percent": 100 * lost / max(acknowledged, 1),
            "least_loss_percent": min(losses),
            "most_loss_percent": max(losses),
            "recovery_seconds": max(row["recovery_seconds"] for row in tests),
        }
