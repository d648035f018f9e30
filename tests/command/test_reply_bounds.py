"""A reply has a bound: what asks for more is refused before it is put together."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.command.desk import Desk

from kveik.command import kvdb, ranges, strings
from kveik.command.job import Job
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_REPLY
from kveik.model import BYTES

MIB = bytes(1 << 20)
KEYS = [b"%04d" % number for number in range((MAX_REPLY >> 20) + 1)]
RANGE = {"start_key": "0", "end_key": "9"}

ASKS: dict[str, Callable[[Transaction], object]] = {
    "KV.RANGE": lambda txn: ranges.kv_range(txn, [b"KV.RANGE", b"-", b"+"]),
    "KV.RANGE REV": lambda txn: ranges.kv_range(txn, [b"KV.RANGE", b"+", b"-", b"REV"]),
    "MGET": lambda txn: strings.mget(txn, [b"MGET", *KEYS]),
    "MGET of one key": lambda txn: strings.mget(txn, [b"MGET", *[KEYS[0]] * len(KEYS)]),
    "read_key_range": lambda txn: kvdb.read_key_range(txn, dict(RANGE)),
}


def answer(desk: Desk, name: str) -> object:
    reply = ASKS[name](desk.txn)
    if not isinstance(reply, Job):
        return reply
    while reply.step():
        pass
    return reply.reply()


@pytest.mark.parametrize("name", ASKS)
def test_a_reply_past_its_bound_is_refused(desk: Desk, name: str) -> None:
    desk.txn.begin(0)
    for key in KEYS:
        desk.txn.put(key, BYTES, MIB)  # one object: little memory is needed to ask for much
    with pytest.raises(CommandError, match=f"more than {MAX_REPLY} bytes"):
        answer(desk, name)


@pytest.mark.parametrize("name", ASKS)
def test_a_reply_within_its_bound_is_given(desk: Desk, name: str) -> None:
    half = MIB[: 1 << 19]
    desk.txn.begin(0)
    for key in KEYS:
        desk.txn.put(key, BYTES, half)
    assert answer(desk, name)
