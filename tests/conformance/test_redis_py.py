"""redis-py, blocking and asyncio, in both versions of the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.support.server import Server


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request: pytest.FixtureRequest) -> int:
    version: int = request.param
    return version


@pytest.fixture
def client(server: Server, protocol: int) -> Iterator[Any]:
    with redis.Redis(port=server.port, protocol=protocol) as client:
        yield client


def test_strings(client: Any) -> None:
    assert client.ping() is True
    assert client.set("k", "v") is True
    assert client.get("k") == b"v"
    assert client.get("nothing") is None
    assert client.set("k", b"\x00\xff\r\n") is True
    assert client.get("k") == b"\x00\xff\r\n"
    assert client.strlen("k") == 4
    assert client.mset({"a": 1, "b": 2.5}) is True
    assert client.mget("a", "b", "c") == [b"1", b"2.5", None]


def test_conditions_and_expiry(client: Any) -> None:
    assert client.set("k", 1, nx=True) is True
    assert client.set("k", 2, nx=True) is None
    assert client.set("new", 2, xx=True) is None
    assert client.set("k", 3, get=True) == b"1"
    assert client.set("k", 4, px=1) is True
    assert client.set("kept", 4, ex=1000) is True
    assert client.set("kept", 5, keepttl=True) is True
    assert client.get("kept") == b"5"
    assert client.set("gone", 1, pxat=1) is True
    assert client.get("gone") is None


def test_keys(client: Any) -> None:
    client.mset({"a": 1, "b": 2, "c": 3})
    assert client.exists("a", "b", "nothing", "a") == 3
    assert client.type("a") == b"string"
    assert client.type("nothing") == b"none"
    assert client.delete("a", "nothing") == 1
    assert client.unlink("b") == 1
    assert client.dbsize() == 1
    assert client.flushdb() is True
    assert client.flushall(asynchronous=True) is True
    assert client.dbsize() == 0


def test_the_dict_like_face(client: Any) -> None:
    client["k"] = "v"
    assert client["k"] == b"v"
    assert "k" in client
    del client["k"]
    assert "k" not in client
    with pytest.raises(KeyError):
        client["k"]


def test_ranges(client: Any) -> None:
    client.mset({"a": 1, "b": 2, "c": 3})
    flat = client.execute_command("KV.RANGE", "[a", "(c")
    assert flat == [b"a", b"1", b"b", b"2"]
    flat = client.execute_command("KV.RANGE", "+", "-", "REV", "LIMIT", 1, 1, "KEYSONLY")
    assert flat == [b"b"]


def test_the_connection(client: Any) -> None:
    assert client.echo("hello") == b"hello"
    assert client.client_id() > 0
    assert client.client_setname("me") is True
    assert client.client_getname() in ("me", b"me")
    assert client.command_count() > 20


def test_the_server(client: Any, server: Server) -> None:
    assert client.info()["redis_version"].startswith("7.")
    assert client.info("server")["tcp_port"] == server.port
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert set(client.config_get("*")) >= {"save", "dir", "databases"}


def test_text_where_it_is_asked_for(server: Server, protocol: int) -> None:
    with redis.Redis(port=server.port, protocol=protocol, decode_responses=True) as client:
        client.set("schl\u00fcssel", "w\u00e9rt")
        assert client.get("schl\u00fcssel") == "w\u00e9rt"


def test_databases(server: Server, protocol: int) -> None:
    with (
        redis.Redis(port=server.port, protocol=protocol, db=0) as zero,
        redis.Redis(port=server.port, protocol=protocol, db=9) as nine,
    ):
        zero.set("k", "in 0")
        assert nine.get("k") is None
        nine.set("k", "in 9")
        assert (zero.get("k"), nine.get("k")) == (b"in 0", b"in 9")


def test_a_pipeline(client: Any) -> None:
    pipeline = client.pipeline(transaction=False)
    for number in range(1000):
        pipeline.set(f"k{number}", number)
        pipeline.get(f"k{number}")
    replies = pipeline.execute()
    assert replies[0::2] == [True] * 1000
    assert replies[1::2] == [str(number).encode() for number in range(1000)]


def test_an_error_in_a_pipeline_leaves_the_rest_alone(client: Any) -> None:
    pipeline = client.pipeline(transaction=False)
    pipeline.set("a", 1).execute_command("NOPE").get("a")
    done, refused, found = pipeline.execute(raise_on_error=False)
    assert (done, found) == (True, b"1")
    assert isinstance(refused, redis.ResponseError)


def test_errors_are_its_exceptions(client: Any) -> None:
    with pytest.raises(redis.ResponseError, match="unknown command 'NOPE'"):
        client.execute_command("NOPE")
    with pytest.raises(redis.ResponseError, match="a key has 1 to 65536 bytes, not 0"):
        client.set("", 1)
    assert client.ping() is True


def test_shutdown(server: Server, protocol: int) -> None:
    never_again = Retry(NoBackoff(), 0)
    with redis.Redis(port=server.port, protocol=protocol, retry=never_again) as client:
        client.set("k", 1)
        client.shutdown()
    assert server.wait() == 0


def test_asyncio(server: Server, protocol: int) -> None:
    async def work() -> None:
        async with redis.asyncio.Redis(port=server.port, protocol=protocol) as client:
            shared: Any = client
            assert await shared.ping() is True

            async def one(number: int) -> None:
                await shared.set(f"k{number}", number)
                assert await shared.get(f"k{number}") == str(number).encode()

            await asyncio.gather(*(one(number) for number in range(100)))
            async with shared.pipeline(transaction=False) as pipeline:
                pipeline.mset({"a": 1, "b": 2}).mget("a", "b", "c")
                assert await pipeline.execute() == [True, [b"1", b"2", None]]
            with pytest.raises(redis.ResponseError):
                await shared.execute_command("NOPE")
            assert await shared.dbsize() == 102

    asyncio.run(work())
