"""DUMP and RESTORE between Kveik and a real Redis, both ways."""

from __future__ import annotations

import random
import time

import pytest
from tests.command.desk import Desk
from tests.support.redis_server import Line, Redis, arguments

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
