"""`kveik import` from a real redis-server, and from a Kveik."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.program import KVEIK, call, good
from tests.support.redis_server import Redis
from tests.support.server import Server
from tests.support.tools import environment, library, tool, until

import kveik
from kveik.cli.dump_lines import Entry
from kveik.cli.import_redis import Source
from kveik.cli.main import main

KEYS = 3000


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    library("redis")
    redis = Redis(tool("redis-server"), str(tmp_path_factory.mktemp("r")))
    yield f"unix://{redis.path}"
    redis.end()


@pytest.fixture
def redis(redis_url: str) -> Iterator[object]:
    """A client of an empty Redis."""
    with library("redis").Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


def test_strings_are_copied_with_their_expiries(redis: object, redis_url: str, target: str) -> None:
    client = library("redis").Redis.from_url(redis_url)
    client.mset({f"user:{n}": f"value {n}" for n in range(KEYS)})
    client.mset({b"\xff\x00": b"\x00\x01", "empty": b"", "large": b"x" * 3_000_000})
    client.set("session", "s", px=100_000_000)
    good("import", redis_url, target)
    lines = {
        line.partition("\t")[0] for line in good("range", "-t", target, "--limit", "0").splitlines()
    }
    assert len(lines) == KEYS + 4
    assert good("get", "-t", target, "user:17") == "value 17\n"
    assert len(good("get", "-t", target, "large", "--raw")) == 3_000_000
    assert good("get", "-t", target, "(b'\\xff\\x00')") == "'\\x00\\x01'\n"
    shown = good("range", "-t", target, "session", "session0", "--json")
    expires = int(shown.partition('"expires": ')[2].rstrip("}\n"))
    assert abs(expires - client.pexpiretime("session")) < 10_000


def test_other_types_are_counted_and_named(redis: object, redis_url: str, tmp_path: Path) -> None:
    client = library("redis").Redis.from_url(redis_url)
    client.mset({"a": 1, "b": 2, "": "no name"})
    client.rpush("list", 1)
    client.rpush("other", 1)
    client.sadd("set", 1)
    client.hset("hash", "f", "v")
    client.zadd("sorted", {"m": 1})
    client.xadd("stream", {"f": "v"})
    said = call("import", redis_url, tmp_path / "data")
    assert said.code == 0
    assert "imported 2 entries" in said.err
    for line in (
        "1 key of type hash",
        "2 keys of type list",
        "1 key of type set",
        "1 key of type stream",
        "1 key of type zset",
        "1 key of 0 or over 65,536 bytes",
    ):
        assert f"not copied: {line}\n" in said.err


def test_patterns_and_keys_that_are_there(redis: object, redis_url: str, tmp_path: Path) -> None:
    client = library("redis").Redis.from_url(redis_url)
    client.mset({"user:1": "new", "user:2": "new", "other": 1})
    with kveik.open(tmp_path / "data") as db:
        db["user:1"] = "old"
    said = call("import", redis_url, tmp_path / "data", "--match", "user:*", "--keep")
    assert "imported 1 entry" in said.err
    assert "1 entry left out, as the keys are there" in said.err
    assert good("range", "-t", tmp_path / "data") == "user:1\told\nuser:2\tnew\n"
    good("import", redis_url, tmp_path / "data", "--match", "user:*")
    assert good("range", "-t", tmp_path / "data") == "user:1\tnew\nuser:2\tnew\n"


def test_an_import_that_is_killed_is_run_again(
    redis: object, redis_url: str, tmp_path: Path, shared_server: Server
) -> None:
    client = library("redis").Redis.from_url(redis_url)
    client.mset({f"{n:06d}": n for n in range(10 * KEYS)})
    with shared_server.resp() as connection:
        connection.call("FLUSHALL")
        url = f"redis://127.0.0.1:{shared_server.port}/2"
        command = [*KVEIK, "import", redis_url, url]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment())
        connection.call("SELECT", "2")
        until(lambda: connection.call("DBSIZE") or process.poll() is not None, "it has begun")
        process.kill()
        process.wait()
        said = call("import", redis_url, url)
        assert f"imported {10 * KEYS:,} entries" in said.err
        assert connection.call("DBSIZE") == 10 * KEYS


def test_an_import_that_breaks_off_says_how_to_go_on(
    redis: object,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    library("redis").Redis.from_url(redis_url).set("a", 1)

    def lost(source: Source, keys: list[bytes]) -> list[Entry]:
        raise kveik.errors.ConnectionError("the connection was lost")

    monkeypatch.setattr(Source, "_values", lost)
    assert main(["import", redis_url, str(tmp_path / "data")]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("broken off: imported 0 entries")
    assert said[1:] == ["run it again to import the rest", "kveik: the connection was lost"]


def test_from_a_kveik(shared_server: Server, tmp_path: Path) -> None:
    with shared_server.resp() as connection:
        connection.call("FLUSHALL")
        connection.call("SET", "a", "1")
    good("import", f"redis://127.0.0.1:{shared_server.port}/0", tmp_path / "data")
    assert good("range", "-t", tmp_path / "data") == "a\t1\n"


def test_a_database_of_its_own(redis: object, redis_url: str, tmp_path: Path) -> None:
    client = library("redis").Redis.from_url(f"{redis_url}?db=3")
    client.set("in three", "1")
    said = call("import", f"{redis_url}?db=3", tmp_path / "data")
    assert "imported 1 entry" in said.err


def test_what_cannot_be_imported(tmp_path: Path, redis_url: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        nobody = call("import", f"redis://:secret@127.0.0.1:{port}", tmp_path / "data")
    assert nobody.code == 1
    assert len(nobody.err.splitlines()) == 1
    assert "secret" not in nobody.err
    assert call("import", tmp_path, tmp_path / "data").code == 2
    assert call("import", redis_url, redis_url).code == 2
    for words in (("dump",), ("load",), ("get", "a", "-t")):
        said = call(*words, redis_url, stdin=b'{"key": "a", "value": 1}')
        assert said.code == 1
        assert "is no Kveik server, but `kveik import` copies from Redis" in said.err
