"""Filters: a key that is there is never denied, one that is not hardly ever passes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.format.coding import BytesWriter
from kveik.format.filter import (
    BITS_PER_KEY,
    LINE,
    MANY_BITS,
    build,
    hash_key,
    hash_keys,
    may_contain,
)


def filter_of(keys: list[bytes], bits: int = BITS_PER_KEY) -> bytes:
    hashes = BytesWriter()
    hash_keys(keys, hashes)
    return build(hashes.getvalue(), bits)


@given(st.lists(st.binary(min_size=1, max_size=40)))
@settings(deadline=None)
def test_no_key_that_was_put_in_is_denied(keys: list[bytes]) -> None:
    data = filter_of(keys)
    assert all(may_contain(data, hash_key(key)) for key in keys)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_filter_over_no_keys_denies_every_key(hashed: int) -> None:
    assert filter_of([]) == b""
    assert not may_contain(b"", hashed)


@pytest.mark.parametrize("hashed", [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
def test_the_smallest_and_the_largest_hashes_have_their_place(hashed: int) -> None:
    data = build(hashed.to_bytes(4, "little") + bytes(4) * 200, BITS_PER_KEY)
    assert may_contain(data, hashed)


def test_the_hash_is_the_crc_of_the_key() -> None:
    assert hash_key(b"key") == zlib.crc32(b"key")
    hashes = BytesWriter()
    hash_keys([b"key", b"\0"], hashes)
    expected = [zlib.crc32(key).to_bytes(4, "little") for key in (b"key", b"\0")]
    assert hashes.getvalue() == b"".join(expected)


@pytest.mark.parametrize("bits", [BITS_PER_KEY, MANY_BITS])
@pytest.mark.parametrize("count", [1, 39, 40, 4500])
def test_a_filter_is_whole_lines_of_about_so_many_bits_a_key(count: int, bits: int) -> None:
    data = filter_of([b"%d" % number for number in range(count)], bits)
    assert len(data) % LINE == 0
    assert 0 <= 8 * len(data) - count * bits < 8 * LINE


CHANCE = Random(11)
KINDS: dict[str, Callable[[int], bytes]] = {
    "decimal": lambda n: b"\0key:%012d" % n,
    "big-endian": lambda n: b"\0" + n.to_bytes(8, "big"),
    "little-endian": lambda n: b"\0" + n.to_bytes(8, "little"),
    "field": lambda n: b"\0user:%d:name" % n,
    "random": lambda n: CHANCE.randbytes(16),
}


@pytest.mark.parametrize(("bits", "most"), [(BITS_PER_KEY, 0.005), (MANY_BITS, 0.001)])
@pytest.mark.parametrize("kind", KINDS)
def test_at_most_so_many_absent_keys_pass(kind: str, bits: int, most: float) -> None:
    make = KINDS[kind]
    data = filter_of([make(number) for number in range(4500)], bits)
    passed = sum(may_contain(data, hash_key(make(number))) for number in range(4500, 24500))
    assert passed / 20_000 < most
