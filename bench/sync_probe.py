"""A program that appends to a file and syncs it, again and again, until its stdin ends.

Started with a folder, as JSON on stdin, beside a load, it tells how slow the disk itself was
meanwhile: a put that took as long as the worst sync has waited for the disk, not for its engine.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from statistics import median

BLOCK = 4096  # bytes of an append
PAUSE_S = 0.05
LONGEST = 16 * 1024 * 1024  # bytes; then from the start again


def probe(folder: str, stop: threading.Event) -> dict[str, float]:
    began = time.perf_counter()
    taken: list[float] = []
    worst = worst_at = 0.0
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        while not stop.wait(PAUSE_S) or not taken:
            start = time.perf_counter()
            file.write(bytes(BLOCK))
            os.fdatasync(file.fileno())
            took = time.perf_counter() - start
            taken.append(took)
            if took > worst:
                worst, worst_at = took, start - began
            if file.tell() >= LONGEST:
                file.seek(0)
    return {
        "count": len(taken),
        "median_seconds": median(taken),
        "worst_seconds": worst,
        "worst_at_second": worst_at,
    }


def main() -> int:
    folder = json.loads(sys.stdin.readline())
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    print(json.dumps(probe(folder, stop)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
