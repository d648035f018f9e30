"""--durability: when a write is acknowledged, and what a crash of the process may take."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from tests.support.server import StartServer
from tests.support.steer import SteeredServer
from tests.support.tools import until
from tests.support.wire import Resp, frame

pytestmark = pytest.mark.slow

KINDS = ["always", "interval", "none"]


def synced_and_last(connection: Resp) -> tuple[int, int]:
    """(the last commit that is synced, the last commit), as INFO tells."""
    found = dict(re.findall(rb"kveik_(\w+)_lsn:(\d+)", connection.call("INFO", "persistence")))
    return int(found[b"synced"]), int(found[b"last"])


def behind_now(connection: Resp) -> bool:
    """Whether there is something acknowledged that is not synced."""
    synced, last = synced_and_last(connection)
    return synced < last


def behind(connection: Resp) -> bool:
    """Whether a write was acknowledged before it was synced."""
    assert connection.call("SET", "k", 1) == "OK"
    return behind_now(connection)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_acknowledged_survives_kill_9(start_server: StartServer, kind: str) -> None:
    server = start_server("--durability", kind)
    with server.resp() as connection:
        connection.send(b"".join(frame("SET", f"k{n}", n) for n in range(1000)))
        assert [connection.reply() for _ in range(1000)] == ["OK"] * 1000
    server.restart()
    with server.resp() as connection:
        expected = [str(n).encode() for n in range(1000)]
        assert connection.call("MGET", *[f"k{n}" for n in range(1000)]) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_syncs_what_is_left(start_server: StartServer, kind: str) -> None:
    server = start_server("--durability", kind)
    with server.resp() as connection:
        assert connection.call("SET", "k", 1) == "OK"
        assert server.terminate() == 0
    server.start()
    with server.resp() as connection:
        assert synced_and_last(connection) == (1, 1)
        assert connection.call("GET", "k") == b"1"


def test_always_acknowledges_nothing_that_is_not_synced(start_server: StartServer) -> None:
    with start_server("--durability", "always").resp() as connection:
        assert not any(behind(connection) for _ in range(200))


def test_interval_acknowledges_at_once_and_syncs_within_seconds(start_server: StartServer) -> None:
    with start_server("--durability", "interval").resp() as connection:
        until(lambda: behind(connection), "a write is acknowledged before its sync")
        _, last = synced_and_last(connection)
        until(lambda: synced_and_last(connection)[0] >= last, "it is synced", 5.0)


def test_none_acknowledges_at_once_and_never_syncs(
    start_server: StartServer, tmp_path: Path
) -> None:
    steered = SteeredServer(start_server, tmp_path, "--durability", "none")
    with steered.server.resp() as connection:
        steered.hold()
        begin = time.monotonic()
        while time.monotonic() - begin < 1.5:  # longer than the interval of "interval"
            assert connection.call("SET", "k", 1) == "OK"
            assert not steered.holding()
        steered.release()


def test_an_interval_sync_that_fails_ends_the_writes(
    start_server: StartServer, tmp_path: Path
) -> None:
    steered = SteeredServer(start_server, tmp_path, "--durability", "interval")
    with steered.server.resp() as connection, steered.server.resp() as other:
        assert other.call("SET", "safe", 1) == "OK"
        until(lambda: not behind_now(other), "it is synced")
        steered.switch("fail")
        connection.send(frame("SET", "unsafe", 1))
        until(lambda: b"status:err" in other.call("INFO", "persistence"), "the sync has failed")
        assert str(other.call("SET", "safe", 2)).startswith("MISCONF")
        assert other.call("GET", "safe") == b"1"


@pytest.mark.parametrize("kind", KINDS)
def test_config_get_tells_the_durability(start_server: StartServer, kind: str) -> None:
    with start_server("--durability", kind).resp() as connection:
        told = connection.call("CONFIG", "GET", "kveik-durability")
        assert told == [b"kveik-durability", kind.encode()]
