"""Requests a second over each of Kveik's protocols, one request at a time on each connection.

python -m bench.protocols [--rounds 5] [--seconds 2] [--json FILE]

All protocols are driven by the same load generator, in alternating rounds; how busy it was is told,
as it is the limit where it comes near 100 %. Read the ratios to RESP.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.redis_compare import RESULTS
from rich.console import Console
from rich.table import Table

from kveik.bench import machine
from kveik.bench.embedded import turned
from kveik.bench.figures import Spread
from kveik.bench.load import Load, drive
from kveik.bench.screen import Screen, make_progress, write
from kveik.bench.servers import HOST, BenchError, Server, kveik_argv, running, settle
from kveik.bench.wires import WIRES, Target, WireError, learn

KEYS = 10_000
SIZE = 100
MOST = 10**9  # requests; the time ends a run
CASES = {
    "GET c=1": ("get", 1),
    "GET c=50": ("get", 50),
    "SET c=1": ("put", 1),
    "SET c=50": ("put", 50),
}
Runs = dict[str, dict[str, list[dict[str, float]]]]  # of each case, of each protocol


def run_once(server: Server, load: Load) -> dict[str, float]:
    settle([server])
    cpu = server.own_cpu_us()
    found = drive(load)
    return {
        "rate": found.round.rate,
        "server_us": (server.own_cpu_us() - cpu) / max(found.round.done, 1),
        "client_busy": found.busy,
    }


def loads_of(server: Server, seconds: float) -> dict[str, dict[str, Load]]:
    """Of each case, of each protocol; every key is there."""
    loads: dict[str, dict[str, Load]] = {case: {} for case in CASES}
    for name in WIRES:
        target = Target(name, HOST, server.port)
        shapes = learn(target, SIZE, KEYS)
        for case, (kind, connections) in CASES.items():
            load = Load(target, shapes, kind, connections, 1, KEYS, SIZE, MOST, seconds, 1)
            loads[case][name] = load
        if name == "resp":
            drive(Load(target, shapes, "fill", 1, 100, KEYS, SIZE, KEYS, 60.0, 1))
    return loads


def measure(rounds: int, seconds: float, console: Console) -> Runs:
    found: Runs = {case: {name: [] for name in WIRES} for case in CASES}
    with running("kveik", kveik_argv("always"), {}) as server, make_progress(console) as progress:
        screen = Screen(console, progress)
        screen.plan(rounds * len(CASES) * len(WIRES))
        loads = loads_of(server, seconds)
        for number in range(rounds):
            for case, by_name in loads.items():
                for name in turned(list(WIRES), number):
                    screen.step(f"round {number + 1} {case} {name}")
                    found[case][name].append(run_once(server, by_name[name]))
                    screen.advance()
            screen.say(f"round {number + 1} of {rounds} done")
    return found


def show(found: Runs, console: Console) -> None:
    table = Table(title="durable; one request at a time on each connection; medians (min-max)")
    for head in ("case", "protocol", "k/s", "ratio to RESP", "server CPU, us", "client busy"):
        table.add_column(head, justify="left" if head in ("case", "protocol") else "right")
    for case, wires in found.items():
        for name, runs in wires.items():
            rate = Spread.of(run["rate"] / 1000 for run in runs)
            pairs = zip(runs, wires["resp"], strict=True)
            ratio = Spread.of(mine["rate"] / theirs["rate"] for mine, theirs in pairs)
            table.add_row(
                case,
                name,
                f"{rate.median:.1f} ({rate.min:.1f}-{rate.max:.1f})",
                f"{ratio.median:.2f} ({ratio.min:.2f}-{ratio.max:.2f})",
                f"{Spread.of(run['server_us'] for run in runs).median:.1f}",
                f"{Spread.of(run['client_busy'] for run in runs).median:.0%}",
            )
    console.print(table)
    console.print("Where the client is busy all the time, the server could do more.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each case (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: bench/results/")
    options = parser.parse_args()
    console = Console(highlight=False, markup=False)
    console.width = max(100, console.width)
    try:
        found = measure(options.rounds, options.seconds, console)
        about = machine.describe(sys.executable, {}, {})
    except (BenchError, OSError, WireError) as error:
        console.print(f"error: {error}", soft_wrap=True)
        return 1
    show(found, console)
    text = json.dumps({**about, "cases": found}, indent=1)
    stamp = about["date"].replace(":", "").replace("+0000", "")
    write(options.json or RESULTS / f"protocols-{stamp}.json", text, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
