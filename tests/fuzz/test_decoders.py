"""Mutated bytes into every decoder: the documented error or a value, in bounded time and memory.

KVEIK_FUZZ_SECONDS is the time for each (0.7), KVEIK_FUZZ_SEED repeats a run.
"""

from __future__ import annotations

import json
import pickle
import tracemalloc
import zlib
from random import Random

import pytest
from tests.fuzz.mutation import fuzz

from kveik.disk.memory import MemoryDisk
from kveik.engine.builder import TableBuilder
from kveik.engine.table import Partition, Root
from kveik.errors import CommandError, KveikError, ProtocolError
from kveik.format import codec, entry, filter, jobs, segment, table, values
from kveik.format.block import Block
from kveik.format.block_writer import BlockWriter
from kveik.format.edit import (
    Edit,
    decode_edit,
    decode_manifest_head,
    edit_of,
    encode_edit,
    encode_edit_record,
    encode_manifest_head,
    find_edit,
)
from kveik.format.gather import Gathered, gather
from kveik.format.identity import decode_identity, encode_identity
from kveik.format.keys import decode_key, encode_key
from kveik.format.pickling import dump
from kveik.format.record import (
    HEADER,
    RecordWriter,
    commit_size,
    decode_commits,
    encode_mark,
    find_mark,
    record_end,
    record_lsn,
    record_size,
    record_type,
)
from kveik.format.unpickling import load
from kveik.model import BYTES, JSON, TEXT, Cell, Writes
from kveik.wire.detect import detect
from kveik.wire.framed import FrameDecoder
from kveik.wire.framed import decode_request as decode_message
from kveik.wire.inline import split_line
from kveik.wire.jsonlines import decode_request
from kveik.wire.lines import LineDecoder
from kveik.wire.resp import RequestDecoder
from kveik.wire.text import decode_request as decode_words
from kveik.wire.text import decode_value, encode_answer, unquoted

pytestmark = pytest.mark.slow

SALT = 0x1234
NUMBER = 7
ID = bytes(range(16))
ENDING = "ab"
KEYS = [b"\x00" + b"key%03d" % number for number in range(40)]
VALUES = [bytes((1 + number % 3,)) + b"value" * (number % 9) for number in range(40)]


def block(keys: list[bytes], values: list[bytes]) -> bytes:
    writer = BlockWriter()
    for key, value in zip(keys, values, strict=True):
        writer.add(key, value)
    return b"".join(writer.finish())


def sealed(data: bytes) -> bytes:
    """A stored block whose checksum is right, whatever stands in it: data is body and codec."""
    return data + zlib.crc32(data, codec.seed(NUMBER, 0)).to_bytes(4, "little")


def a_table() -> tuple[bytes, table.TableInfo]:
    disk = MemoryDisk()
    builder = TableBuilder(disk.create("t"), NUMBER, block_size=256)
    builder.add_many(KEYS, VALUES)
    builder.clears = [(b"\x00a", b"\x00b"), (b"\x00x", b"\x00y")]
    info = builder.finish()
    file = disk.open("t")
    return file.read(0, file.size()), info


TABLE, INFO = a_table()
BLOCKS = [
    block(KEYS, VALUES),
    block(KEYS[:1], VALUES[:1]),
    block([b"\x00" + b"k" * 300], [b"\x00"]),
]
ROOT = TABLE[INFO.root_offset : INFO.root_offset + INFO.root_size - codec.TRAILER]
PARTITION_AT = table.block_offset(Root(ROOT), 0)
PARTITION = TABLE[PARTITION_AT : PARTITION_AT + table.block_size(Root(ROOT), 0) - codec.TRAILER]


# --- tables -------------------------------------------------------------------------------------


def test_a_block_with_impossible_sizes_is_a_value_error() -> None:
    assert fuzz(Block, BLOCKS, (ValueError,)) > 0


def test_a_block_that_lies_within_does_not_hang_or_crash() -> None:
    """Its checksum has been verified, so it need not say what is wrong with it."""

    def look(data: bytes) -> None:
        found = Block(data)
        for key in (b"", KEYS[7], b"\x00kez", b"\xff" * 300):
            found.find(key)
            found.lower_bound(key)
            found.upper_bound(key)
        found.keys()
        found.values()

    fuzz(look, BLOCKS, (ValueError, IndexError, OverflowError))


def test_partitions_roots_and_footers_are_value_errors() -> None:
    assert fuzz(table.decode_partition, [PARTITION], (ValueError,)) > 0
    assert fuzz(table.decode_root, [ROOT], (ValueError,)) > 0
    fuzz(Partition, [PARTITION], (ValueError,))
    fuzz(Root, [ROOT], (ValueError,))
    footer = table.encode_footer(table.Footer(NUMBER, 100, 20, 3))
    fuzz(table.decode_footer, [footer], (ValueError,))


def test_a_filter_of_any_bytes_has_an_answer() -> None:
    hashes = [filter.hash_key(key) for key in KEYS]
    fuzz(lambda data: [filter.may_contain(data, hashed) for hashed in hashes], [PARTITION], ())


@pytest.mark.parametrize("kind", [codec.NONE, codec.ZLIB, codec.ZSTD])
def test_a_stored_block_is_a_value_error_or_as_long_as_it_says(kind: int) -> None:
    if kind == codec.ZSTD and not codec.has_zstd():
        pytest.skip("zstandard is not installed")
    pieces = [BLOCKS[0] * 3]
    codec.seal(pieces, kind, codec.seed(NUMBER, 0))
    stored = b"".join(pieces)
    fuzz(lambda data: codec.unseal(data, codec.seed(NUMBER, 0)), [stored], (ValueError,))

    def under_a_good_checksum(data: bytes) -> None:
        payload = codec.unseal(sealed(data), codec.seed(NUMBER, 0))
        assert len(payload) < 1 << 20

    fuzz(under_a_good_checksum, [stored[:-4]], (ValueError,))


@pytest.mark.parametrize("kind", [codec.ZLIB, codec.ZSTD])
@pytest.mark.parametrize("claimed", [100, -1, (1 << 31) - 1])
def test_a_stored_block_that_lies_about_its_size_takes_no_more_than_it_holds(
    claimed: int, kind: int
) -> None:
    if kind == codec.ZSTD:
        compress = pytest.importorskip("zstandard").ZstdCompressor().compress
    else:
        compress = zlib.compress
    body = compress(bytes(1 << 23)) if claimed == 100 else compress(b"short")
    stored = sealed(claimed.to_bytes(4, "little", signed=True) + body + bytes((kind,)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"bytes decompressed"):
            codec.unseal(stored, codec.seed(NUMBER, 0))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_stored_value_is_a_value_error() -> None:
    samples = [b"\x01plain", b"\x00", b"\x82" + bytes(8) + b"expires", b"\x8f" + b"\xff" * 9]
    fuzz(lambda data: entry.decode_cell(data, 0, len(data)), samples, (ValueError,))


# --- the log and the manifest -------------------------------------------------------------------


def commits() -> bytes:
    """A record with three commits of all kinds of entries."""
    record = RecordWriter()
    record.begin(5)
    for number in range(3):
        writes = Writes()
        writes.put(b"\x00plain%d" % number, Cell(BYTES, b"value"))
        writes.put(b"\x01" + b"k" * 200, Cell(TEXT, b"v" * 300, 1000 + number))
        writes.delete(b"\x02gone")
        writes.clear(b"\x00a", b"\x00b")
        record.add(writes, commit_size(writes))
    pieces: list[bytes] = []
    record.finish(pieces, SALT)
    return b"".join(pieces)


def resealed(data: bytes) -> bytes:
    """The bytes as a record whose length and checksum are right."""
    body = data[HEADER:] or b"\x01"
    head = len(body).to_bytes(4, "little") + data[8:HEADER].ljust(8, b"\x00")
    rest = head + body
    return zlib.crc32(rest, SALT).to_bytes(4, "little") + rest


def test_records_are_valid_or_not_and_nothing_else() -> None:
    def read(data: bytes) -> None:
        for at in (0, len(data) // 2, len(data)):
            end = record_end(data, at, SALT)
            assert end <= len(data)
            record_size(data, at)
            if end > 0:
                record_type(data, at)
                record_lsn(data, at)
        find_mark(data, 0, SALT, 1)
        find_edit(data, 0, SALT, 1)

    fuzz(read, [commits() + encode_mark(9, SALT), encode_edit_record(1, edit(), SALT)], ())


def test_commits_under_a_good_checksum_are_a_value_error_for_recovery_and_flush_alike() -> None:
    def read(data: bytes) -> None:
        record = resealed(data)
        end = record_end(record, 0, SALT)
        assert end == len(record)
        into = Gathered()
        try:
            found = decode_commits(record, 0, end)
        except ValueError:
            with pytest.raises(ValueError, match=r"."):
                gather(record, 0, end, 0, 0, 1 << 40, into)
            raise
        assert gather(record, 0, end, 0, 0, 1 << 40, into) == len(found)

    assert fuzz(read, [commits()], (ValueError,)) > 0


def edit() -> Edit:
    info = table.TableInfo(3, 900, 5, 1, b"\x00a", b"\x00z", 700, 60, 1, 12345)
    return Edit([(0, info), (2, info)], [1, 2], 4, 99, 6)


def test_edits_are_a_value_error() -> None:
    assert fuzz(decode_edit, [encode_edit(edit()), b"{}"], (ValueError,)) > 0

    def in_a_record(data: bytes) -> None:
        record = resealed(data)
        edit_of(record, 0, len(record))

    fuzz(in_a_record, [encode_edit_record(1, edit(), SALT)], (ValueError,))


def test_heads_and_identities_are_a_value_error() -> None:
    head = segment.encode_head(segment.SegmentHead(3, 4096, SALT, ID))
    fuzz(segment.decode_head, [head], (ValueError,))
    fuzz(decode_manifest_head, [encode_manifest_head(SALT, ID)], (ValueError,))
    fuzz(decode_identity, [encode_identity(ID), b"kveik 1\nid " + b"0" * 32 + b"\n"], (ValueError,))


def test_names_of_files_are_numbers_or_none() -> None:
    def read(data: bytes) -> None:
        name = data.decode("utf-8", "replace")
        for number, back in (
            (segment.segment_number(name), segment.segment_name),
            (table.table_number(name), table.table_name),
        ):
            assert number == 0 or back(number) == name

    fuzz(read, [b"0000000012.log", b"0000000012.tbl", "\u0660\u0660.log".encode()], ())


# --- keys and values ----------------------------------------------------------------------------


def test_any_bytes_are_a_key_that_is_written_as_it_was_read() -> None:
    keys: list[object] = [
        (1, "a", b"\x00b", None, True, (2.5, -3)),
        -(1 << 900),
        1.5e300,
        float("inf"),
        "text",
        ((((1,),),),),
    ]

    def read(data: bytes) -> None:
        key = decode_key(data)
        if data:
            assert encode_key(key) == data

    assert fuzz(read, [encode_key(key) for key in keys], ()) > 0


def test_values_are_a_value_error() -> None:
    sample = b'{"a": [1, 2.5, "text", null]}'
    fuzz(lambda data: values.decode_value(BYTES, data), [sample], ())
    fuzz(lambda data: values.decode_value(TEXT, data), [sample], (ValueError,))
    fuzz(lambda data: values.decode_value(JSON, data), [sample], (ValueError, RecursionError))


def test_lines_between_a_lane_and_its_worker_harm_nobody() -> None:
    """Nobody else writes them, so whatever is said of a bad one will do."""
    flush = jobs.FlushJob([1, 2], 3, 9, 4, token=ENDING, bottom=True, now=5, block_size=9, codec=0)
    compact = jobs.CompactJob(
        [[INFO]], 3, 9, 4, token=ENDING, bottom=True, now=5, block_size=9, codec=0
    )
    samples = [jobs.encode_job(flush), jobs.encode_job(compact)]
    allowed = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
    fuzz(jobs.decode_job, samples, allowed)
    outcome = jobs.encode_outcome(jobs.Outcome([INFO], 1, 2, 0.5))
    fuzz(jobs.decode_outcome, [outcome], (*allowed, KveikError))


# --- what peers send ----------------------------------------------------------------------------

REQUESTS = [
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*1\r\n$4\r\nPING\r\n",
    b"GET k\r\n*-1\r\n*0\r\nPING\n",
    b"*2\r\n$4\r\nECHO\r\n$20000\r\n" + b"x" * 20000 + b"\r\n",
]


def requests_of(pieces: list[bytes], found: list[list[bytes]]) -> None:
    """Append the whole requests; ProtocolError where the framing is lost."""
    decoder = RequestDecoder()
    for piece in pieces:
        decoder.feed(piece)
        request = decoder.next()
        while request is not None:
            found.append(request)
            request = decoder.next()


def cut(data: bytes) -> list[bytes]:
    random = Random(data)
    pieces = []
    while data:
        size = random.choice([1, 2, 5, 50, 5000])
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def test_requests_are_a_protocol_error_however_they_are_cut() -> None:
    def read(data: bytes) -> None:
        whole: list[list[bytes]] = []
        parts: list[list[bytes]] = []
        detect(data)
        try:
            requests_of([data], whole)
        except ProtocolError:
            with pytest.raises(ProtocolError):
                requests_of(cut(data), parts)
            assert parts == whole
            raise
        requests_of(cut(data), parts)
        assert parts == whole

    assert fuzz(read, REQUESTS, (ProtocolError,)) > 0


LINES = [
    json.dumps({"command": "put", "key": "k", "value": [1, {"a": None}]}).encode() + b"\n",
    b'\n  {"command": "read", "key": "k"}\r\n{"command": "x"}\n',
]


def lines_of(pieces: list[bytes]) -> list[bytes]:
    decoder = LineDecoder()
    found: list[bytes] = []
    for piece in pieces:
        decoder.feed(piece)
        line = decoder.next()
        while line is not None:
            found.append(line)
            line = decoder.next()
    return found


def test_json_lines_are_a_command_error_however_they_are_cut() -> None:
    def read(data: bytes) -> None:
        whole = lines_of([data])
        assert lines_of(cut(data)) == whole
        for line in whole:
            decode_request(line)

    assert fuzz(read, LINES, (CommandError,)) > 0


PLAIN = [
    {"cmd": "SET", "key": ("a", 1), "value": [1.5, None, True, "x" * 300, -(1 << 70), {"a": ()}]},
    {"cmd": "BULKSET", "items": [("k", {1, 2}), ("l", frozenset((b"x", 3)))]},
]
PICKLES = [pickle.dumps(value, protocol) for value in PLAIN for protocol in range(4, 6)]
PICKLES += [pickle.dumps(PLAIN[0], protocol) for protocol in range(4)]


def test_pickles_are_a_value_error_and_what_is_read_can_be_written() -> None:
    def read(data: bytes) -> None:
        value = load(data)
        dump(value)

    assert fuzz(read, PICKLES, (ValueError,)) > 0


def messages_of(pieces: list[bytes]) -> list[bytes | str]:
    decoder = FrameDecoder()
    found: list[bytes | str] = []
    for piece in pieces:
        decoder.feed(piece)
        message: bytes | str | None = b""
        while message is not None:
            try:
                message = decoder.next()
            except CommandError as error:
                message = str(error)
            if message is not None:
                found.append(message)
    return found


def test_messages_are_the_same_however_they_are_cut() -> None:
    def read(data: bytes) -> None:
        whole = messages_of([data])
        assert messages_of(cut(data)) == whole
        for message in whole:
            if isinstance(message, bytes):
                decode_message(message)

    samples = [b"".join(len(data).to_bytes(4, "big") + data for data in PICKLES)]
    assert fuzz(read, samples, (CommandError,)) >= 0


def test_lines_of_the_text_protocol_are_answered() -> None:
    def read(data: bytes) -> None:
        for line in lines_of([data]):
            words = decode_words(line)
            if len(words) == 3:
                value = decode_value(unquoted(words[2]))
                try:
                    kind, stored = values.encode_json_value(value)
                except ValueError:
                    kind, stored = values.encode_json_value(unquoted(words[2]))
                assert json.loads(encode_answer(Cell(kind, stored)))["status"] == "OK"

    samples = [b'SET k "{"a": [1, true]}"\r\nGET k\nPING\n', b"\xff\xfb\x1fset k 'two words'\n"]
    assert fuzz(read, samples, (CommandError, ProtocolError)) > 0


def test_inline_commands_are_a_protocol_error() -> None:
    samples = [b"SET k \"a \\x00\\n b\" 'it\\'s'", b"PING"]
    assert fuzz(split_line, samples, (ProtocolError,)) > 0
