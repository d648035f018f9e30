"""How long GETs take while tables are compacted all the while, beside how long they take at rest.

python -m bench.compaction_latency [--rounds 5] [--seconds 3] [--rate 40] [--json FILE]

redis-benchmark asks for 100,000 small keys over 50 connections. In the busy half of each round
somebody else writes values of 16 KiB, so many MB a second, unsynced, under a small memory budget
and compressed with zlib, which is slow: that keeps the compaction going. Told are the percentiles,
their ratio round by round, and the share of the time in which a compaction ran.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from bench.load import KEYS, VALUE_BYTES, fill
from bench.redis_compare import RESULTS
from rich.console import Console
from rich.table import Table

from kveik.bench import machine, redis_benchmark
from kveik.bench.figures import Spread
from kveik.bench.screen import Screen, make_progress, write
from kveik.bench.servers import HOST, BenchError, Server, kveik_argv, running, settle

CLIENTS = 50
LARGE = 16 * 1024  # bytes of a value that is written meanwhile
CHUNK = 2  # of them at once
SPACE = 20_000  # keys that they are spread over: 330 MB
MEMORY = "64MB"
LOOK = 0.05  # seconds between two looks
PATIENCE = 60.0  # seconds for a compaction to begin
SHOWN = ("p50_latency_ms", "p99_latency_ms", "max_latency_ms", "rps", "compacting")
Figures = dict[str, float]


def small_server(port: int, data: Path) -> list[str]:
    return [*kveik_argv("none")(port, data), "--memory", MEMORY, "--compression", "zlib"]


@contextmanager
def writing(server: Server, megabytes: float) -> Iterator[None]:
    """Somebody writes large values all the while, so many MB a second."""
    over = threading.Event()

    def work() -> None:
        draw = random.Random(1)
        value = draw.randbytes(LARGE)
        pause = CHUNK * LARGE / (megabytes * 1e6)
        due = time.monotonic()
        with redis.Redis(HOST, server.port) as client:
            while not over.is_set():
                keys = [b"large:%09d" % draw.randrange(SPACE) for _ in range(CHUNK)]
                client.mset(dict.fromkeys(keys, value))
                due = max(due + pause, time.monotonic() - 1.0)
                time.sleep(max(due - time.monotonic(), 0.0))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Watch:
    """Looks now and then whether a compaction is under way; share: how often one was."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._looks = 0
        self._found = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def share(self) -> float:
        return self._found / max(self._looks, 1)

    def _run(self) -> None:
        with redis.Redis(HOST, self._server.port) as client:
            while not self._over.wait(LOOK):
                self._looks += 1
                self._found += compacts(client)


def compacts(client: redis.Redis) -> bool:
    return bool(client.info("kveik")["kveik_compacting"])


def await_compaction(server: Server) -> None:
    """Until one has been under way for a moment. BenchError if none begins."""
    deadline = time.monotonic() + PATIENCE
    with redis.Redis(HOST, server.port) as client:
        while not compacts(client):
            if time.monotonic() > deadline:
                raise BenchError("no compaction has begun: write more with --rate")
            time.sleep(LOOK)


def measure(server: Server, requests: int) -> Figures:
    with Watch(server) as watch:
        figures = redis_benchmark.run(server, "GET", requests, CLIENTS, 1, KEYS, VALUE_BYTES)
    figures["compacting"] = watch.share()
    return figures


def rounds_of(
    server: Server, rounds: int, seconds: float, rate: float, screen: Screen
) -> list[dict[str, Figures]]:
    """Of each round what was measured at rest and while something is compacted."""
    screen.step("filling")
    fill(server)
    settle([server])
    requests = int(seconds * measure(server, 100_000)["rps"])
    with writing(server, rate):
        time.sleep(max(4 * seconds, 10.0))  # until the levels have their sizes
    found = []
    for number in range(rounds):
        screen.step(f"round {number + 1}: at rest")
        settle([server], 20.0)
        calm = measure(server, requests)
        screen.advance()
        screen.step(f"round {number + 1}: compacting")
        with writing(server, rate):
            await_compaction(server)
            busy = measure(server, requests)
        screen.advance()
        found.append({"calm": calm, "busy": busy})
        screen.say(f"round {number + 1} of {rounds} done")
    return found


def show(found: list[dict[str, Figures]], console: Console) -> None:
    table = Table(title=f"GET, {CLIENTS} connections; medians (min-max) of the rounds")
    for head in ("", "at rest", "compacting", "ratio"):
        table.add_column(head, justify="right" if head else "left")
    for name in SHOWN:
        calm = Spread.of(one["calm"][name] for one in found)
        busy = Spread.of(one["busy"][name] for one in found)
        told = [f"{one.median:,.3f} ({one.min:,.3f}-{one.max:,.3f})" for one in (calm, busy)]
        ratio = "-"
        if name != "compacting":
            by_round = Spread.of(one["busy"][name] / one["calm"][name] for one in found)
            ratio = f"{by_round.median:.2f} ({by_round.min:.2f}-{by_round.max:.2f})"
        table.add_row(name, *told, ratio)
    console.print(table)
    console.print("compacting: share of the time in which a compaction ran")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run (%(default)s)")
    parser.add_argument("--rate", type=float, default=40.0, help="MB/s written (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: bench/results/")
    options = parser.parse_args()
    console = Console(highlight=False, markup=False)
    console.width = max(100, console.width)
    try:
        with running("kveik", small_server, {}) as server, make_progress(console) as progress:
            screen = Screen(console, progress)
            screen.plan(2 * options.rounds)
            found = rounds_of(server, options.rounds, options.seconds, options.rate, screen)
        about: dict[str, Any] = machine.describe(sys.executable, {}, {})
    except (BenchError, OSError, redis.RedisError) as error:
        console.print(f"error: {error}", soft_wrap=True)
        return 1
    show(found, console)
    stamp = about["date"].replace(":", "").replace("+0000", "")
    path = options.json or RESULTS / f"compaction-latency-{stamp}.json"
    write(path, json.dumps({**about, "rounds": found}, indent=1), console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
