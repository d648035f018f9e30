"""Redis' commands for plain keys through redis-py, as a program would use them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from tests.support.server import Server

KEYS = 500


@pytest.fixture(params=[2, 3])
def client(shared_server: Server, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    with redis.Redis(port=shared_server.port, protocol=request.param) as client:
        client.flushall()
        yield client


def test_keys_are_iterated(client: redis.Redis) -> None:
    client.mset({f"user:{number:04}": number for number in range(KEYS)} | {"other": 1})
    assert len(list(client.scan_iter())) == KEYS + 1
    assert list(client.scan_iter("user:00?5", count=7)) == [b"user:00%d5" % n for n in range(10)]
    assert list(client.scan_iter("nobody*")) == []
    assert client.randomkey() in set(client.scan_iter())


def test_numbers_and_parts(client: redis.Redis) -> None:
    assert [client.incr("n"), client.incrby("n", 9), client.decr("n", 3)] == [1, 10, 7]
    assert client.incrbyfloat("n", 0.5) == 7.5
    assert client.append("text", "hello") == 5
    assert client.setrange("text", 5, " world") == 11
    assert client.getrange("text", -5, -1) == b"world"
    assert client.lcs("text", "text", len=True) == 11
    assert client.getex("text", ex=100) == b"hello world"
    assert 99 <= client.ttl("text") <= 100
    assert client.persist("text") is True
    assert client.getdel("text") == b"hello world"
    assert client.setnx("text", "new") is True
    assert client.msetnx({"text": 1, "free": 2}) is False


def test_bits(client: redis.Redis) -> None:
    assert client.setbit("bits", 7, 1) == 0
    assert [client.getbit("bits", 7), client.bitcount("bits"), client.bitpos("bits", 1)] == [
        1,
        1,
        7,
    ]
    assert client.bitop("NOT", "inverse", "bits") == 1
    assert client.get("inverse") == b"\xfe"
    fields = client.bitfield("bits").set("u8", 8, 255).incrby("u8", 8, 1).get("i8", 0)
    assert fields.execute() == [0, 0, 1]


def test_keys_are_moved_about(client: redis.Redis) -> None:
    client.set("a", "v", ex=100)
    assert client.copy("a", "b") is True
    assert client.rename("b", "c") is True
    assert client.renamenx("c", "a") is False
    assert client.move("c", 5) is True
    assert client.exists("a", "b", "c") == 1
    payload = client.dump("a")
    assert client.restore("d", 0, payload) in (True, b"OK")
    assert [client.get("d"), client.ttl("d")] == [b"v", -1]
    assert client.expire("d", 100, nx=True) is True
    assert client.touch("a", "d") == 2
    assert client.object("encoding", "a") == b"embstr"
    assert client.memory_usage("a") > 0


def test_what_is_not_there_is_told(client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError, match="HSET works on hashes, which Kveik does not"):
        client.hset("h", "f", "v")
