"""Keys and blocks for tests."""

from __future__ import annotations

from hypothesis import strategies as st

from kveik.format.block import Block
from kveik.format.block_writer import BlockWriter
from kveik.limits import MAX_KEY

# Keys that share much, differ late, end early, hold zeros and tops, or are as long as keys get.
PARTS = st.sampled_from([b"", b"\0", b"\xff", b"user:", b"\0\0\0\0\0", b"\xff" * 9, b"a" * 130])
KEYS = (
    st.binary(min_size=1, max_size=12)
    | st.builds(bytes.__add__, PARTS, st.binary(min_size=1, max_size=4))
    | st.builds(bytes.__mul__, st.sampled_from([b"\0", b"k", b"\xff"]), st.integers(1, MAX_KEY))
)


def payload(entries: dict[bytes, bytes]) -> bytes:
    writer = BlockWriter()
    for key in sorted(entries):
        writer.add(key, entries[key])
    return b"".join(writer.finish())


def block_of(entries: dict[bytes, bytes]) -> Block:
    return Block(payload(entries))


def beside(key: bytes) -> list[bytes]:
    """The key, and keys next to it."""
    return [key, key[:-1], key + b"\0", key[:-1] + bytes((key[-1] ^ 1,)), key + b"\xff" * 9]
