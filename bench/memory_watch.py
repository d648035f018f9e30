"""Resident memory of a process, and apart from it of the processes it has started, sampled."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from kveik.bench.processes import session_of

PERIOD_S = 0.5


@dataclass
class Memory:
    """Samples of (second, bytes of the leader, bytes of its children together)."""

    samples: list[tuple[float, int, int]] = field(default_factory=list)

    @property
    def own(self) -> int:
        return max((own for _, own, _ in self.samples), default=0)

    @property
    def children(self) -> int:
        return max((children for _, _, children in self.samples), default=0)


class MemoryWatch:
    """Samples while the `with` block runs; the process leads a session of its own."""

    def __init__(self, leader: int, period: float = PERIOD_S) -> None:
        self.memory = Memory()
        self._leader = leader
        self._period = period
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        began = time.monotonic()
        while True:
            found = {pid: stat.resident for pid, stat in session_of(self._leader).items()}
            own = found.pop(self._leader, 0)
            sample = (round(time.monotonic() - began, 2), own, sum(found.values()))
            self.memory.samples.append(sample)
            if self._stop.wait(self._period):
                return
