"""Stored blocks: compressed or not, and never taken for what they are not."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.format.codec import (
    NONE,
    TRAILER,
    ZLIB,
    ZSTD,
    compressed_size,
    has_zstd,
    seal,
    seed,
    unseal,
)

START = seed(12, 4096)
CODECS = [NONE, ZLIB, *([ZSTD] if has_zstd() else [])]
PAYLOADS = st.lists(st.binary(max_size=200) | st.builds(bytes, st.integers(0, 5000)), max_size=4)


def stored(payload: bytes, codec: int, start: int = START) -> bytes:
    pieces = [payload]
    seal(pieces, codec, start)
    return b"".join(pieces)


def signed(body: bytes, codec: int) -> bytes:
    """A stored block whose checksum is right, whatever the rest is."""
    data = body + bytes((codec,))
    return data + zlib.crc32(data, START).to_bytes(4, "little")


@given(PAYLOADS, st.sampled_from(CODECS), st.integers(0, 2**31), st.integers(0, 2**40))
@settings(deadline=None)
def test_a_payload_comes_back(pieces: list[bytes], codec: int, number: int, offset: int) -> None:
    payload = b"".join(pieces)
    size = seal(pieces, codec, seed(number, offset))
    data = b"".join(pieces)
    assert len(data) == size
    assert unseal(data, seed(number, offset)) == payload


@pytest.mark.parametrize("codec", CODECS)
def test_a_compressed_block_is_smaller(codec: int) -> None:
    data = stored(bytes(8192), codec)
    assert data[-TRAILER] == codec
    assert (len(data) < 1000) == (codec != NONE)


@pytest.mark.parametrize("codec", CODECS)
def test_what_compressing_does_not_make_smaller_stays_as_it_is(codec: int) -> None:
    payload = bytes(range(256))
    assert stored(payload, codec) == stored(payload, NONE)


@given(st.integers(1, 2**31 - 1), st.integers(0, 2**40), st.integers(1, 2**31 - 1))
@settings(deadline=None)
def test_a_block_of_another_table_or_another_place_is_refused(
    number: int, offset: int, other: int
) -> None:
    data = stored(b"payload", NONE, seed(number, offset))
    for start in (seed(other, offset), seed(number, offset + other)):
        if start != seed(number, offset):
            with pytest.raises(ValueError, match="checksum"):
                unseal(data, start)


def test_neighbouring_tables_and_places_have_different_seeds() -> None:
    starts = {seed(number, offset) for number in range(1, 101) for offset in range(100)}
    assert len(starts) == 100 * 100
    assert all(0 <= start < 2**32 for start in starts)


@pytest.mark.parametrize("codec", CODECS)
def test_every_flipped_byte_is_found(codec: int) -> None:
    data = stored(b"what was written " * 20, codec)
    for at in range(len(data)):
        for mask in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[at] ^= mask
            with pytest.raises(ValueError, match="the checksum of a block does not match"):
                unseal(bytes(damaged), START)


def test_a_block_shorter_than_its_trailer_breaks_off() -> None:
    for size in range(TRAILER):
        with pytest.raises(ValueError, match="a block breaks off"):
            unseal(bytes(size), START)


@pytest.mark.parametrize(
    ("body", "codec", "what"),
    [
        (b"abc", ZLIB, "a compressed block breaks off"),
        (b"\x05\0\0\0not compressed", ZLIB, "cannot be decompressed"),
        (b"\x05\0\0\0" + zlib.compress(b"four"), ZLIB, "has 4 bytes decompressed, not 5"),
        (b"\xff\xff\xff\xff" + zlib.compress(b"four"), ZLIB, "has 4 bytes decompressed, not -1"),
        (b"abcdef", 3, "unknown codec 3"),
    ],
)
def test_a_block_that_makes_no_sense_under_a_right_checksum_is_a_value_error(
    body: bytes, codec: int, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        unseal(signed(body, codec), START)


@pytest.mark.skipif(not has_zstd(), reason="zstandard is not installed")
@pytest.mark.parametrize("body", [b"\x05\0\0\0not compressed", b"\xff\xff\xff\xffabc"])
def test_a_zstd_block_that_makes_no_sense_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be decompressed"):
        unseal(signed(body, ZSTD), START)


@pytest.mark.skipif(has_zstd(), reason="zstandard is installed")
def test_without_zstandard_its_blocks_say_what_to_install() -> None:
    for attempt in (
        lambda: unseal(signed(b"\x05\0\0\0abc", ZSTD), START),
        lambda: stored(b"abc", ZSTD),
    ):
        with pytest.raises(ValueError, match="install zstandard"):
            attempt()


@pytest.mark.parametrize("behind", [b"", b"something else"])
def test_a_compressed_block_tells_its_size_without_an_index(behind: bytes) -> None:
    for codec in (ZLIB, ZSTD) if has_zstd() else (ZLIB,):
        pieces = [b"kveik " * 500]
        size = seal(pieces, codec, 5)
        assert compressed_size(b"".join(pieces) + behind) == size
        assert compressed_size(b"".join(pieces)[: size - 20]) == 0
    assert compressed_size(b"\x00" * 100) == 0
    assert compressed_size(b"\x00\x00\x00\x00\x78\x99\x12") == 0
