"""The examples in docs/formats are what the code writes."""

from __future__ import annotations

import re
from pathlib import Path

from kveik.format.keys import encode_key
from kveik.format.record import RecordWriter, commit_size, encode_mark
from kveik.format.segment import SegmentHead, encode_head
from kveik.model import BYTES, JSON, Cell, Writes

FORMATS = Path(__file__).parents[2] / "docs/formats"
SALT = 0x5EED5A17


def documented_blocks() -> list[bytes]:
    """The hex of each indented block behind the heading "Example" of log.md."""
    text = (FORMATS / "log.md").read_text().partition("## Example")[2].partition("## Known")[0]
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    row = re.compile(r"^    ((?:[0-9a-f]{2}(?: |$))+)", re.MULTILINE)
    return [bytes.fromhex("".join(row.findall(block))) for block in blocks]


def test_the_example_of_the_log_is_what_is_written() -> None:
    head, record, mark = documented_blocks()
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


def test_the_examples_of_keys_are_what_is_written() -> None:
    text = (FORMATS / "keys.md").read_text()
    for key in (1, 0.5, -1, ("a", 1)):
        assert f"`{encode_key(key).hex(' ')}`" in text
