"""Threads that wait for commits to be safe: who is woken, and who has to lead."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from kveik.engine.waiters import Waiters
from kveik.native import Lock

PATIENCE = 10.0  # seconds


class Bench:
    """Threads that wait for one commit each; `woken` tells which have been, in order."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.waiters = Waiters(self.lock)
        self.woken: list[int] = []
        self.threads: list[threading.Thread] = []
        self.waiting = 0

    def wait(self, *commits: int) -> None:
        for lsn in commits:
            self.waiting += 1
            thread = threading.Thread(target=self._wait, args=(lsn,), daemon=True)
            thread.start()
            self.threads.append(thread)
            self.until(lambda: len(self.waiters._queue) == self.waiting - len(self.woken))

    def _wait(self, lsn: int) -> None:
        with self.lock:
            self.waiters.wait(lsn)
            self.woken.append(lsn)

    def until(self, true: object) -> None:
        assert callable(true)
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.001)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_those_whose_commit_is_safe_are_woken_and_no_others(bench: Bench) -> None:
    bench.wait(3, 5, 4, 6)
    with bench.lock:
        bench.waiters.wake(4)
    bench.until(lambda: len(bench.woken) == 2)
    assert sorted(bench.woken) == [3, 4]
    with bench.lock:
        bench.waiters.wake(6)
    bench.until(lambda: len(bench.woken) == 4)


def test_one_is_woken_to_lead_the_one_that_waits_longest(bench: Bench) -> None:
    bench.wait(7, 8)
    with bench.lock:
        bench.waiters.lead()
    bench.until(lambda: bench.woken == [7])
    with bench.lock:
        bench.waiters.lead()
        bench.waiters.lead()  # nobody is left
    bench.until(lambda: bench.woken == [7, 8])


def test_one_that_is_interrupted_hands_the_lead_on(bench: Bench) -> None:
    """Only the main thread can be; whoever is behind it must not wait for ever."""

    def interrupt() -> None:
        bench.until(lambda: bench.waiters._queue)
        bench.wait(2)
        time.sleep(0.05)  # so that it waits where a signal finds it
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=interrupt)
        bench.waiting = 1
        thread.start()
        with bench.lock, pytest.raises(KeyboardInterrupt):
            bench.waiters.wait(1)
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join(PATIENCE)
    bench.until(lambda: bench.woken == [2])
