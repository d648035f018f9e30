"""The workloads of the embedded bench: db_bench's names and YCSB's, each one row of the table.

A workload draws its inputs beforehand and gives a step that works off a chunk of them; the worker
times nothing but steps. A step returns how many entries it met, so that a run that reads less than
it should is an error and no fast run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from kveik.bench.engines.base import Engine
from kveik.bench.keys import key_of, missing_key, value_of
from kveik.bench.ycsb import MIXES, Kind, Mix, draw_operations

BATCH = 1000  # entries
RANGE = 100  # entries
LAYERS = 4  # overlapping tables, and as much again in memory

Step = Callable[[Sequence[Any]], int]


@dataclass(frozen=True)
class Draw:
    """What inputs are drawn from: the same for every engine in the same round."""

    entries: int  # that the database holds, or will hold
    count: int  # inputs wanted
    random: random.Random


@dataclass(frozen=True)
class Workload:
    name: str
    about: str
    inputs: Callable[[Draw], list[Any]]
    step: Callable[[Engine], Step]
    also: tuple[str, ...] = ()  # other names to ask for it by
    # What it starts from. "empty"; "base": all entries, compacted, at rest;
    # "layers": a memtable and LAYERS tables that overlap; "tables": the same, all flushed.
    state: str = "base"
    needs: frozenset[str] = field(default_factory=frozenset)  # abilities of an engine
    share: float = 1.0  # inputs per entry of the database
    per: int = 1  # entries per input: figures are per entry
    meets: float = 1.0  # entries met per entry asked for
    warm: bool = False  # the same inputs are read once before
    sync: bool = False
    threads: int = 1
    writer: bool = False  # another thread writes all the while
    chunk: int = 1000  # inputs between two looks at the clock
    unit: str = "ops/s"


# --- steps --------------------------------------------------------------------------------------


def putting(engine: Engine) -> Step:
    put = engine.put

    def step(pairs: Sequence[Any]) -> int:
        for key, value in pairs:
            put(key, value)
        return len(pairs)

    return step


def batching(engine: Engine) -> Step:
    write = engine.write

    def step(batches: Sequence[Any]) -> int:
        done = 0
        for pairs in batches:
            write(pairs)
            done += len(pairs)
        return done

    return step


def deleting(engine: Engine) -> Step:
    delete = engine.delete

    def step(keys: Sequence[Any]) -> int:
        for key in keys:
            delete(key)
        return len(keys)

    return step


def getting(engine: Engine) -> Step:
    get = engine.get

    def step(keys: Sequence[Any]) -> int:
        found = 0
        for key in keys:
            if get(key) is not None:
                found += 1
        return found

    return step


def ranging(count: int) -> Callable[[Engine], Step]:
    def make(engine: Engine) -> Step:
        read = engine.range

        def step(keys: Sequence[Any]) -> int:
            found = 0
            for key in keys:
                found += len(read(key, count))
            return found

        return step

    return make


def scanning(reverse: bool) -> Callable[[Engine], Step]:
    def make(engine: Engine) -> Step:
        rows = engine.scan(reverse)

        def step(chunk: Sequence[Any]) -> int:
            found = 0
            for _ in islice(rows, len(chunk)):
                found += 1
            return found

        return step

    return make


def compacting(engine: Engine) -> Step:
    def step(chunk: Sequence[Any]) -> int:
        engine.compact()
        return 1

    return step


def serving(engine: Engine) -> Step:
    """YCSB: reads, updates, inserts, ranges and read-modify-writes as they come."""
    get, put, read = engine.get, engine.put, engine.range
    reading, ranging, modifying = Kind.READ, Kind.SCAN, Kind.MODIFY

    def step(operations: Sequence[Any]) -> int:
        done = 0
        for kind, key, more in operations:
            if kind is reading:
                done += get(key) is not None
            elif kind is ranging:
                done += len(read(key, more)) > 0
            elif kind is modifying:
                done += get(key) is not None
                put(key, more)
            else:
                put(key, more)
                done += 1
        return done

    return step


# --- inputs -------------------------------------------------------------------------------------


def pairs_in_order(draw: Draw) -> list[Any]:
    return [(key_of(n), value_of(n)) for n in range(draw.count)]


def pairs_shuffled(draw: Draw) -> list[Any]:
    """Each key once, in random order."""
    numbers = draw.random.sample(range(draw.entries), draw.count)
    return [(key_of(number), value_of(number)) for number in numbers]


def batches(draw: Draw) -> list[Any]:
    whole = Draw(draw.entries, min(draw.count * BATCH, draw.entries), draw.random)
    pairs = pairs_shuffled(whole)
    return [pairs[at : at + BATCH] for at in range(0, len(pairs), BATCH)]


def pairs_new(draw: Draw) -> list[Any]:
    """Keys that are not there, all between those that are."""
    numbers = draw.random.sample(range(max(draw.entries, draw.count)), draw.count)
    return [(missing_key(number), value_of(number)) for number in numbers]


def pairs_drawn(draw: Draw) -> list[Any]:
    """Random keys that exist, some more than once."""
    return [(key_of(draw.random.randrange(draw.entries)), value_of(n)) for n in range(draw.count)]


def keys_drawn(draw: Draw) -> list[Any]:
    return [key_of(draw.random.randrange(draw.entries)) for _ in range(draw.count)]


def keys_missing(draw: Draw) -> list[Any]:
    return [missing_key(draw.random.randrange(draw.entries)) for _ in range(draw.count)]


def keys_once(draw: Draw) -> list[Any]:
    return [key_of(number) for number in draw.random.sample(range(draw.entries), draw.count)]


def starts(length: int) -> Callable[[Draw], list[Any]]:
    """Random keys with `length` entries from each on."""

    def inputs(draw: Draw) -> list[Any]:
        past = max(1, draw.entries - length + 1)
        return [key_of(draw.random.randrange(past)) for _ in range(draw.count)]

    return inputs


def places(draw: Draw) -> list[Any]:
    """For scans and compactions: nothing to say but how many."""
    return [None] * draw.count


def operations(mix: Mix) -> Callable[[Draw], list[Any]]:
    def inputs(draw: Draw) -> list[Any]:
        drawn = draw_operations(mix, draw.entries, draw.count, draw.random)
        return [(kind, key_of(number), more) for kind, number, more in drawn]

    return inputs


# --- the table's rows ---------------------------------------------------------------------------


def _ycsb(letter: str, mix: Mix) -> Workload:
    needs = frozenset({"range"} if Kind.SCAN in mix.shares else ())
    about = f"YCSB {letter.upper()}: {mix.about}, zipfian"
    name = f"ycsb-{letter}"
    return Workload(name, about, operations(mix), serving, needs=needs, share=0.2, chunk=500)


_RANGE, _SCAN = frozenset({"range"}), frozenset({"scan"})
_SYNC, _FLUSH = frozenset({"sync"}), frozenset({"flush"})

WORKLOADS = (
    Workload("fillseq", "put in key order", pairs_in_order, putting, state="empty"),
    Workload("fillrandom", "put, unsynced", pairs_shuffled, putting, also=("put",), state="empty"),
    Workload(
        "fillbatch",
        f"batch of {BATCH:,}, unsynced",
        batches,
        batching,
        also=("batch",),
        state="empty",
        share=1 / BATCH,
        per=BATCH,
        chunk=5,
    ),
    Workload(
        "fillsync",
        "put, synced, 1 thread",
        pairs_shuffled,
        putting,
        also=("put-sync",),
        state="empty",
        needs=_SYNC,
        share=0.02,
        sync=True,
        chunk=50,
    ),
    Workload(
        "fillsync32",
        "put, synced, 32 threads",
        pairs_shuffled,
        putting,
        also=("put-sync-32",),
        state="empty",
        needs=_SYNC,
        share=0.06,
        sync=True,
        threads=32,
        chunk=10,
    ),
    Workload("insert", "put of new keys among what is there", pairs_new, putting, share=0.5),
    Workload("overwrite", "put over what is there", pairs_drawn, putting, share=0.5),
    Workload(
        "readrandom",
        "get, cached, compacted",
        keys_drawn,
        getting,
        also=("get",),
        share=0.5,
        warm=True,
    ),
    Workload(
        "readlayered",
        f"get, cached, memtable + {LAYERS} overlapping tables",
        keys_drawn,
        getting,
        also=("get-layered",),
        state="layers",
        needs=_FLUSH,
        share=0.5,
        warm=True,
    ),
    Workload(
        "readmissing", "get of keys not there", keys_missing, getting, share=0.5, meets=0, warm=True
    ),
    Workload("readseq", "all entries in order", places, scanning(False), needs=_SCAN, warm=True),
    Workload(
        "readreverse", "all entries backwards", places, scanning(True), needs=_SCAN, warm=True
    ),
    Workload(
        "seekrandom",
        "range of 1 from a random key",
        starts(1),
        ranging(1),
        needs=_RANGE,
        share=0.2,
        warm=True,
    ),
    Workload(
        "range100",
        f"range of {RANGE}, per entry",
        starts(RANGE),
        ranging(RANGE),
        also=("range",),
        needs=_RANGE,
        share=0.02,
        per=RANGE,
        warm=True,
        chunk=50,
    ),
    Workload(
        "readwhilewriting",
        "get while another thread puts",
        keys_drawn,
        getting,
        share=0.2,
        warm=True,
        writer=True,
        chunk=100,
    ),
    Workload("deleterandom", "delete, unsynced", keys_once, deleting, share=0.5),
    Workload(
        "compact",
        f"compaction of {LAYERS + 1} overlapping tables",
        places,
        compacting,
        state="tables",
        needs=frozenset({"compact"}),
        share=0,
        unit="MB/s",
    ),
    *(_ycsb(letter, mix) for letter, mix in MIXES.items()),
)


def find_workloads(only: str) -> list[Workload]:
    """Those that are named, by a name or a part of it; all for "". Raises ValueError."""
    wanted: list[Workload] = []
    for word in filter(None, (word.strip().lower() for word in only.split(","))):
        exact = [w for w in WORKLOADS if word == w.name or word in w.also]
        found = exact or [w for w in WORKLOADS if word in w.name]
        if not found:
            raise ValueError(f"no workload is called {word!r}")
        wanted += found
    return [w for w in WORKLOADS if w in wanted] if only.strip(", ") else list(WORKLOADS)
