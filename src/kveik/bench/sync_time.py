"""Print what one small synced append costs in a folder; a program, so that it can be slowed."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from statistics import median

LEAST, MOST = 20, 300  # appends
LIMIT_S = 2.0


def sync_us(folder: str) -> float:
    """The median time of a small append made durable; without it durable figures mean little."""
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        while len(taken) < LEAST or (len(taken) < MOST and sum(taken) < LIMIT_S):
            file.write(bytes(150))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    return median(taken) * 1e6


if __name__ == "__main__":
    print(sync_us(sys.argv[1]))
