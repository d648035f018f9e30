"""A worker steps back behind others and learns that its parent is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kveik.errors
from kveik.disk.process import NICE, be_nice, parent_alive

SOURCES = str(Path(kveik.errors.__file__).parents[1])

# Starts a child that tells whether its parent lives before and after that has ended.
PARENT = """
import subprocess, sys
child = '''
import os, sys
from kveik.disk.process import parent_alive
parent = os.getppid()
print(parent_alive(parent), flush=True)
sys.stdin.read()
while parent_alive(parent):
    pass
print("gone", flush=True)
'''
worker = subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE)
sys.stdin.readline()
"""


def python(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": SOURCES},
    )


def test_a_nice_process_is_behind_others() -> None:
    code = "import os; from kveik.disk.process import be_nice; be_nice(); print(os.nice(0))"
    printed, _ = python("-c", code).communicate()
    assert int(printed) == min(os.nice(0) + NICE, 19)


def test_where_the_system_refuses_it_is_quietly_not_nice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse(step: int) -> int:
        asked.append(step)
        raise PermissionError

    monkeypatch.setattr(os, "nice", refuse)
    be_nice()
    assert asked == [NICE]


def test_a_process_knows_its_parent_from_others() -> None:
    assert parent_alive(os.getppid())
    assert not parent_alive(os.getpid())


def test_a_worker_notices_that_its_parent_has_ended() -> None:
    parent = python("-c", PARENT)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "True\n"
    assert parent.stdin is not None
    parent.stdin.write("end\n")
    parent.stdin.close()
    assert parent.stdout.readline() == "gone\n"
    parent.stdout.close()
    parent.wait()
