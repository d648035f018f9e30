"""The machine and the versions of what runs on it: a figure without them says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.servers import BenchError


def describe(python: str) -> dict[str, Any]:
    """The machine and the versions of what runs on it."""
    temp = tempfile.gettempdir()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _cpu_model(),
            "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(),
            "temp_filesystem": _filesystem_of(temp),
            "sync_us": round(_sync_us(temp), 1),
        },
        "versions": {
            "python": _first_line([python, "--version"]),
            "kveik": _first_line([python, "-m", "kveik", "--version"]),
            "redis_server": _first_line(["redis-server", "--version"]),
            "redis_benchmark": _first_line(["redis-benchmark", "--version"]),
        },
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _filesystem_of(path: str) -> str:
    """The type of the file system that holds `path`."""
    path, best = os.path.realpath(path), ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if os.path.commonpath([mount, path]) == mount and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def _sync_us(folder: str, times: int = 300) -> float:
    """The median time of a small append made durable; without it durable figures mean little."""
    taken = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(times):
            file.write(bytes(150))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    return median(taken) * 1e6


def _first_line(argv: list[str]) -> str:
    try:
        run = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    except OSError as error:
        raise BenchError(f"cannot run {argv[0]}: {error.strerror}") from error
    lines = (run.stdout or run.stderr).strip().splitlines()
    if run.returncode or not lines:
        said = lines[-1] if lines else f"status {run.returncode}"
        raise BenchError(f"`{' '.join(argv)}` failed: {said}")
    return lines[0]
