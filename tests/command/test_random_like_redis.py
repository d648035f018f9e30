"""Commands drawn at random, to a desk and to a real Redis: the replies are the same bytes."""

from __future__ import annotations

import random
import time

import pytest
from tests.command.desk import Desk
from tests.support.redis_server import Redis

from kveik.command.glob import Glob

FAR = 9_000_000_000  # a second that is far away
STEPS = 400

KEYS = ["a", "b", "c", "k:1"]
VALUES = [
    "0",
    "1",
    "-7",
    "9223372036854775807",
    "1.5",
    "abc",
    "hello world",
    "",
    "\x00\xff",
    "x" * 70,
]
SMALL = [*map(str, range(-9, 10)), "100", "x", "9223372036854775807", "-9223372036854775808"]
WIDTHS = ["u1", "u8", "i5", "i8", "u63", "i64", "u17", "i64", "u64", "x"]
PLACES = ["0", "1", "7", "13", "#0", "#1", "#3", "100", "-1", "x"]
EXPIRIES = ["EX 0", "PX x", f"EXAT {FAR}", f"PXAT {FAR}777", "PXAT 1"]  # no clock is looked at
CONDITIONS = ["", "", "NX", "XX", "GT", "LT", "XX GT"]

# Words that stand for one drawn from a list; others are sent as they are.
DRAWN = {
    "KEY": KEYS,
    "VALUE": VALUES,
    "N": SMALL,
    "FITTING": SMALL[:-1],  # see DEVIATIONS of test_like_redis_strings
    "FLOAT": [*SMALL, "0.1", "-2.75", "3e5", "1e-7", "1e300"],
    "BIT": ["0", "1", "1", "2"],
    "TYPE": WIDTHS,
    "AT": PLACES,
    "EXPIRY": EXPIRIES,
    "UNIT": ["BIT", "BYTE"],
    "CONDITION": CONDITIONS,
    "OVERFLOW": ["", "OVERFLOW SAT", "OVERFLOW FAIL", "OVERFLOW WRAP"],
    "OPERATION": ["AND", "OR", "XOR"],
    "OFFSET": ["0", "1", "3", "20", "-1"],
}
LINES = [
    "SET KEY VALUE", "SET KEY VALUE", "SET KEY N", "SET KEY VALUE EXPIRY",
    "SET KEY VALUE KEEPTTL GET", "GET KEY", "APPEND KEY VALUE", "INCR KEY", "DECR KEY",
    "INCRBY KEY N", "DECRBY KEY N", "INCRBYFLOAT KEY FLOAT", "GETDEL KEY", "GETEX KEY EXPIRY",
    "GETEX KEY PERSIST", "GETSET KEY VALUE", "SETNX KEY VALUE", "MSETNX KEY VALUE KEY VALUE",
    "MSET KEY VALUE KEY VALUE", "SETEX KEY 0 VALUE", "GETRANGE KEY N N",
    "SETRANGE KEY OFFSET VALUE", "STRLEN KEY", "LCS KEY KEY", "LCS KEY KEY IDX WITHMATCHLEN",
    "LCS KEY KEY LEN", "SETBIT KEY AT BIT", "GETBIT KEY AT", "BITCOUNT KEY", "BITCOUNT KEY N N",
    "BITCOUNT KEY N N UNIT", "BITPOS KEY BIT", "BITPOS KEY BIT N", "BITPOS KEY BIT N N",
    "BITPOS KEY BIT N N UNIT", "BITOP OPERATION KEY KEY KEY", "BITOP NOT KEY KEY",
    "BITFIELD KEY GET TYPE AT", "BITFIELD KEY OVERFLOW SET TYPE AT FITTING",
    "BITFIELD KEY OVERFLOW INCRBY TYPE AT N GET TYPE AT",
    "BITFIELD KEY OVERFLOW INCRBY TYPE AT N OVERFLOW SET TYPE AT FITTING INCRBY u8 0 1",
    "BITFIELD_RO KEY GET TYPE AT", "EXPIRE KEY -1 CONDITION", "PEXPIRE KEY 0",
    f"EXPIREAT KEY {FAR} CONDITION", f"PEXPIREAT KEY {FAR + 1}000 CONDITION", "PERSIST KEY",
    "EXPIRETIME KEY", "PEXPIRETIME KEY", "COPY KEY KEY", "COPY KEY KEY REPLACE",
    "COPY KEY KEY DB 1", "MOVE KEY 1", "RENAME KEY KEY", "RENAMENX KEY KEY", "TOUCH KEY KEY",
    "DEL KEY", "EXISTS KEY KEY", "SELECT 1", "SELECT 0",
]  # fmt: skip


def drawn(rng: random.Random) -> list[bytes]:
    """The arguments of a command."""
    args: list[bytes] = []
    for word in rng.choice(LINES).split():
        text = rng.choice(DRAWN[word]) if word in DRAWN else word
        parts = [text] if word == "VALUE" else text.split()
        args += [part.encode("latin-1") for part in parts]
    return args


@pytest.mark.parametrize("seed", range(8))
def test_a_random_conversation_goes_as_with_redis(
    desk: Desk,
    redis: Redis,
    seed: int,
) -> None:
    rng = random.Random(seed)
    desk.now = int(time.time() * 1000)
    for step in range(STEPS):
        args = drawn(rng)
        told = (seed, step, args)
        assert (told, desk.reply(args)) == (told, redis.reply(args))


@pytest.mark.parametrize("seed", range(4))
def test_random_numbers_are_added_as_by_redis(
    desk: Desk,
    redis: Redis,
    seed: int,
) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        digits = rng.randrange(1, 25)
        number = f"{rng.choice(['', '-'])}{rng.randrange(10**digits)}"
        if rng.random() < 0.7:
            number += f".{rng.randrange(10 ** rng.randrange(1, 25))}"
        if rng.random() < 0.3:
            number += f"e{rng.randrange(-30, 30)}"
        if rng.random() < 0.2:
            assert desk.reply([b"SET", b"k", b"0"]) == redis.reply([b"SET", b"k", b"0"])
        args = [b"INCRBYFLOAT", b"k", number.encode()]
        assert (args, desk.reply(args)) == (args, redis.reply(args))


def test_patterns_match_the_keys_that_they_match_in_redis(redis: Redis) -> None:
    rng = random.Random(7)
    keys = {"".join(rng.choices("ab]-^\\*", k=rng.randrange(1, 5))).encode() for _ in range(300)}
    redis.reply([b"MSET", *(word for key in keys for word in (key, b""))])
    for _ in range(1000):
        pattern = "".join(rng.choices("ab*?[]^-\\", k=rng.randrange(1, 8))).encode()
        reply = redis.reply([b"KEYS", pattern])
        found = set(reply.split(b"\r\n")[2::2]) - {b""}
        glob = Glob(pattern)
        assert (pattern, {key for key in keys if glob.matches(key)}) == (pattern, found)
