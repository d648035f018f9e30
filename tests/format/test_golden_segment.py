"""A segment that an earlier Kveik wrote: today's reads it, and would write it the same.

The file is part of the format's promise. KVEIK_REGENERATE=1 writes it anew, for a format that has
never been released; otherwise a change that needs it is a new version of the format.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.format.records import Commit, decoded, record_pieces

from kveik.format.record import COMMITS, MARK, encode_mark, record_end, record_lsn, record_type
from kveik.format.segment import HEAD_SIZE, SegmentHead, decode_head, encode_head
from kveik.model import BYTES, CLEARED, DELETED, JSON, PICKLE, TEXT

GOLDEN = Path(__file__).parent / "golden" / "segment-v1.log"
SIZE = 4096
SALT = 0x5EED5EED
ID = bytes.fromhex("00112233445566778899aabbccddeeff")

# Records: the commits of one, or the LSN of a mark.
RECORDS: list[list[Commit] | int] = [
    [[(b"\x00bytes", BYTES, b"\x00\xff\r\n", 0)]],
    1,
    [
        [(b"\x00text", TEXT, "kveik \u00e6\u00f8\u00e5".encode(), 0)],
        [
            (b"\x00json", JSON, b'{"a":[1,2.5,null]}', 0),
            (b"\x0fpickle", PICKLE, b"\x80\x04N.", 0),
            (b"\x00bytes", DELETED, b"", 0),
        ],
    ],
    [[(b"\x01session", BYTES, b"soon", 1), (b"\x01token", TEXT, b"late", 2**63 - 1)]],
    3,
    [[(b"\x00", CLEARED, b"\x01", 0), (b"\x00after", BYTES, b"", 0)]],
    [[(b"\x00" + b"k" * 128, BYTES, b"v" * 1500, 1_700_000_000_000)]],  # lengths of two bytes
    6,
]


def records() -> list[bytes]:
    """Each of RECORDS as bytes."""
    encoded: list[bytes] = []
    lsn = 1
    for content in RECORDS:
        if isinstance(content, int):
            encoded.append(encode_mark(content, SALT))
        else:
            encoded.extend(record_pieces(content, lsn, SALT))
            lsn += len(content)
    return encoded


def segment() -> bytes:
    """The whole file."""
    written = encode_head(SegmentHead(7, SIZE, SALT, ID)) + b"".join(records())
    return written + bytes(SIZE - len(written))


@pytest.fixture(scope="module")
def golden() -> bytes:
    if os.environ.get("KVEIK_REGENERATE"):
        GOLDEN.write_bytes(segment())
    return GOLDEN.read_bytes()


def test_the_golden_segments_head_is_read(golden: bytes) -> None:
    head = decode_head(golden)
    assert (head.version, head.number, head.size) == (1, 7, SIZE)
    assert (head.salt, head.database_id) == (SALT, ID)


def test_the_golden_segments_records_are_read(golden: bytes) -> None:
    at, lsn = HEAD_SIZE, 1
    for content in RECORDS:
        end = record_end(golden, at, SALT)
        if isinstance(content, int):
            assert (record_type(golden, at), record_lsn(golden, at)) == (MARK, content)
        else:
            assert (record_type(golden, at), record_lsn(golden, at)) == (COMMITS, lsn)
            assert decoded(golden, at, end) == content
            lsn += len(content)
        at = end
    assert record_end(golden, at, SALT) == -1
    assert not golden[at:].strip(b"\x00")


def test_the_golden_segment_would_be_written_the_same_byte_for_byte(golden: bytes) -> None:
    assert golden.hex(" ", 16) == segment().hex(" ", 16)
