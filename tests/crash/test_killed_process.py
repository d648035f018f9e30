"""kill -9 of a process that writes, at each durability: what it was told is what is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.tools import environment

import kveik

LIVES = 40  # writes after which a key is deleted again
VALUE = 3000  # bytes

# Each write is a batch: a key of its own twice, a value that counts, and the death of an old key.
ONE_WRITER = """
import os, sys, kveik
path, durability, start, lives, size = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
db = kveik.open(path, durability=durability, memory="8MB")
number = start
while True:
    batch = kveik.Batch()
    batch.put(("first", number), number)
    batch.put(("second", number), bytes(size))
    batch.delete(("first", number - lives))
    batch.delete(("second", number - lives))
    batch.put("count", number)
    db.write(batch)
    os.write(1, b"%d\\n" % number)
    number += 1
"""

MANY_WRITERS = """
import os, sys, threading, kveik
db = kveik.open(sys.argv[1], memory="8MB")
def work(thread):
    number = 0
    while True:
        db.put((thread, number), bytes(500))
        os.write(1, b"%d %d\\n" % (thread, number))
        number += 1
for thread in range(8):
    threading.Thread(target=work, args=(thread,)).start()
"""


def told_until_killed(lines: int, script: str, *arguments: object) -> list[str]:
    """Run the writer, kill it once it has told so much; all that it told."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return [line.decode().strip() for line in told if line.endswith(b"\n")]


def expected_after(last: int) -> dict[object, object]:
    """The contents once write number `last` has happened; -1: none has."""
    alive = range(max(last - LIVES + 1, 0), last + 1)
    contents: dict[object, object] = {("first", number): number for number in alive}
    contents |= {("second", number): bytes(VALUE) for number in alive}
    return contents | ({b"count": last} if last >= 0 else {})


def check_what_is_left(path: Path) -> int:
    """The contents are those after some write; its number."""
    with kveik.open(path, memory="8MB") as db:
        count = db.get("count", -1)
        assert isinstance(count, int)
        assert dict(db.range()) == expected_after(count)
        return count


def test_always_loses_nothing_that_was_acknowledged_kill_after_kill(tmp_path: Path) -> None:
    last = -1
    for lines in (1, 30, 400):
        told = told_until_killed(lines, ONE_WRITER, tmp_path, "always", last + 1, LIVES, VALUE)
        acknowledged = int(told[-1])
        last = check_what_is_left(tmp_path)
        assert last - acknowledged in (0, 1)  # the one that was under way may be there
    assert len(list(tmp_path.glob("*.log"))) > 1


@pytest.mark.parametrize("durability", ["interval", "none"])
def test_without_waiting_for_the_disk_what_is_left_is_what_was_written_up_to_some_moment(
    tmp_path: Path, durability: str
) -> None:
    last = -1
    for lines in (100, 500):
        told = told_until_killed(lines, ONE_WRITER, tmp_path, durability, last + 1, LIVES, VALUE)
        now = check_what_is_left(tmp_path)
        assert last < now <= int(told[-1]) + 1
        last = now


def test_a_process_that_is_killed_before_it_wrote_anything_leaves_an_empty_database(
    tmp_path: Path,
) -> None:
    script = "import os, sys, kveik; kveik.open(sys.argv[1]); os.write(1, b'open\\n'); input()"
    told_until_killed(1, script, tmp_path)
    assert check_what_is_left(tmp_path) == -1


def test_many_threads_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    told = told_until_killed(400, MANY_WRITERS, tmp_path)
    acknowledged = {tuple(map(int, line.split())) for line in told}
    with kveik.open(tmp_path) as db:
        left = {key for key, _ in db.range()}
    assert acknowledged <= left
    for thread in range(8):  # and of each thread no write without those before it
        numbers = sorted(key[1] for key in left if isinstance(key, tuple) and key[0] == thread)
        assert numbers == list(range(len(numbers)))
