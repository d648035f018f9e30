"""redis-benchmark runs through and has nothing to complain of."""

from __future__ import annotations

import pytest
from tests.support.server import Server
from tests.support.tools import run, tool

pytestmark = pytest.mark.slow


def benchmark(server: Server, *options: str) -> str:
    command = [tool("redis-benchmark"), "-p", str(server.port), "-n", "2000", *options]
    printed = run(*command, timeout=60).replace("\r", "\n")
    assert "error" not in printed.lower(), printed
    assert "warning" not in printed.lower(), printed
    return printed


def test_set_and_get(server: Server) -> None:
    printed = benchmark(server, "-t", "set,get", "-q")
    assert "SET: " in printed
    assert "GET: " in printed
    assert printed.count("requests per second") == 2


@pytest.mark.parametrize(
    "options",
    [
        ("-P", "16", "-q"),
        ("-c", "1", "-q"),
        ("-r", "1000", "-d", "2000", "-q"),
        ("-3", "-q"),
        ("--threads", "2", "-q"),
        ("--csv",),
    ],
    ids=" ".join,
)
def test_its_options(server: Server, options: tuple[str, ...]) -> None:
    printed = benchmark(server, "-t", "ping_mbulk,set,get,mset", *options)
    assert "MSET" in printed
    with server.resp() as connection:
        assert connection.call("DBSIZE") >= 1


def test_a_command_of_ones_own(server: Server) -> None:
    printed = benchmark(server, "-q", "KV.RANGE", "-", "+", "LIMIT", "0", "5")
    assert "requests per second" in printed
