"""Requests a second over each of Kveik's protocols, one request at a time on each connection.

python -m bench.protocols [--rounds 5] [--seconds 2] [--json FILE]

All protocols are driven by the same asyncio client in this process, in alternating rounds; how busy
that client was is told, as it is the limit where it comes near 100 %. Read the ratios to RESP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import random
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from bench import machine
from bench.redis_compare import write
from bench.report import Spread
from bench.servers import HOST, BenchError, Server, make_pairs, running, settle
from rich.console import Console
from rich.progress import track
from rich.table import Table

KEYS = 10_000
VALUE = "v" * 100
RESULTS = Path(__file__).resolve().parent / "results"


class Wire:
    """How a protocol says its requests, and when an answer is whole and right."""

    def __init__(
        self,
        get: Callable[[str], bytes],
        put: Callable[[str], bytes],
        whole: Callable[[bytes], bool],
        right: Callable[[bytes], bool],
    ) -> None:
        self.get = get
        self.put = put
        self.whole = whole
        self.right = right


def _resp(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words
    )


def _line(**members: str) -> bytes:
    return json.dumps(members).encode() + b"\n"


def _frame(**members: str) -> bytes:
    data = pickle.dumps(members)
    return struct.pack(">I", len(data)) + data


def _framed(data: bytes) -> bool:
    return len(data) >= 4 and len(data) == 4 + struct.unpack(">I", data[:4])[0]


WIRES = {
    "RESP": Wire(
        lambda key: _resp("GET", key),
        lambda key: _resp("SET", key, VALUE),
        lambda data: data.endswith(b"\r\n") and not data.endswith(b"$100\r\n"),
        lambda data: data[:1] != b"-",
    ),
    "JSON lines": Wire(
        lambda key: _line(command="read", key=key),
        lambda key: _line(command="put", key=key, value=VALUE),
        lambda data: data.endswith(b"\n"),
        lambda data: data.startswith(b'{"status": "ok"'),
    ),
    "framed": Wire(
        lambda key: _frame(cmd="GET", key=key),
        lambda key: _frame(cmd="SET", key=key, value=VALUE),
        _framed,
        lambda data: b"error" not in data,
    ),
    "text": Wire(
        lambda key: f"GET {key}\n".encode(),
        lambda key: f"SET {key} {VALUE}\n".encode(),
        lambda data: data.endswith(b"\n"),
        lambda data: data.startswith(b'{"status": "OK"'),
    ),
}
CASES = {
    "GET c=1": ("get", 1),
    "GET c=50": ("get", 50),
    "SET c=1": ("put", 1),
    "SET c=50": ("put", 50),
}


class Driver(asyncio.Protocol):
    """One connection: asks, waits for the answer, asks again."""

    def __init__(self, wire: Wire, requests: list[bytes], start: int) -> None:
        self.done = 0
        self.failure = ""
        self._wire = wire
        self._requests = requests
        self._at = start
        self._data = b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._at = (self._at + 1) % len(self._requests)
        self._transport.write(self._requests[self._at])

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._wire.whole(self._data):
            return
        if not self._wire.right(self._data):
            self.failure = repr(self._data[:200])
            self._transport.close()
            return
        self._data = b""
        self.done += 1
        self._ask()

    def end(self) -> None:
        self._transport.close()


async def drive(
    port: int, wire: Wire, requests: list[bytes], connections: int, seconds: float
) -> int:
    """Answers that came within so many seconds; BenchError for a wrong one."""
    loop = asyncio.get_running_loop()
    drivers: list[Driver] = []
    for number in range(connections):
        driver = Driver(wire, requests, number * len(requests) // connections)
        await loop.create_connection(lambda driver=driver: driver, HOST, port)  # type: ignore[misc]
        drivers.append(driver)
    await asyncio.sleep(seconds)
    for driver in drivers:
        driver.end()
    failures = [driver.failure for driver in drivers if driver.failure]
    if failures:
        raise BenchError(f"a wrong answer: {failures[0]}")
    return sum(driver.done for driver in drivers)


def run_once(
    server: Server, wire: Wire, requests: list[bytes], connections: int, seconds: float
) -> dict[str, float]:
    settle([server])
    cpu, own, begin = server.own_cpu_us(), time.process_time(), time.perf_counter()
    with asyncio.Runner(loop_factory=_loop) as runner:
        done = runner.run(drive(server.port, wire, requests, connections, seconds))
    spent = time.perf_counter() - begin
    return {
        "rate": done / spent,
        "server_us": (server.own_cpu_us() - cpu) / max(done, 1),
        "client_busy": (time.process_time() - own) / spent,
    }


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    except ImportError:
        return asyncio.new_event_loop()


def measure(
    rounds: int, seconds: float, console: Console
) -> dict[str, dict[str, list[dict[str, float]]]]:
    keys = [f"key:{number:012d}" for number in range(KEYS)]
    random.Random(1).shuffle(keys)
    found: dict[str, dict[str, list[dict[str, float]]]] = {
        case: {name: [] for name in WIRES} for case in CASES
    }
    with running("kveik", make_pairs(sys.executable, {})[0].kveik, {}) as server:
        with redis.Redis(HOST, server.port) as client:
            client.mset(dict.fromkeys(keys, VALUE))
        runs = [(number, case) for number in range(rounds) for case in CASES]
        for number, case in track(runs, "measuring", console=console, transient=True):
            kind, connections = CASES[case]
            names = list(WIRES)
            order = names[number % len(names) :] + names[: number % len(names)]
            for name in order:
                wire = WIRES[name]
                say = wire.get if kind == "get" else wire.put
                requests = [say(key) for key in keys]
                found[case][name].append(run_once(server, wire, requests, connections, seconds))
    return found


def show(found: dict[str, dict[str, list[dict[str, float]]]], console: Console) -> None:
    table = Table(title="durable; one request at a time on each connection; medians (min-max)")
    for head in ("case", "protocol", "k/s", "ratio to RESP", "server CPU, us", "client busy"):
        table.add_column(head, justify="left" if head in ("case", "protocol") else "right")
    for case, wires in found.items():
        for name, runs in wires.items():
            rate = Spread.of(run["rate"] / 1000 for run in runs)
            pairs = zip(runs, wires["RESP"], strict=True)
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
    except BenchError as error:
        console.print(f"error: {error}", soft_wrap=True)
        return 1
    show(found, console)
    text = json.dumps({**about, "cases": found}, indent=1)
    stamp = about["date"].replace(":", "").replace("+0000", "")
    write(options.json or RESULTS / f"protocols-{stamp}.json", text, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
