"""Node's clients, ioredis and node-redis, do what their users would try first."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import Server
from tests.support.tools import lacking, run, tool

SCRIPTS = Path(__file__).with_name("node")
BOTH_SAY = {
    "set": "OK",
    "get": "hello",
    "nothing": None,
    "bytes": [0, 255, 13, 10],
    "mget": ["1", "zwei", None],
    "incr": [1, 42],
    "append": 11,
    "del": 2,
    "nx": ["OK", None],
    "ttl": True,
    "persist": [1, -1],
    "past": [1, None],
    "pipeline": True,
    "many": True,
    "scan": 1000,
    "publish": 2,
    "range": ["p:1", "1", "p:10", "10"],
    "refused": [
        "ERR unknown command 'NOSUCH', with args beginning with: ",
        "ERR HSET works on hashes, which Kveik does not have: its values are strings",
        "ERR EVAL is for scripts, which Kveik does not run",
    ],
    "select": 0,
    "info": True,
    "reconnected": "hello world",
}


def installed(folder: Path) -> Path:
    """The scripts beside the packages that they need, in a folder that git ignores."""
    for path in SCRIPTS.glob("*.mjs"):
        shutil.copy(path, folder)
    lock = (SCRIPTS / "package-lock.json").read_text()
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == lock:
        return folder
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(SCRIPTS / name, folder)
    command = [tool("npm"), "ci", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False)
    if done.returncode != 0:
        lacking(f"npm ci failed: {done.stderr.decode('utf-8', 'replace')}")
    stamp.write_text(lock)
    return folder


@pytest.fixture(scope="module")
def scripts(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tool("node")
    cache = pytestconfig.cache
    return installed(cache.mkdir("node") if cache else tmp_path_factory.mktemp("node"))


def said(script: Path, *args: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(tool("node"), script, *args, timeout=60))
    return found


def test_ioredis(scripts: Path, server: Server) -> None:
    assert said(scripts / "try_ioredis.mjs", server.port) == {
        **BOTH_SAY,
        "multi": [[None, "OK"], [None, 2], [None, "2"]],
        "watched": None,
        "subscribed": [1, 2],
        "messages": [["news", "hello"], ["n*", "news", "hello"]],
        "unsubscribed": [1, 0],
    }


@pytest.mark.parametrize("protocol", [2, 3], ids=["RESP2", "RESP3"])
def test_node_redis(scripts: Path, server: Server, protocol: int) -> None:
    assert said(scripts / "try_redis.mjs", server.port, protocol) == {
        **BOTH_SAY,
        "multi": ["OK", 2, "2"],
        "watched": "WatchError",
        "messages": [["news", "hello"], ["news", "hello"]],
        "unheard": 0,
        "config": {"appendonly": "yes"},
    }
