"""The load on a server, in a process of its own: many connections, one thread, bytes counted.

The job comes as a line of JSON on stdin, "ready" goes to stdout, and a further line starts it.
Lines of JSON tell how far it is, the last one what was found. Requests are built beforehand. What
an answer must look like is known, so nothing is parsed; one that looks otherwise ends the run. It
measures itself: CPU time, and how long it stood in line for a processor. Standard library alone.
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import sys
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kveik.bench.wires import (
    KEY_BYTES,
    MISSING,
    PAST,
    WIRES,
    Shape,
    Target,
    WireError,
    key_at,
    resp,
    values_of,
)
from kveik.bench.ycsb import MIXES, Kind, Mix, draw_operations

BUILT = 50_000  # requests held by a process; longer runs send them again
STEP_NS = 100  # to which times are rounded down
TELL_NS = 200_000_000
ROOM = 4096  # bytes read at a time, at least
QUIET_S = 30.0  # until a server that says nothing is given up


@dataclass(frozen=True)
class Job:
    target: dict[str, Any]
    shapes: dict[str, Any]
    kind: str  # put, get: of random keys; fill, delete: each key once; or ycsb's a to f
    connections: int
    pipeline: int
    keys: int  # that there are, or will be
    size: int  # bytes of a value
    count: int  # operations
    limit: float  # seconds, after which the run ends early
    seed: int
    number: int = 0  # of this process
    processes: int = 1


@dataclass
class Step:
    """A request, or several in a pipeline, and the answer that belongs to it."""

    request: bytes
    answer: str  # the kind of answer
    label: str  # under which its time is noted
    then: bytes = b""  # a put that follows the answer, and belongs to the same operation


@dataclass
class Connection:
    fd: int
    step: Step
    answer: str = ""
    began: int = 0
    then: bytes = b""
    part: bytes = b""


@dataclass
class Outcome:
    begin: int = 0  # ns, of a clock that all processes share
    end: int = 0
    done: int = 0
    missed: int = 0
    cut: bool = False
    cpu: float = 0.0  # seconds
    waited: float = 0.0  # seconds in line for a processor
    taken: dict[str, array[int]] = field(default_factory=dict)


# --- what is asked ------------------------------------------------------------------------------


def steps_of(job: Job) -> list[Step]:
    if job.kind in MIXES:
        return _mixed(job, MIXES[job.kind])
    wire = WIRES[job.target["protocol"]]
    values = values_of(job.size)
    draw = random.Random(f"{job.seed} {job.number}")
    if job.kind in ("fill", "delete"):
        numbers = list(range(job.number, job.keys, job.processes))
    else:
        numbers = [draw.randrange(job.keys) for _ in range(min(job.count, BUILT))]
    kind = "put" if job.kind == "fill" else job.kind
    requests = []
    for at, number in enumerate(numbers):
        key = key_at(number)
        if kind == "put":
            requests.append(wire.put(key, values[at % len(values)]))
        else:
            requests.append(wire.get(key) if kind == "get" else wire.delete(key))
    groups = [requests[at : at + job.pipeline] for at in range(0, len(requests), job.pipeline)]
    rest = len(groups[-1]) if groups and job.kind in ("put", "get") else job.pipeline
    if rest < job.pipeline and len(groups) > 1:
        groups.pop()  # all steps of these are alike
    return [Step(b"".join(group), f"{kind}*{len(group)}", kind) for group in groups]


def _mixed(job: Job, mix: Mix) -> list[Step]:
    values = values_of(job.size)
    draw = random.Random(f"{job.seed} {job.number}")
    steps = []
    for at, (kind, number, more) in enumerate(draw_operations(mix, job.keys, job.count, draw)):
        if number >= job.keys:  # new ones are apart from those of the other processes
            number = job.keys + (number - job.keys) * job.processes + job.number
        key = key_at(number)
        put = resp("SET", key, values[at % len(values)])
        label = kind.name.lower()
        if kind is Kind.SCAN:
            ends = (f"[{key}", b"(" + PAST)
            steps.append(Step(resp("KV.RANGE", *ends, "LIMIT", "0", str(more)), "rows", label))
        elif kind is Kind.MODIFY:
            steps.append(Step(resp("GET", key), "get*1", label, put))
        elif kind is Kind.READ:
            steps.append(Step(resp("GET", key), "get*1", label))
        else:
            steps.append(Step(put, "put*1", label))
    return steps


# --- the run ------------------------------------------------------------------------------------


class Generator:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._steps = steps_of(job)
        self._shapes = {kind: Shape(**shape) for kind, shape in job.shapes.items()}
        self._heads = {kind: s.head.encode("latin-1") for kind, s in self._shapes.items()}
        self._row = len(b"$%d\r\n" % KEY_BYTES) + KEY_BYTES + 4
        self._row += len(b"$%d\r\n" % job.size) + job.size
        self._sockets: list[socket.socket] = []
        self._wire = WIRES[job.target["protocol"]]
        self._missed = 0

    def connect(self) -> None:
        target = Target(**self._job.target)
        for _ in range(self._job.connections):
            connection = target.connect()
            connection.settimeout(None)  # read when it is readable; blocking it is one call less
            self._sockets.append(connection)

    def run(self) -> Outcome:
        job, steps, outcome = self._job, self._steps, Outcome()
        lengths = {
            step.answer: self._length(step.answer) for step in steps if step.answer != "rows"
        }
        lengths["put*1"] = self._shapes["put"].length
        heads = {answer: self._heads[answer.partition("*")[0]] for answer in lengths}
        sizes = {answer: _count(answer) for answer in (*lengths, "rows")}
        taken = {step.label: array("q") for step in steps}
        room = max([ROOM, *(length + 64 for length in lengths.values())])
        read, write, clock = os.read, os.write, time.monotonic_ns
        poll = select.epoll()
        by_fd: dict[int, Connection] = {}
        count = sum(sizes[step.answer] for step in steps)
        wanted = count if job.kind in ("fill", "delete") else job.count
        sent = at = done = 0
        cpu, waited = time.process_time(), _waited()
        begin = now = clock()
        deadline, tell = begin + int(job.limit * 1e9), begin + TELL_NS
        for connection in self._sockets:
            if sent >= wanted:
                break
            fd, step = connection.fileno(), steps[at]
            poll.register(fd, select.EPOLLIN)
            by_fd[fd] = Connection(fd, step, step.answer, clock(), step.then)
            write(fd, step.request)
            sent += sizes[step.answer]
            at = (at + 1) % len(steps)
        busy = len(by_fd)
        while busy:
            events = poll.poll(QUIET_S)
            if not events:
                parts = [mine.part for mine in by_fd.values() if mine.part]
                told = f" but {parts[0][:200]!r}" if parts else ""
                raise WireError(f"for {QUIET_S:g} s the server has said nothing{told}")
            for fd, _ in events:
                mine = by_fd[fd]
                data = read(fd, room)
                now = clock()
                answer = mine.answer
                if (
                    mine.part
                    or len(data) != lengths.get(answer)
                    or not data.startswith(heads[answer])
                ) and not self._whole(mine, data, lengths, heads):
                    continue
                if mine.then:
                    write(fd, mine.then)
                    mine.then, mine.answer = b"", "put*1"
                    continue
                step = mine.step
                taken[step.label].append(now - mine.began)
                done += sizes[step.answer]
                if sent >= wanted:
                    busy -= 1
                    continue
                mine.step = step = steps[at]
                at += 1
                if at == len(steps):
                    at = 0
                sent += sizes[step.answer]
                mine.answer, mine.then, mine.began = step.answer, step.then, now
                write(fd, step.request)
            if now > tell:
                tell = now + TELL_NS
                print(json.dumps({"done": done}), flush=True)
                if now > deadline:
                    outcome.cut, wanted = True, 0
        outcome.begin, outcome.end, outcome.done, outcome.missed = begin, now, done, self._missed
        outcome.cpu, outcome.waited = time.process_time() - cpu, _waited() - waited
        outcome.taken = taken
        return outcome

    def _length(self, answer: str) -> int:
        return self._shapes[answer.partition("*")[0]].length * _count(answer)

    def _whole(
        self, mine: Connection, data: bytes, lengths: dict[str, int], heads: dict[str, bytes]
    ) -> bool:
        """Whether what did not come in one piece is now whole; WireError if it is none of ours."""
        if not data:
            raise WireError(f"the server closed a connection after {mine.part[:200]!r}")
        data = mine.part + data
        ended = len(data) == self._wanted(mine.answer, data, lengths, heads)
        mine.part = b"" if ended else data
        return ended

    def _wanted(
        self, answer: str, data: bytes, lengths: dict[str, int], heads: dict[str, bytes]
    ) -> int:
        """Bytes of the answer that begins like this; -1 while that cannot be told."""
        if data == MISSING and self._job.kind in MIXES:
            self._missed += 1
            return len(data)
        if answer == "rows":
            head, wanted = b"*", self._rows_length(data)
        else:
            head, wanted = heads[answer], lengths[answer]
        short = len(data) < wanted and answer.endswith("*1") and self._wire.whole(data)
        if short or not data.startswith(head[: len(data)]) or 0 < wanted < len(data):
            raise WireError(f"the server answered {data[:200]!r}")
        return wanted

    def _rows_length(self, data: bytes) -> int:
        """Bytes of an answer to KV.RANGE, by its first line; -1 while that is not there."""
        line, end, _ = data.partition(b"\r\n")
        if not end or not line[1:].isdigit():
            return -1
        return len(line) + 2 + int(line[1:]) // 2 * self._row


def _count(answer: str) -> int:
    """How many operations "put*16" is an answer to."""
    return int(answer.partition("*")[2] or 1)


def _waited() -> float:
    """Seconds that this process was ready to run, and another one had the processor."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def told(outcome: Outcome) -> dict[str, Any]:
    counted = {
        label: Counter(time // STEP_NS * STEP_NS for time in times)
        for label, times in outcome.taken.items()
    }
    return {**vars(outcome), "taken": counted}


def main() -> int:
    generator = Generator(Job(**json.loads(sys.stdin.readline())))
    try:
        generator.connect()
        print(json.dumps({"ready": True}), flush=True)
        sys.stdin.readline()
        print(json.dumps({"found": told(generator.run())}), flush=True)
    except (OSError, WireError) as error:
        print(json.dumps({"failed": str(error)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
