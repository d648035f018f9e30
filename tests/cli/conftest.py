"""For tests of commands on keys: a server and a directory, named as on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.server import Server

import kveik


@pytest.fixture(params=["directory", "server"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty target of either kind."""
    if request.param == "directory":
        path = tmp_path / "data"
        kveik.open(path).close()
        return str(path)
    server: Server = request.getfixturevalue("shared_server")
    with server.resp() as connection:
        connection.call("FLUSHALL")
    return f"redis://127.0.0.1:{server.port}"
