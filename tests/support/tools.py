"""Small things that many tests need: other programs, and waiting for something to happen."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

import kveik

ROOT = Path(__file__).parents[2]
SOURCES = str(Path(str(kveik.__file__)).parents[1])  # of the Kveik under test
PATIENCE = 20.0  # seconds until something that must happen counts as missing


def tool(name: str) -> str:
    """The path of a program; where it is missing the test is skipped, in CI it fails."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
    if found is None:
        lacking(f"{name} is not installed")
    return found


def lacking(reason: str) -> NoReturn:
    """Skip the test for want of something on this machine; in CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def library(name: str) -> Any:
    """A module of the `test` extra; where it is missing the test is skipped, in CI it fails."""
    try:
        return importlib.import_module(name)
    except ImportError:
        lacking(f"{name} is not installed")


def bench_library() -> None:
    """Skip the module where the extra `bench` is missing: `make test` has it on one flavour."""
    from kveik.cli.bench import NEEDED
    from kveik.version import flavour

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing and flavour() == "pure":
        pytest.skip(
            f"{missing[0]} is not installed beside the pure flavour", allow_module_level=True
        )
    if missing:
        lacking(f"{missing[0]} is not installed")


def environment(**more: str) -> dict[str, str]:
    """The environment for a Python that shall import the Kveik under test."""
    return {**os.environ, "PYTHONPATH": SOURCES, **more}


def run(*command: str | int | Path, stdin: bytes = b"", timeout: float = PATIENCE) -> str:
    """What a program that must succeed prints, stdout and stderr together."""
    done = subprocess.run(
        [str(word) for word in command],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
        env=environment(),
    )
    output = done.stdout.decode("utf-8", "backslashreplace")
    assert done.returncode == 0, f"exit code {done.returncode}: {output}"
    return output


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until the condition holds; fail when it has taken too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.002)
