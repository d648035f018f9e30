"""redis-benchmark, Redis' own load generator, where it is installed: one run, and what it tells."""

from __future__ import annotations

import csv
import subprocess

from kveik.bench.servers import HOST, BenchError, Server

RUN_LIMIT_S = 120.0
PROGRAM = "redis-benchmark"


def run(
    server: Server, test: str, requests: int, clients: int, pipeline: int, keys: int, size: int
) -> dict[str, float]:
    """Its row of figures for SET or GET of random keys: rps, p50_latency_ms and so on."""
    argv = [PROGRAM, "-h", HOST, "-p", str(server.port), "-t", test.lower()]
    argv += ["-n", str(requests), "-c", str(clients), "-P", str(pipeline)]
    argv += ["-r", str(keys), "-d", str(size), "--csv"]
    what = f"{test} c={clients} P={pipeline}"
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.check_alive()
        raise BenchError(f"{server.name}: {what} took over {RUN_LIMIT_S:.0f} s") from None
    row = _parse(done.stdout, test)
    if done.returncode or row is None:
        server.check_alive()
        said = (done.stdout + done.stderr).strip()
        raise BenchError(f"{server.name}: {PROGRAM} failed in {what}\n{said}")
    return row


def _parse(output: str, test: str) -> dict[str, float] | None:
    lines = output.splitlines()
    header = next((i for i, line in enumerate(lines) if line.startswith('"test"')), len(lines))
    for row in csv.DictReader(lines[header:]):
        if row.pop("test") == test:
            return {column: float(value) for column, value in row.items()}
    return None
