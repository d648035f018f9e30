"""Compare Kveik with Redis through redis-benchmark, in alternating rounds of one run."""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

# Run as a script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.load import KEYS, VALUE_BYTES, Case, calibrate, fill, make_cases, measure
from bench.report import Result, as_json, make_table
from bench.slow_sync import LONGEST_US, slow_syncs

from kveik.bench.machine import describe, first_line
from kveik.bench.screen import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    leave,
    make_progress,
    write,
)
from kveik.bench.servers import Argv, BenchError, Pair, Server, make_pairs, running, settle

PLAIN_WIDTH = 150  # what the table needs
RESULTS = Path(__file__).resolve().parent / "results"


class Comparison:
    """One run: its progress and what it has found so far."""

    def __init__(self, rounds: int, seconds: float, progress: Progress) -> None:
        self.results: list[Result] = []
        self._rounds = rounds
        self._seconds = seconds
        self._progress = progress
        self._task = progress.add_task("starting", total=None)

    def run(self, pairs: list[Pair], cases: list[Case]) -> None:
        # Of each case: one calibration, and per round a run on each server.
        self._progress.update(self._task, total=len(cases) * (1 + 2 * self._rounds))
        for pair in pairs:
            mine = [case for case in cases if case.pair == pair.name]
            if mine:
                self._compare(pair, mine)

    def _compare(self, pair: Pair, cases: list[Case]) -> None:
        with ExitStack() as stack:
            servers = [
                stack.enter_context(running("kveik", pair.kveik, pair.disk)),
                stack.enter_context(running("redis", pair.redis, pair.disk)),
            ]
            results = self._prepare(pair, cases, servers)
            for number in range(self._rounds):
                for result in results:
                    self._round(number, result, servers)
                self._say(f"{pair.name}: round {number + 1} of {self._rounds} done")

    def _prepare(self, pair: Pair, cases: list[Case], servers: list[Server]) -> list[Result]:
        self._say(f"{pair.name}: filling {KEYS:,} keys, then calibrating")
        for server in servers:
            fill(server)
        settle(servers)
        results = []
        for case in cases:
            self._show(f"calibrate {case.name}")
            results.append(Result(case, calibrate(case, self._seconds, servers)))
            self._progress.advance(self._task)
        self.results += results
        return results

    def _round(self, number: int, result: Result, servers: list[Server]) -> None:
        figures = {}
        for server in servers if number % 2 == 0 else reversed(servers):
            self._show(f"round {number + 1} {result.case.name} {server.name}")
            figures[server.name] = measure(result.case, result.requests, server, servers)
            self._progress.advance(self._task)
        result.rounds.append(figures)

    def _show(self, text: str) -> None:
        self._progress.update(self._task, description=text)

    def _say(self, text: str) -> None:
        """On a terminal the bar tells; elsewhere a line now and then."""
        self._show(text)
        if self._progress.disable:
            self._progress.console.print(text, soft_wrap=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each case runs (5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="target time of a run (1.5)")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help='cases with TEXT in their name: "SET c=50 P=16"'
    )
    parser.add_argument(
        "--sync-delay",
        type=int,
        default=0,
        metavar="MICROSECONDS",
        help="the durable pair's syncs take that much longer (0)",
    )
    parser.add_argument("--python", default=sys.executable, help="interpreter that runs Kveik")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default results/redis-DATE.json")
    parser.add_argument("--quick", action="store_true", help="1 round of 0.2 s: does it work?")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.2
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    if not 0 <= options.sync_delay <= LONGEST_US:
        parser.error(f"--sync-delay must be 0 to {LONGEST_US}")
    if not (options.json and options.json.name):
        options.json = RESULTS / f"redis-{datetime.now():%Y%m%d-%H%M%S}.json"
    return options


def check_usage(options: argparse.Namespace, cases: list[Case]) -> None:
    for program in ("redis-benchmark", "redis-server"):
        if shutil.which(program) is None:
            raise BenchError(f"{program} is not installed or not on the PATH")
    if not cases:
        names = "\n".join(f"  {case.name}" for case in make_cases())
        raise BenchError(f"no case has {options.only!r} in its name; there are\n{names}")


def redis_versions() -> dict[str, str]:
    return {
        "redis_server": first_line(["redis-server", "--version"]),
        "redis_benchmark": first_line(["redis-benchmark", "--version"]),
    }


def compare(
    options: argparse.Namespace, cases: list[Case], disk: dict[str, str], console: Console
) -> int:
    about = describe(options.python, disk, redis_versions())
    pairs = make_pairs(options.python, disk)
    status = 0
    with make_progress(console) as progress:
        comparison = Comparison(options.rounds, options.seconds, progress)
        try:
            comparison.run(pairs, cases)
        except KeyboardInterrupt:
            console.print("interrupted; what was measured so far:")
            status = EXIT_INTERRUPTED
        except BenchError as error:
            console.print(f"error: {error}", soft_wrap=True)
            status = EXIT_FAILED
    finished = [result for result in comparison.results if result.rounds]
    if finished:
        parameters = parameters_of(options, pairs)
        show(finished, about, parameters, console)
        text = as_json(finished, about, parameters, status == 0)
        write(options.json, text, console)
    return status


def parameters_of(options: argparse.Namespace, pairs: list[Pair]) -> dict[str, Any]:
    def command(argv: Argv) -> str:
        return shlex.join(argv(0, Path("DIR")))

    return {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "only": options.only,
        "sync_delay_us": options.sync_delay,  # of the durable pair; sync_us holds it
        "keys": KEYS,
        "value_bytes": VALUE_BYTES,
        "commands": {p.name: {"kveik": command(p.kveik), "redis": command(p.redis)} for p in pairs},
    }


def show(
    results: list[Result], about: dict[str, Any], parameters: dict[str, Any], console: Console
) -> None:
    versions, machine = about["versions"], about["machine"]
    # In a narrow terminal the terminal's own wrapping reads better than folded cells.
    console.width = max(PLAIN_WIDTH, console.width)
    console.print(make_table(results))
    console.print(f"{versions['kveik']}, {versions['python']}; {versions['redis_server']}")
    console.print(f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}")
    where = f"{machine['sync_us']} us to sync an append on {machine['temp_filesystem']}"
    if delay := parameters["sync_delay_us"]:
        where += f", {delay} us of it added by --sync-delay"
    console.print(f"{where}: read the durable rows by it; TMPDIR chooses another disk")
    console.print(
        "k/s: thousand commands a second, median (min-max). Ratio: median of the rounds' ratios. "
        "p99, CPU: medians.\n"
        "CPU us: of the server process per command; +x: its helpers, and what it finished later."
    )
    busy = [r.case.name for r in results for f in r.rounds for s in f.values() if not s.settled]
    if busy:
        console.print(f"A server was still busy after {len(busy)} runs, first: {busy[0]}")


def main() -> int:
    options = parse_arguments()
    cases = make_cases(options.only)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        check_usage(options, cases)
        with slow_syncs(options.sync_delay) as disk:
            return compare(options, cases, disk, Console(highlight=False, markup=False))
    except BenchError as error:  # nothing was started yet
        print(f"redis_compare: {error}", file=sys.stderr)
        return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
