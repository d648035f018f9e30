"""A slower disk: a library that is preloaded into both servers and lengthens each sync."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kveik.bench.servers import BenchError

LONGEST_US = 100_000  # with more, calibrating a case takes minutes
SOURCE = Path(__file__).resolve().with_name("slow_sync.c")


@contextmanager
def slow_syncs(delay_us: int) -> Iterator[dict[str, str]]:
    """What to add to a program's environment so that its syncs take `delay_us` longer."""
    if not delay_us:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="kveik-bench-sync-") as folder:
        library = Path(folder).resolve() / "slow_sync.so"
        _compile(library)
        others = os.environ.get("LD_PRELOAD")
        preload = f"{library}:{others}" if others else str(library)
        yield {"LD_PRELOAD": preload, "KVEIK_BENCH_SYNC_DELAY": str(delay_us)}


def _compile(library: Path) -> None:
    argv = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    try:
        run = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    except OSError as error:
        reason = f"cannot run cc: {error.strerror}"
        raise BenchError(f"--sync-delay needs a C compiler; {reason}") from error
    if run.returncode:
        raise BenchError(f"--sync-delay: cc cannot compile {SOURCE}\n{run.stderr.strip()}")
