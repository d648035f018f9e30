"""kill -9 of real processes while they flush and compact: of the database's, and of its workers.

Several threads write at durability "always" and are killed at a random moment, ten times over the
same directory. Whatever was acknowledged is there, of each thread up to some write and no further.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.tools import environment, until

import kveik
from kveik.format.table import table_name

pytestmark = pytest.mark.slow

ROUNDS = 10
THREADS = 4
KEYS = 40  # of each thread, written over and over again
SIZE = 9000  # bytes of a value
SEED = 2026

# Write n of thread t; the same in the child and here.
WRITER = f"""
import kveik

def write(db, t, n):
    if n % 97 == 96:
        db.delete_range((t, "a", 5), (t, "a", 25))
        return
    batch = kveik.Batch()
    batch.put((t, "a", n % {KEYS}), [n, "x" * (n * 7 % {SIZE})])
    batch.put((t, "b", n * 3 % {KEYS}), bytes((n % 256,)) * (n * 11 % {SIZE}))
    if n % 5 == 4:
        batch.delete((t, "b", n * 5 % {KEYS}))
    batch.put((t, "last"), n)
    db.write(batch)
"""

CHILD = (
    WRITER
    + """
import os, sys, threading
db = kveik.open(sys.argv[1], memory="8MB")
def work(t, n):
    while True:
        write(db, t, n)
        os.write(1, b"%d %d\\n" % (t, n))
        n += 1
for t, n in enumerate(sys.argv[2:]):
    threading.Thread(target=work, args=(t, int(n))).start()
"""
)


class Model:
    """What the writes so far have left, of one thread."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.done = 0
        self.entries: dict[object, object] = {}

    def write(self) -> None:
        """The next write, as WRITER does it."""
        n, t, entries = self.done, self.thread, self.entries
        self.done += 1
        if n % 97 == 96:
            for number in range(5, 25):
                entries.pop((t, b"a", number), None)
            return
        entries[t, b"a", n % KEYS] = [n, "x" * (n * 7 % SIZE)]
        entries[t, b"b", n * 3 % KEYS] = bytes((n % 256,)) * (n * 11 % SIZE)
        if n % 5 == 4:
            entries.pop((t, b"b", n * 5 % KEYS), None)
        entries[t, b"last"] = n

    def catch_up(self, found: dict[object, object], acknowledged: int) -> None:
        """Go on to the state that was found; none but the write under way may be new."""
        while self.done <= acknowledged:
            self.write()
        if found != self.entries:
            self.write()
        assert found == self.entries, f"thread {self.thread}, write {self.done}"


def workers(path: Path) -> list[int]:
    """Processes that build tables in a directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if b"kveik.engine.compactor" in words and os.fsencode(path) in words:
            found.append(int(folder.name))
    return found


def send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def entries_of(db: kveik.Database, thread: int) -> dict[object, object]:
    return {_plain(key): value for key, value in db.scan((thread,))}


def _plain(key: object) -> object:
    """Text in a key as its bytes, as it comes back from elsewhere."""
    assert isinstance(key, tuple)
    return tuple(item.encode() if isinstance(item, str) else item for item in key)


def written_until_killed(
    path: Path, starts: list[int], chance: random.Random, stopped: list[int]
) -> dict[int, int]:
    """The last write of each thread that was acknowledged."""
    command = [sys.executable, "-c", CHILD, str(path), *map(str, starts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(chance.uniform(0.1, 0.9))
        for pid in workers(path):
            what = chance.choice(["kill", "stop", "leave"])
            if what == "kill":  # the job is done again
                send(pid, signal.SIGKILL)
            elif what == "stop":  # an orphan in the middle of its job
                send(pid, signal.SIGSTOP)
                stopped.append(pid)
        time.sleep(chance.uniform(0.0, 0.2))
        assert process.poll() is None
        process.kill()
        lines += process.stdout.readlines()
    acknowledged: dict[int, int] = {}
    for line in lines:
        if line.endswith(b"\n"):
            thread, number = map(int, line.split())
            acknowledged[thread] = number
    return acknowledged


def check_files(path: Path, db: kveik.Database) -> None:
    """Once all is in tables, nothing else is there but a few segments of the log."""
    db.flush()
    levels = db.stats()["levels"]
    assert isinstance(levels, list)
    tables = [name for name in os.listdir(path) if ".tbl" in name]
    until(
        lambda: (
            sum(level["tables"] for level in db.stats()["levels"])  # type: ignore[attr-defined]
            == len([name for name in os.listdir(path) if name.endswith(".tbl")])
        ),
        f"{tables} are what the manifest says",
    )


def test_ten_lives_of_a_database_lose_nothing_and_leave_no_half_batch(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    models = [Model(thread) for thread in range(THREADS)]
    stopped: list[int] = []
    merged = 0
    for life in range(ROUNDS):
        told = written_until_killed(tmp_path, [m.done for m in models], chance, stopped)
        with kveik.open(tmp_path, memory="8MB") as db:
            for model in models:
                found = entries_of(db, model.thread)
                model.catch_up(found, told.get(model.thread, model.done - 1))
            while stopped and life % 2:  # it goes on while another process has the directory
                send(stopped.pop(), signal.SIGCONT)
            if life % 3 == 0:
                check_files(tmp_path, db)
            levels = db.stats()["levels"]
            assert isinstance(levels, list)
            merged += len(levels) > 1
    for pid in stopped:
        send(pid, signal.SIGCONT)
    until(lambda: not workers(tmp_path), "no worker outlives its database")
    with kveik.open(tmp_path, memory="8MB") as db:
        db.compact()
        for model in models:
            assert entries_of(db, model.thread) == model.entries
        check_files(tmp_path, db)
    assert merged > 3
    assert not list(tmp_path.glob("*.new"))
    assert (tmp_path / table_name(1)).exists() is False
