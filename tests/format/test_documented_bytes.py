"""The examples in docs/formats are what the code writes."""

from __future__ import annotations

import re
from pathlib import Path

from kveik.engine.state import State, empty_levels
from kveik.format.edit import Edit, encode_edit_record, encode_manifest_head
from kveik.format.keys import encode_key
from kveik.format.record import RecordWriter, commit_size, encode_mark
from kveik.format.segment import SegmentHead, encode_head
from kveik.format.table import TableInfo
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
