"""DUMP and RESTORE between Kveik and a real Redis, both ways."""

from __future__ import annotations

import random
import time

import pytest
from tests.command.desk import Desk
from tests.support.redis_server import Line, Redis, arguments

from kveik.format import rdb

STARTS = [bytes((lead,)) for lead in (0, 1, 5, 20, 0x40, 0x41, 0x80, 0x81, 0xC0, 0xC1, 0xC2, 0xC4)]
BEHIND = bytes(600)  # Redis lets a string that is too long run into the checksum
FAR = 9_000_000_000  # a second that is far away


def bulk(reply: bytes) -> bytes:
    """The data of a bulk string."""
    return reply.partition(b"\r\n")[2].removesuffix(b"\r\n")


VALUES = [
    b"",
    b"x",
    b"123",
    b"-70000",
    b"x" * 63,
    b"x" * 64,
    b"a" * 5000,
    b"abc" * 40_000,
    bytes(range(256)) * 300,
    random.Random(2).randbytes(20_000),
    b"".join(random.Random(3).choices([b"the ", b"quick ", b"brown ", b"fox "], k=3000)),
    b"0" * 12,
    b"9223372036854775807",
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value[:8]!r} of {len(value)}")
def test_a_dump_of_one_is_restored_by_the_other(
    desk: Desk,
    redis: Redis,
    value: bytes,
) -> None:
    for one, other in ((desk, redis), (redis, desk)):
        one.reply([b"SET", b"from", value])
        payload = bulk(one.reply([b"DUMP", b"from"]))
        assert other.reply([b"RESTORE", b"to", b"0", payload]) == b"+OK\r\n"
        assert other.reply([b"GET", b"to"]) == b"$%d\r\n%s\r\n" % (len(value), value)


def test_a_value_is_restored_with_its_expiry(desk: Desk, redis: Redis) -> None:
    desk.now = int(time.time() * 1000)
    redis.reply([b"SET", b"from", b"v"])
    payload = bulk(redis.reply([b"DUMP", b"from"]))
    lines: list[Line] = [
        [b"RESTORE", b"a", b"100000", payload], "TTL a", "GET a",
        [b"RESTORE", b"a", b"0", payload], [b"RESTORE", b"a", b"0", payload, b"REPLACE"], "TTL a",
        [b"RESTORE", b"b", b"%d000" % FAR, payload, b"ABSTTL", b"IDLETIME", b"9"], "EXPIRETIME b",
        [b"RESTORE", b"b", b"1", payload, b"ABSTTL", b"replace"], "EXISTS b",
        [b"RESTORE", b"c", b"1", payload, b"ABSTTL"], "EXISTS c",
        [b"RESTORE", b"c", b"0", payload[:-1]],
    ]  # fmt: skip
    for line in lines:
        args = arguments(line)
        assert (line, desk.reply(args)) == (line, redis.reply(args))


def sealed(body: bytes) -> bytes:
    """A payload whose version and checksum are right."""
    body += (10).to_bytes(2, "little")
    return body + rdb.checksum(body)


def packed(rng: random.Random) -> bytes:
    """A string that says of itself that LZF has packed it."""
    data = bytes(rng.randrange(rng.choice([8, 256])) for _ in range(rng.randrange(1, 12)))
    return b"\xc3" + bytes((len(data), rng.randrange(1, 30))) + data


@pytest.mark.parametrize("seed", range(4))
def test_a_payload_of_any_bytes_is_restored_or_refused_as_by_redis(
    desk: Desk, redis: Redis, seed: int
) -> None:
    rng = random.Random(seed)
    for _ in range(500):
        body = rng.choice([packed(rng), rng.choice(STARTS) + rng.randbytes(rng.randrange(20))])
        payload = sealed(b"\x00" + body + BEHIND)
        for args in ([b"RESTORE", b"k", b"0", payload, b"REPLACE"], [b"GET", b"k"]):
            assert (body, desk.reply(args)) == (body, redis.reply(args))


def test_a_payload_that_is_all_footer_is_refused(desk: Desk) -> None:
    nothing = bytes(2) + rdb.checksum(bytes(2))  # version 0, which could be a string's type
    assert desk.error("RESTORE k 0", nothing) == "ERR Bad data format"


@pytest.mark.parametrize("size", range(12))
def test_a_payload_that_is_too_short_is_refused(desk: Desk, redis: Redis, size: int) -> None:
    args = [b"RESTORE", b"k", b"0", sealed(b"")[:size] if size < 10 else sealed(bytes(size - 10))]
    assert desk.reply(args) == redis.reply(args)
