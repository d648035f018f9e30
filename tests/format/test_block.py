"""Sorted blocks: what goes in comes back, and is found as in a sorted list."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.format.blocks import KEYS, beside, block_of, payload

from kveik.format.block import Block, compare
from kveik.format.block_writer import INLINE, BlockWriter, common_prefix

ENTRIES = st.dictionaries(KEYS, st.binary(max_size=300), max_size=40)

# --- what goes in comes back --------------------------------------------------------------------


@given(ENTRIES)
@settings(deadline=None)
def test_all_keys_and_values_come_back_in_order(entries: dict[bytes, bytes]) -> None:
    block = block_of(entries)
    keys = sorted(entries)
    values = [entries[key] for key in keys]
    assert (block.count, block.keys(), block.values()) == (len(keys), keys, values)
    places = range(len(keys))
    assert [block.key(at) for at in places] == keys
    assert [block.value(at) for at in places] == values
    assert [block.data[block.start(at) : block.end(at)] for at in places] == values


@given(ENTRIES, st.data())
@settings(deadline=None)
def test_a_part_of_the_entries_is_appended_to_what_is_there(
    entries: dict[bytes, bytes], draw: st.DataObject
) -> None:
    first = draw.draw(st.integers(0, len(entries)))
    last = draw.draw(st.integers(first, len(entries)))
    keys, values = [b"x"], [b"y"]
    block_of(entries).copy(first, last, keys, values)
    expected = sorted(entries)[first:last]
    assert keys == [b"x", *expected]
    assert values == [b"y", *(entries[key] for key in expected)]


def test_a_writer_makes_one_block_after_another() -> None:
    writer = BlockWriter()
    for key in (b"long common key 1", b"a"):
        assert (writer.count, writer.size) == (0, len(payload({})))
        writer.add(key, b"v")
        writer.add(key + b"x", b"w")
        assert Block(b"".join(writer.finish())).keys() == [key, key + b"x"]


@given(ENTRIES)
@settings(deadline=None)
def test_the_size_is_known_before_to_a_few_bytes_a_long_key(entries: dict[bytes, bytes]) -> None:
    writer = BlockWriter()
    for key in sorted(entries):
        writer.add(key, entries[key])
    long = sum(len(key) >= 128 for key in entries)
    size = writer.size
    assert 0 <= len(b"".join(writer.finish())) - size <= 2 * long


def test_a_long_value_is_a_piece_and_not_copied() -> None:
    entries = {b"a": b"1", b"b": bytes(INLINE + 1), b"c": b"3", b"d": bytes(INLINE + 1)}
    writer = BlockWriter()
    keys, values = list(entries), list(entries.values())
    assert writer.fill(keys, values, 0, 1 << 20) == 4
    pieces = writer.finish()
    assert [any(piece is value for piece in pieces) for value in values] == [0, 1, 0, 1]
    block = Block(b"".join(pieces))
    assert (block.keys(), block.values()) == (keys, values)


def test_what_all_keys_begin_with_is_stored_once() -> None:
    common = bytes(1000)
    block = block_of({common + bytes((number,)): b"" for number in range(100)})
    assert block.prefix() == common
    assert len(block.data) < 1000 + 100 * 11


@pytest.mark.parametrize("keys", [[b"b", b"a"], [b"a", b"a"], [b"a", b"b", b"ab"], [b"aa", b"a"]])
def test_keys_that_do_not_ascend_are_refused(keys: list[bytes]) -> None:
    writer = BlockWriter()
    with pytest.raises(ValueError, match="keys must ascend"):
        writer.fill(keys, keys, 0, 1000)
    writer = BlockWriter()
    for key in keys[:-1]:
        writer.add(key, b"")
    with pytest.raises(ValueError, match="keys must ascend"):
        writer.add(keys[-1], b"")


# --- bounds -------------------------------------------------------------------------------------


@given(ENTRIES, st.integers(0, 1000))
@settings(deadline=None)
def test_a_block_is_filled_up_to_its_bound_and_takes_one_entry_at_least(
    entries: dict[bytes, bytes], bound: int
) -> None:
    keys = sorted(entries)
    values = [entries[key] for key in keys]
    writer = BlockWriter()
    at = 0
    found: list[bytes] = []
    while at < len(keys):
        after = writer.fill(keys, values, at, bound)
        assert after > at
        assert writer.count == 1 or writer.size <= bound
        assert writer.fill(keys, values, after, bound) == after
        found += Block(b"".join(writer.finish())).keys()
        at = after
    assert found == keys


def test_a_block_takes_what_fits_from_one_list_after_another() -> None:
    writer = BlockWriter()
    assert writer.fill([b"a", b"b"], [b"1", b"2"], 0, 1000) == 2
    assert writer.fill([b"x", b"c", b"d"], [b"0", b"3", b"4"], 1, 1000) == 3
    assert writer.fill([], [], 0, 1000) == 0
    assert (writer.keys, writer.values) == ([b"a", b"b", b"c", b"d"], [b"1", b"2", b"3", b"4"])


# --- search -------------------------------------------------------------------------------------


@given(ENTRIES, KEYS)
@settings(deadline=None)
@example({b"a\0": b"", b"a\0\0": b"", b"a": b""}, b"a\0\0\0")
@example({b"prefix 1234 5678 9": b"", b"prefix 1234 5678": b""}, b"prefix 1234 567")
def test_a_search_finds_what_a_sorted_list_finds(entries: dict[bytes, bytes], other: bytes) -> None:
    block = block_of(entries)
    keys = sorted(entries)
    for key in {near for one in [*keys[:20], other] for near in beside(one)}:
        assert block.lower_bound(key) == bisect_left(keys, key)
        assert block.upper_bound(key) == bisect_right(keys, key)
        at = bisect_left(keys, key)
        expected = (block.start(at), block.end(at)) if key in entries else (-1, -1)
        assert block.find(key) == expected


@pytest.mark.parametrize("letters", [b"\0\xff", b"abcdefgh", bytes(range(256))])
@pytest.mark.parametrize("longest", [6, 30])
def test_a_search_in_blocks_of_any_size_finds_what_a_sorted_list_finds(
    letters: bytes, longest: int
) -> None:
    """With few letters many entries have the same head."""
    drawn = random.Random(longest)
    for size in [*range(70), 130, 700]:
        lengths = [drawn.randint(1, longest) for _ in range(size)]
        keys = sorted({bytes(drawn.choices(letters, k=length)) for length in lengths})
        block = block_of({key: b"=" + key for key in keys})
        others = [bytes(drawn.choices(letters, k=drawn.randint(0, longest))) for _ in range(20)]
        for key in keys + others:
            assert block.lower_bound(key) == bisect_left(keys, key)
            assert block.upper_bound(key) == bisect_right(keys, key)
            start, end = block.find(key)
            assert block.data[start:end] == (b"=" + key if key in keys else b"")


@given(KEYS, KEYS, st.binary(max_size=9), st.binary(max_size=9))
@settings(deadline=None)
def test_parts_of_bytes_compare_as_their_slices(
    ours: bytes, theirs: bytes, before: bytes, behind: bytes
) -> None:
    data = before + theirs + behind + bytes(8)
    found = compare(data, len(before), len(theirs), behind + ours, len(behind), len(ours))
    assert found == (ours > theirs) - (ours < theirs)


@given(KEYS, KEYS)
@settings(deadline=None)
def test_a_common_prefix_is_as_long_as_it_can_be(first: bytes, second: bytes) -> None:
    size = common_prefix(first, second, len(first))
    assert first[:size] == second[:size]
    assert size == min(len(first), len(second)) or first[size] != second[size]
    assert common_prefix(first, second, size // 2) == size // 2


# --- sizes that do not add up -------------------------------------------------------------------

WHOLE = payload({b"key1": b"v1", b"key2": b"v2"})


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_a_block_that_breaks_off_is_a_value_error(size: int) -> None:
    with pytest.raises(ValueError, match=r"breaks off|do not add up"):
        Block(WHOLE[:size])


@pytest.mark.parametrize("at", [0, 3, 4, 7, 20, 23])  # count, prefix size, the last end
@pytest.mark.parametrize("mask", [1, 0x80])
def test_sizes_that_do_not_add_up_are_a_value_error(at: int, mask: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= mask
    with pytest.raises(ValueError, match="do not add up"):
        Block(bytes(damaged))
