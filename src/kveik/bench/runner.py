"""Starts the worker processes: one for each run, so that no engine disturbs another.

A worker leads a session of its own; whatever it has started is gone when its run is over.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kveik.bench.processes import kill, session_of
from kveik.bench.servers import BenchError
from kveik.bench.worker import Job

TAIL_LINES = 25
GRACE_S = 900.0  # beyond the time limit: loading and closing


@contextmanager
def started(module: str, job: object) -> Iterator[subprocess.Popen[str]]:
    """A module with its job on stdin, as a program; ended with all it has started."""
    path = os.pathsep.join([home_of(module), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module],  # -P: what lies where the user stands is no module
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        yield process
    finally:
        for pid in session_of(process.pid):
            kill(pid)
        process.wait()


def home_of(module: str) -> str:
    """The folder from which this process imports a module's package."""
    spec = find_spec(module.partition(".")[0])
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return str(Path(next(iter(spec.submodule_search_locations))).resolve().parent)


def run_worker(job: Job) -> dict[str, Any]:
    """What the worker has measured; its directory is empty before and gone afterwards."""
    what = f"{job.engine}: {job.workload}"
    home = Path(job.home)
    home.mkdir(parents=True)
    try:
        with started("kveik.bench.worker", asdict(job)) as process:
            try:
                told, errors = process.communicate(timeout=4 * job.limit + GRACE_S)
            except subprocess.TimeoutExpired:
                raise BenchError(f"{what} does not come to an end") from None
        if process.returncode:
            raise BenchError(f"{what} failed\n{tail(errors)}")
        found: dict[str, Any] = json.loads(told.splitlines()[-1])
        return found
    finally:
        if job.home != job.base:
            shutil.rmtree(home, ignore_errors=True)


def tail(text: str) -> str:
    return "\n".join(f"  | {line}" for line in text.splitlines()[-TAIL_LINES:])
