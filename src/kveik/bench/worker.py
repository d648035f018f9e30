"""One run of one workload on one engine, in a process of its own; run by runner.py.

The job comes as JSON on stdin, what was measured goes as JSON to stdout. Nothing is timed but the
steps of the workload: opening, loading, warming up and drawing the inputs come before.
"""

from __future__ import annotations

import gc
import json
import random
import shutil
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kveik.bench.engines.base import Engine, Setting
from kveik.bench.engines.catalog import NOOP, find_engine
from kveik.bench.keys import ENTRY_BYTES, key_of, value_of
from kveik.bench.workloads import BATCH, LAYERS, WORKLOADS, Draw, Workload

LOAD = "load"  # the job that makes the base: all entries, compacted, at rest
CHUNKS = 10  # that each of several threads has at least
LAYER_SHARE = 16  # a layer is at most this part of the memory, so that it fits any memtable


class WrongResult(Exception):
    """An engine did not give what was stored."""


@dataclass(frozen=True)
class Job:
    engine: str
    workload: str  # or LOAD
    home: str  # an empty directory
    base: str  # what LOAD has made
    entries: int
    memory: int
    seed: int
    limit: float  # seconds, after which a run ends early
    count: int = 0  # inputs, in place of the workload's share
    threads: int = 0  # in place of the workload's
    durability: str = ""  # of Kveik, in place of the workload's
    each: bool = False  # take the time of each input: slower, so a run for itself


@dataclass
class Outcome:
    done: int = 0  # operations, or bytes
    seconds: float = 0.0
    cut: bool = False  # the time limit ended it
    notes: dict[str, float] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)  # how often an input took so many ns

    @property
    def rate(self) -> float:
        return self.done / max(self.seconds, 1e-9)


def run_job(job: Job) -> Outcome:
    if job.workload == LOAD:
        return _load_base(job)
    workload = next(w for w in WORKLOADS if w.name == job.workload)
    return _measure(workload, job)


# --- states -------------------------------------------------------------------------------------


def _load_base(job: Job) -> Outcome:
    engine = find_engine(job.engine)(Setting(Path(job.home), job.memory))
    numbers = random.Random(job.seed).sample(range(job.entries), job.entries)
    start = time.perf_counter()
    _put_all(engine, numbers)
    if "compact" in engine.abilities:
        engine.compact()
    engine.close()
    return Outcome(job.entries, time.perf_counter() - start)


def _put_all(engine: Engine, numbers: Sequence[int]) -> None:
    for at in range(0, len(numbers), BATCH):
        engine.write([(key_of(n), value_of(n)) for n in numbers[at : at + BATCH]])


def _open(workload: Workload, job: Job) -> tuple[Engine, int]:
    """The database in the state that the workload starts from, and how many entries it is about."""
    kind = find_engine(job.engine)
    home = Path(job.home)
    if workload.state == "base":
        if job.engine != NOOP:
            shutil.copytree(job.base, home, dirs_exist_ok=True)
        return kind(Setting(home, job.memory, durability=job.durability)), job.entries
    layered = workload.state in ("layers", "tables")
    engine = kind(Setting(home, job.memory, workload.sync, job.durability, layered))
    if not layered:
        return engine, job.entries
    size = min(job.entries // (LAYERS + 1), job.memory // LAYER_SHARE // ENTRY_BYTES)
    numbers = random.Random(job.seed).sample(range(size * (LAYERS + 1)), size * (LAYERS + 1))
    for at in range(0, len(numbers), size):
        _put_all(engine, numbers[at : at + size])
        last = at + size == len(numbers)
        if "flush" in engine.abilities and not (last and workload.state == "layers"):
            engine.flush()
    return engine, len(numbers)


# --- the timed part -----------------------------------------------------------------------------


def _measure(workload: Workload, job: Job) -> Outcome:
    engine, entries = _open(workload, job)
    count = job.count or min(max(1, int(job.entries * workload.share + 1e-6)), entries)
    draw = Draw(entries, count, random.Random(f"{workload.name} {job.seed}"))
    inputs = workload.inputs(draw)
    threads = job.threads or workload.threads
    size = workload.chunk
    if threads > 1:
        size = max(1, min(size, count // threads // CHUNKS))
    chunks = [inputs[at : at + size] for at in range(0, len(inputs), size)]
    if workload.warm:
        _work_off(workload.step(engine), chunks, job.limit)
    elif workload.state == "base":
        _touch(engine, min(entries, 100_000), job)
    before = engine.stats()
    gc.collect()
    gc.freeze()  # what was drawn is no garbage; the engine's own objects are collected as ever
    if threads > 1:
        outcome, met = _run_threads(workload, engine, chunks, job, threads)
    elif workload.writer:
        outcome, met = _run_beside_writer(workload, engine, chunks, job, entries)
    else:
        outcome, met = _work_off(workload.step(engine), chunks, job.limit, job.each)
    if job.threads > 1 and 0 < met < outcome.done and workload.name.startswith("ycsb"):
        outcome.notes["missed"] = outcome.done - met  # read before another thread had put it
    elif job.engine != NOOP and met != outcome.done * workload.per * workload.meets:
        raise WrongResult(f"{workload.name}: {outcome.done} inputs met {met} entries")
    outcome.done *= workload.per
    if workload.unit == "MB/s":
        outcome.done = entries * ENTRY_BYTES
    outcome.notes.update(_changes(before, engine.stats()))
    engine.close()
    return outcome


def _touch(engine: Engine, count: int, job: Job) -> None:
    """Read some of what is there: nobody starts with cold caches."""
    draw = random.Random(job.seed)
    get, deadline = engine.get, time.perf_counter() + job.limit
    for number in range(count):
        get(key_of(draw.randrange(job.entries)))
        if number % BATCH == 0 and time.perf_counter() > deadline:
            break


def _work_off(
    step: Any, chunks: Sequence[Sequence[Any]], limit: float, each: bool = False
) -> tuple[Outcome, int]:
    """The outcome, and how many entries were met."""
    if each:
        return _time_each(step, chunks, limit)
    clock = time.perf_counter
    done = met = 0
    start = now = clock()
    deadline = start + limit
    for chunk in chunks:
        met += step(chunk)
        done += len(chunk)
        now = clock()
        if now > deadline:
            break
    return Outcome(done, now - start, cut=done < sum(map(len, chunks))), met


def _time_each(step: Any, chunks: Sequence[Sequence[Any]], limit: float) -> tuple[Outcome, int]:
    """The same, with the time of each input, which holds some 0.1 us of taking it."""
    clock = time.perf_counter_ns
    taken = array("q")
    note = taken.append
    met = 0
    start = now = clock()
    deadline = start + int(limit * 1e9)
    for chunk in chunks:
        for one in chunk:
            begin = clock()
            met += step((one,))
            note(clock() - begin)
        now = clock()
        if now > deadline:
            break
    cut = len(taken) < sum(map(len, chunks))
    return Outcome(len(taken), (now - start) / 1e9, cut, taken=dict(Counter(taken))), met


def _run_threads(
    workload: Workload, engine: Engine, chunks: Sequence[Sequence[Any]], job: Job, count: int
) -> tuple[Outcome, int]:
    """Every thread has its share of the chunks; the time runs until the last has finished."""
    gate = threading.Barrier(count + 1)
    results: list[tuple[Outcome, int]] = []

    def work(mine: Sequence[Sequence[Any]]) -> None:
        step = workload.step(engine)
        gate.wait()
        results.append(_work_off(step, mine, job.limit, job.each))

    threads = [threading.Thread(target=work, args=(chunks[n::count],)) for n in range(count)]
    for thread in threads:
        thread.start()
    gate.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    if len(results) < count:
        raise WrongResult(f"{workload.name}: a thread failed")
    done = sum(outcome.done for outcome, _ in results)
    cut = any(outcome.cut for outcome, _ in results)
    taken = dict(sum((Counter(outcome.taken) for outcome, _ in results), Counter[int]()))
    return Outcome(done, seconds, cut, taken=taken), sum(met for _, met in results)


def _run_beside_writer(
    workload: Workload, engine: Engine, chunks: Sequence[Sequence[Any]], job: Job, entries: int
) -> tuple[Outcome, int]:
    """One thread reads and is measured; another puts as fast as it can, as in db_bench."""
    stop = threading.Event()
    ready = threading.Event()
    draw = random.Random(job.seed)
    pairs = [(key_of(draw.randrange(entries)), value_of(n)) for n in range(min(entries, 100_000))]
    written = 0

    def write() -> None:
        nonlocal written
        put = engine.put
        while True:
            for key, value in pairs:
                put(key, value)
                written += 1
                ready.set()
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    ready.wait(job.limit)
    before = written
    outcome, met = _work_off(workload.step(engine), chunks, job.limit)
    writes = written - before
    stop.set()
    writer.join()
    if not written:
        raise WrongResult(f"{workload.name}: the writer failed")
    outcome.notes["writes_per_second"] = writes / outcome.seconds
    return outcome, met


def _changes(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """The engine's own figures, as they were at the start, and by how much they changed."""
    changes = {f"{name} +": after[name] - before.get(name, 0) for name in after}
    return {**before, **{name: change for name, change in changes.items() if change}}


def main() -> int:
    job = Job(**json.load(sys.stdin))
    outcome = run_job(job)
    print(json.dumps({**asdict(outcome), "rate": outcome.rate}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
