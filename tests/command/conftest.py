"""For every test of commands: a desk of its own, and a real Redis to compare with."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator

import pytest
from tests.command.desk import Desk
from tests.support.redis_server import Redis
from tests.support.tools import tool


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    program = tool("redis-server")
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if " v=7.0." not in version:
        pytest.skip(f"Kveik follows Redis 7.0, not {version.strip()}")
    with tempfile.TemporaryDirectory() as folder:  # a short path, as a socket's must be
        redis = Redis(program, folder)
        yield redis
        redis.end()


@pytest.fixture
def redis(server: Redis) -> Redis:
    server.renew()
    return server
