"""The examples in docs/formats are what the code writes."""

from __future__ import annotations

import re
from pathlib import Path

from kveik.engine.state import State, empty_levels
from kveik.format.block_writer import BlockWriter
from kveik.format.codec import NONE, seal, seed
from kveik.format.coding import BytesWriter
from kveik.format.edit import Edit, encode_edit_record, encode_manifest_head
from kveik.format.entry import TOMBSTONE, encode_value_of
from kveik.format.filter import BITS_PER_KEY, build, hash_keys
from kveik.format.keys import encode_key
from kveik.format.record import RecordWriter, commit_size, encode_mark
from kveik.format.segment import SegmentHead, encode_head
from kveik.format.table import (
    Footer,
    TableInfo,
    encode_footer,
    encode_location,
    encode_partition,
    encode_root,
    table_name,
)
from kveik.model import BYTES, JSON, Cell, Writes

FORMATS = Path(__file__).parents[2] / "docs/formats"
SALT = 0x5EED5A17


def documented_blocks(name: str) -> list[bytes]:
    """Each indented block behind the heading "Example" of a page: rows of hex, or of JSON."""
    text = (FORMATS / name).read_text().partition("## Example")[2].partition("## Known")[0]
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    return [b"".join(map(documented_row, block.splitlines())) for block in blocks]


def documented_row(row: str) -> bytes:
    digits = re.match(r"    ((?:[0-9a-f]{2}(?: |$))+)", row)
    return bytes.fromhex(digits[1]) if digits else row[4:].encode()


def test_the_example_of_the_log_is_what_is_written() -> None:
    head, record, mark = documented_blocks("log.md")
    assert encode_head(SegmentHead(1, 4096, SALT, bytes(range(16)))) == head
    first, second = Writes(), Writes()
    first.put(b"\0hello", Cell(BYTES, b"world"))
    second.put(b"\0k", Cell(JSON, b"1", 1_700_000_000_000))
    second.delete(b"\0x")
    writer = RecordWriter()
    writer.begin(1)
    for writes in (first, second):
        writer.add(writes, commit_size(writes))
    pieces: list[bytes] = []
    writer.finish(pieces, SALT)
    assert b"".join(pieces) == record
    assert encode_mark(2, SALT) == mark


def test_the_example_of_the_manifest_is_what_is_written() -> None:
    head, *edits = documented_blocks("manifest.md")
    table = TableInfo(1, 4321, 20, 1, b"\0hello", b"\0k\0", 4000, 257, 0, 1_700_000_000_000)
    assert encode_manifest_head(SALT, bytes(range(16))) == head
    assert [
        encode_edit_record(1, State(empty_levels()).full(), SALT),
        encode_edit_record(2, Edit([(0, table)], [], log=2, lsn=20, next_table=2), SALT),
        encode_edit_record(3, Edit([(1, table)], [1]), SALT),
    ] == edits


def test_the_examples_of_keys_are_what_is_written() -> None:
    text = (FORMATS / "keys.md").read_text()
    for key in (1, 0.5, -1, ("a", 1)):
        assert f"`{encode_key(key).hex(' ')}`" in text


def sealed(pieces: list[bytes], offset: int) -> bytes:
    assert seal(pieces, NONE, seed(12, offset)) == sum(map(len, pieces))
    return b"".join(pieces)


def index_of(key: bytes, offset: int, size: int) -> bytes:
    writer = BlockWriter()
    writer.add(key, encode_location(offset, size))
    return b"".join(writer.finish())


def test_the_example_of_a_table_is_what_is_written() -> None:
    block, partition, root, footer = documented_blocks("table.md")
    writer = BlockWriter()
    hashes = BytesWriter()
    writer.add(b"\0apple", encode_value_of(Cell(BYTES, b"red")))
    writer.add(b"\0apricot", encode_value_of(Cell(JSON, b"1", 1_700_000_000_000)))
    writer.add(b"\0ax", TOMBSTONE)
    hash_keys(writer.keys, hashes)
    assert sealed(writer.finish(), 0) == block
    index = index_of(b"\0ax\0", 0, len(block))
    pieces = encode_partition(index, build(hashes.getvalue(), BITS_PER_KEY))
    assert sealed(pieces, len(block)) == partition
    index = index_of(b"\0ax\0", len(block), len(partition))
    at = len(block) + len(partition)
    assert sealed(encode_root(index, [(b"\0m", b"\0n")]), at) == root
    assert encode_footer(Footer(12, at, len(root), 3)) == footer
    assert f"`{table_name(12)}`" in (FORMATS / "table.md").read_text()
