"""GETs and SETs that come together are answered together: as if each had come alone."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.stores import contents, reopen
from tests.server.bench import Bench
from tests.support.wire import frame

from kveik.disk.memory import MemoryDisk
from kveik.engine.opening import open_store

MEMORY = 8 << 20  # of which a segment is an eighth
KEYS = ["a", "b", "key:000000000001", "key:000000000002", "x" * 300]
VALUES = ["", "1", "v" * 127, "v" * 128, "v" * 16_384, "v" * 16_385]  # and what is no longer short

Request = tuple[str, ...]

keys = st.sampled_from(KEYS)
values = st.sampled_from(VALUES)
requests = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["SET", "set", "SeT"]), keys, values),
        st.tuples(st.sampled_from(["SET"]), keys, values),
        st.tuples(st.sampled_from(["GET", "get"]), keys),
        st.tuples(st.just("SET"), keys, values, st.just("NX")),
        st.tuples(st.just("APPEND"), keys, st.just("+")),
        st.tuples(st.just("DEL"), keys),
        st.tuples(st.just("SETRANGE"), keys, st.just("no number"), st.just("x")),
    ),
    max_size=90,
)


def answer(held: dict[str, bytes], request: Request) -> bytes:
    """What one request does to a dict, and its reply."""
    name, key, *rest = request
    name = name.upper()
    if name == "GET" or (rest[1:] == ["NX"] and key in held):
        value = held.get(key) if name == "GET" else None
        return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
    if name == "SET":
        held[key] = rest[0].encode()
        return b"+OK\r\n"
    if name == "APPEND":
        held[key] = held.get(key, b"") + b"+"
        return b":%d\r\n" % len(held[key])
    if name == "DEL":
        return b":%d\r\n" % (held.pop(key, None) is not None)
    return b"-ERR value is not an integer or out of range\r\n"


@given(requests, st.lists(st.integers(0, 1 << 20), max_size=3), st.booleans())
@settings(deadline=None)
def test_they_are_answered_as_if_each_had_come_alone(
    sent: list[Request], cuts: list[int], watched: bool
) -> None:
    disk = MemoryDisk()
    bench = Bench(open_store(disk, memory=MEMORY))
    if watched:  # then somebody is to be told of each key
        other, _ = bench.connect()
        other.data_received(frame("WATCH", "a"))
    held: dict[str, bytes] = {}
    expected = b"".join(answer(held, request) for request in sent)
    data = b"".join(frame(*request) for request in sent)
    edges = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    for start, end in pairwise(edges):
        bench.session.data_received(data[start:end])
        bench.loop.turn()
    assert bench.transport.written == expected
    left = contents(reopen(disk.crash()))
    assert left == {key.encode(): value for key, value in held.items()}


@pytest.mark.parametrize("seed", range(3))
def test_a_segment_that_is_full_in_the_midst_of_them_loses_nothing(seed: int) -> None:
    chance = Random(seed)
    disk = MemoryDisk()
    bench = Bench(open_store(disk, memory=MEMORY))
    held: dict[bytes, bytes] = {}
    while bench.store.log is not None and bench.store.log.number() < 4:
        pairs = [(b"key:%d" % chance.randrange(500), chance.randbytes(900)) for _ in range(100)]
        bench.session.data_received(b"".join(frame("SET", *pair) for pair in pairs))
        held.update(pairs)
        bench.loop.turn()
    assert bench.transport.written == b"+OK\r\n" * (len(bench.transport.written) // 5)
    assert contents(bench.store) == held
    assert contents(open_store(disk.crash(), memory=MEMORY)) == held


def test_sets_that_come_together_are_counted_one_by_one() -> None:
    bench = Bench()
    before = bench.store.lsn()
    bench.session.data_received(frame("SET", "k", "v") * 70)
    bench.loop.turn()
    assert bench.store.lsn() - before == 70
    assert bench.server.plain_sets == 70
