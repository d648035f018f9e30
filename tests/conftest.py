"""For every test: which Kveik is under test, and real servers to test it on.

KVEIK_EXPECT=compiled|pure ends the run at once if another flavour would be tested.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
SLOW = ("bench", "cli", "client", "conformance", "crash", "docs", "model", "packaging")  # folders
sys.path.insert(0, str(ROOT))  # for tests.support

from tests.support.server import Server, StartServer  # noqa: E402

import kveik  # noqa: E402
from kveik.version import event_loop, flavour  # noqa: E402


def _described() -> str:
    where = Path(str(kveik.__file__)).parent
    return f"kveik: {flavour()}, {event_loop()}, imported from {where}"


def pytest_configure(config: pytest.Config) -> None:
    expected = os.environ.get("KVEIK_EXPECT", "")
    if expected not in ("", "compiled", "pure"):
        raise pytest.UsageError(f"KVEIK_EXPECT is compiled or pure, not {expected!r}")
    if expected and flavour() != expected:
        raise pytest.UsageError(f"KVEIK_EXPECT={expected}, but this is {_described()}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_report_header() -> str:
    return _described()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not terminalreporter.showheader:  # as with -q, which is the default here
        terminalreporter.write_line(_described())


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts server processes; what they wrote to stderr is shown if the test fails."""
    start = StartServer(tmp_path)
    yield start
    start.end()


@pytest.fixture
def server(start_server: StartServer) -> Server:
    """A server with default settings on an empty directory."""
    return start_server()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a module."""
    start = StartServer(tmp_path_factory.mktemp("shared"))
    yield start()
    start.end()
