"""Plain data <-> pickles: whatever Python's own makes comes back; nothing else is taken."""

from __future__ import annotations

import pickle
import pickletools
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.plain import BOMBS, BROKEN, exploits, int_trap, plain, typed

from kveik.errors import LimitError, UnsafeError
from kveik.format.pickling import dump
from kveik.format.unpickling import load
from kveik.limits import MAX_COLLISIONS, MAX_NESTING, MAX_PICKLE_OBJECTS

TOUCHED = "/tmp/kveik-was-hacked"  # noqa: S108
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
MEMORY = 400 << 20  # bytes that a hostile pickle may take at most, of any size that is sent


@given(st.sampled_from(PROTOCOLS).flatmap(lambda p: st.tuples(st.just(p), plain(p))))
@settings(deadline=None, max_examples=300)
def test_plain_data_survive_python_s_own_pickles(drawn: tuple[int, object]) -> None:
    protocol, value = drawn
    assert typed(load(pickle.dumps(value, protocol))) == typed(value)


@given(plain(5))
@settings(deadline=None, max_examples=200)
def test_python_reads_what_we_write_and_so_do_we(value: object) -> None:
    data = dump(value)
    assert typed(pickle.loads(data)) == typed(value)  # noqa: S301
    assert typed(load(data)) == typed(value)


@given(plain(5))
@settings(deadline=None)
def test_what_python_has_optimized_is_read_too(value: object) -> None:
    assert typed(load(pickletools.optimize(pickle.dumps(value, 4)))) == typed(value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_shared_is_read_at_each_place(protocol: int) -> None:
    one = ["text", 1.5]
    value = {"a": one, "b": one, "c": (one, one), "d": ["text"] * 300}
    assert load(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [4, 5])
def test_large_things_are_read(protocol: int) -> None:
    value = {"text": "x" * 70_000, "bytes": b"y" * 300_000, "many": list(range(70_000))}
    assert load(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("value", [b"bytes", {1}, frozenset((1,))], ids=repr)
def test_old_protocols_need_globals_for_what_they_do_not_know(value: object) -> None:
    with pytest.raises(UnsafeError, match="GLOBAL"):
        load(pickle.dumps(value, 2))


def test_none_of_it_is_written_with_a_global() -> None:
    names = {op.name for op, _, _ in pickletools.genops(dump([{1, 2}, frozenset((3,)), b"", ()]))}
    assert not names & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ"}


@pytest.mark.parametrize("name", exploits(TOUCHED))
def test_what_would_run_is_refused_by_name(name: str) -> None:
    data, opcode = exploits(TOUCHED)[name]
    with pytest.raises(UnsafeError, match=rf"opcode {opcode} is refused"):
        load(data)
    assert not Path(TOUCHED).exists()


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_pickle_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"pickle|list, dict or set|codec|int|float|protocol"):
        load(BROKEN[name])


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_takes_days(name: str) -> None:
    with pytest.raises(ValueError, match=r"at most|more than|no place|more than one value"):
        load(BOMBS[name])


@pytest.mark.parametrize("name", ["empty sets", "marks", "memos", "a long text, often"])
def test_a_bomb_takes_bounded_memory(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"at most|more than"):
            load(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_a_few_keys_of_one_hash_are_nothing_bad() -> None:
    assert len(load(int_trap(MAX_COLLISIONS))) == MAX_COLLISIONS  # type: ignore[arg-type]
    with pytest.raises(LimitError, match="same hash"):
        load(int_trap(MAX_COLLISIONS + 1))


def test_many_keys_of_many_hashes_are_nothing_bad() -> None:
    value = {(x, float(y)): {frozenset((x,))} for x in range(100) for y in range(100)}
    assert load(pickle.dumps(value, 4)) == value


def test_nesting_has_a_bound() -> None:
    value: object = None
    for _ in range(MAX_NESTING):
        value = [value]
    assert load(pickle.dumps(value, 4)) == value
    with pytest.raises(LimitError, match="nested at most"):
        load(pickle.dumps([value], 4))


def test_objects_have_a_bound() -> None:
    some = pickle.dumps([None] * (MAX_PICKLE_OBJECTS // 2), 4)
    assert len(load(some)) == MAX_PICKLE_OBJECTS // 2  # type: ignore[arg-type]
    with pytest.raises(LimitError, match="objects"):
        load(pickle.dumps([None] * (MAX_PICKLE_OBJECTS + 1), 4))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_cut_anywhere_is_a_value_error(protocol: int) -> None:
    value = {
        "cmd": "SET",
        "key": ("a", 1),
        "value": [1.5, None, "x" * 300, {"a": True}, -(1 << 70)],
    }
    data = pickle.dumps(value, protocol)
    for end in range(len(data)):
        with pytest.raises(ValueError, match=r".") as caught:
            load(data[:end])
        assert not isinstance(caught.value, LimitError)


def test_what_is_no_plain_data_is_not_written() -> None:
    with pytest.raises(TypeError, match="bytearray"):
        dump([bytearray()])
