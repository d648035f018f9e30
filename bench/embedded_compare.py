"""Compare Kveik with other embedded databases, in alternating rounds of one run."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

# Run as a script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.redis_compare import RESULTS

from kveik.bench.embedded import Comparison, Setting, find_engines
from kveik.bench.embedded_report import (
    Row,
    as_chart,
    as_json,
    finished,
    rates_table,
    ratios_table,
)
from kveik.bench.engines.base import Engine
from kveik.bench.engines.catalog import ENGINES, NOOP, OURS
from kveik.bench.keys import KEY_BYTES, VALUE_BYTES
from kveik.bench.machine import describe
from kveik.bench.screen import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    Screen,
    leave,
    make_progress,
    write,
)
from kveik.bench.servers import BenchError
from kveik.bench.workloads import WORKLOADS, find_workloads
from kveik.limits import MIN_MEMORY
from kveik.sizes import parse_size, show_size

PLAIN_WIDTH = 180  # what the tables need
LEAST_ENTRIES = 1000
FULL = {"rounds": 5, "entries": 1_000_000, "limit": 10.0}
QUICK = {"rounds": 1, "entries": 5_000, "limit": 0.3}


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ", ".join(w.name for w in WORKLOADS)
    parser.add_argument("--rounds", type=int, help="how often each workload runs (5)")
    parser.add_argument("--entries", type=int, help="of the database (1,000,000)")
    parser.add_argument("--memory", default="256MB", help="of each engine (256MB)")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="longest run (10)")
    parser.add_argument(
        "--only", default="", metavar="NAMES", help=f"with commas; names or parts of: {names}"
    )
    parser.add_argument(
        "--engines",
        default=",".join(ENGINES),
        metavar="NAMES",
        help=f"with commas ({','.join(ENGINES)})",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="default results/embedded-DATE.json"
    )
    parser.add_argument("--chart", type=Path, metavar="FILE", help="default: beside the JSON, .svg")
    parser.add_argument(
        "--quick", action="store_true", help="1 round, 5,000 entries, 0.3 s: does it work?"
    )
    options = parser.parse_args(argv)
    usual = QUICK if options.quick else FULL
    for name, value in usual.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    try:
        options.memory = parse_size(options.memory)
        options.workloads = find_workloads(options.only)
    except ValueError as error:
        parser.error(f"{error}; there are {names}")
    options.engines = [name.strip() for name in options.engines.split(",") if name.strip()]
    unknown = [name for name in options.engines if name not in ENGINES]
    if unknown or not options.engines:
        parser.error(f"no engine is called {unknown[:1]}; there are {', '.join(ENGINES)}")
    if options.rounds < 1 or options.limit <= 0:
        parser.error("--rounds and --limit must be positive")
    if options.entries < LEAST_ENTRIES or options.memory < MIN_MEMORY:
        parser.error(f"--entries from {LEAST_ENTRIES}, --memory from {show_size(MIN_MEMORY)}")
    if not (options.json and options.json.name):
        options.json = RESULTS / f"embedded-{datetime.now():%Y%m%d-%H%M%S}.json"
    options.chart = options.chart or options.json.with_suffix(".svg")
    return options


def installed(names: list[str]) -> dict[str, type[Engine]]:
    found, missing = find_engines([*names, NOOP])
    for name, reason in missing.items():
        hint = f"leave it out with --engines ({reason})"
        raise BenchError(f"{name} is not installed; {hint}")
    return found


def compare(options: argparse.Namespace, console: Console) -> int:
    engines = installed(options.engines)
    versions = {name: engines[name].version() for name in options.engines if name != OURS}
    about = describe(sys.executable, {}, versions)
    status = 0
    with (
        tempfile.TemporaryDirectory(prefix="kveik-bench-", ignore_cleanup_errors=True) as home,
        make_progress(console) as progress,
    ):
        setting = Setting(options.rounds, options.entries, options.memory, options.limit)
        comparison = Comparison(setting, Path(home), Screen(console, progress))
        try:
            comparison.run(options.workloads, engines)
        except KeyboardInterrupt:
            console.print("interrupted; what was measured so far:")
            status = EXIT_INTERRUPTED
        except BenchError as error:
            console.print(f"error: {error}", soft_wrap=True)
            status = EXIT_FAILED
    if comparison.failed:
        status = status or EXIT_FAILED
    rows = finished(comparison.rows)
    if rows:
        show(rows, options, about, console)
        write(options.json, as_json(rows, about, parameters_of(options), status == 0), console)
        if any(row.ratios() for row in rows):
            title = f"Kveik against others: {options.entries:,} entries"
            write(options.chart, as_chart(rows, options.engines, title), console)
    return status


def parameters_of(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "rounds": options.rounds,
        "entries": options.entries,
        "memory": options.memory,
        "limit_s": options.limit,
        "only": options.only,
        "engines": options.engines,
        "key_bytes": KEY_BYTES,
        "value_bytes": VALUE_BYTES,
    }


def show(
    rows: list[Row], options: argparse.Namespace, about: dict[str, Any], console: Console
) -> None:
    machine, versions = about["machine"], about["versions"]
    console.width = max(PLAIN_WIDTH, console.width)
    console.print(rates_table(rows, options.engines))
    console.print(
        "thousand operations a second, or MB/s: median (min-max) of the rounds; range, scan and "
        "batch per entry.\n"
        "*: ended by --limit. loop: what the workload's own loop takes per operation, contained "
        "in every figure."
    )
    if len(options.engines) > 1 and OURS in options.engines:
        console.print(ratios_table(rows, options.engines))
        console.print("ratio of the medians (lowest to highest ratio of a round)")
    console.print(", ".join(f"{name} {version}" for name, version in versions.items()))
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; "
        f"{options.entries:,} entries of {KEY_BYTES} + {VALUE_BYTES} B, {show_size(options.memory)}"
        f" each; {machine['sync_us']} us to sync an append on {machine['temp_filesystem']}"
    )
    for row in rows:
        for engine, reason in row.skipped.items():
            if engine != NOOP:
                console.print(f"{row.workload.name}: {engine} {reason}")


def main() -> int:
    options = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        return compare(options, Console(highlight=False, markup=False))
    except BenchError as error:  # nothing was started yet
        print(f"embedded_compare: {error}", file=sys.stderr)
        return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
