"""The machine and the versions of what runs on it: a figure without them says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kveik.bench.servers import BenchError

SYNC_TIME = Path(__file__).resolve().with_name("sync_time.py")


def describe(python: str, disk: dict[str, str], versions: dict[str, str]) -> dict[str, Any]:
    """The machine and what runs on it; `disk`: see Pair, `versions`: of the programs compared."""
    temp = tempfile.gettempdir()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _cpu_model(),
            "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(),
            "temp_filesystem": _filesystem_of(temp),
            "sync_us": round(float(first_line([python, "-P", str(SYNC_TIME), temp], disk)), 1),
        },
        "versions": {
            "python": first_line([python, "--version"]),
            "kveik": first_line([python, "-m", "kveik", "--version"]),
            **versions,
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


def first_line(argv: list[str], more: dict[str, str] | None = None) -> str:
    environment = {**os.environ, **(more or {})}
    try:
        run = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)
    except OSError as error:
        raise BenchError(f"cannot run {argv[0]}: {error.strerror}") from error
    lines = (run.stdout or run.stderr).strip().splitlines()
    if run.returncode or not lines:
        said = lines[-1] if lines else f"status {run.returncode}"
        raise BenchError(f"`{' '.join(argv)}` failed: {said}")
    return lines[0]
