"""A service manager is told once the server serves (`Type=notify`)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.server import StartServer
from tests.support.tools import PATIENCE, environment


@pytest.fixture(params=["a file", "an abstract name"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that listens as systemd does, and what NOTIFY_SOCKET says of it."""
    if request.param == "a file":
        path = name = str(tmp_path / "notify")
    else:
        name = f"kveik-test-{tmp_path.name}-{id(request)}"
        path, name = f"\0{name}", f"@{name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(PATIENCE)
        receiver.bind(path)
        yield receiver, name


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux'")
def test_a_server_says_when_it_serves(
    manager: tuple[socket.socket, str], start_server: StartServer
) -> None:
    receiver, name = manager
    server = start_server(environ=environment(NOTIFY_SOCKET=name))
    assert receiver.recv(100) == b"READY=1"
    assert server.terminate() == 0


def test_a_manager_that_is_gone_is_no_obstacle(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(environ=environment(NOTIFY_SOCKET=str(tmp_path / "gone")))
    with server.resp() as connection:
        assert connection.call("PING") == "PONG"
