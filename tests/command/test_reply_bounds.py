"""A reply has a bound: what asks for more is refused before it is put together."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.command.desk import Desk

from kveik.command import kvdb, ranges, strings
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_REPLY
from kveik.model import BYTES

MIB = b"v" * (1 << 20)
KEYS = [b"%04d" % number for number in range((MAX_REPLY >> 20) + 1)]


def gathered(txn: Transaction) -> object:
    """As a job gathers it, which has no part in what is not committed."""
    gather = kvdb.JsonGather()
    rows = txn.scan(b"0", b"9")
    gather.add(rows)
    return gather.reply()


ASKS: dict[str, Callable[[Transaction], object]] = {
    "KV.RANGE": lambda txn: ranges.kv_range(txn, [b"KV.RANGE", b"-", b"+"]),
    "KV.RANGE REV": lambda txn: ranges.kv_range(txn, [b"KV.RANGE", b"+", b"-", b"REV"]),
    "MGET": lambda txn: strings.mget(txn, [b"MGET", *KEYS]),
    "MGET of one key": lambda txn: strings.mget(txn, [b"MGET", *[KEYS[0]] * len(KEYS)]),
    "read_key_range": lambda txn: gathered(txn),
}


@pytest.mark.parametrize("name", ASKS)
def test_a_reply_past_its_bound_is_refused(desk: Desk, name: str) -> None:
    desk.txn.begin(0)
    for key in KEYS:
        desk.txn.put(key, BYTES, MIB)  # one object: little memory is needed to ask for much
    with pytest.raises(CommandError, match=f"more than {MAX_REPLY} bytes"):
        ASKS[name](desk.txn)


@pytest.mark.parametrize("name", ASKS)
def test_a_reply_within_its_bound_is_given(desk: Desk, name: str) -> None:
    half = MIB[: 1 << 19]
    desk.txn.begin(0)
    for key in KEYS:
        desk.txn.put(key, BYTES, half)
    assert ASKS[name](desk.txn)
