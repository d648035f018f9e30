"""Log records: what is written comes back, and nothing else is taken for a record."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.format.records import Commit, Entry, decoded, record_pieces, writes_of

from kveik.format.record import (
    COMMITS,
    HEADER,
    INLINE_DATA,
    MARK,
    MARK_MAGIC,
    MARK_SIZE,
    RecordWriter,
    commit_size,
    decode_commits,
    encode_mark,
    find_mark,
    record_end,
    record_lsn,
    record_type,
)
from kveik.model import BYTES, CLEARED, DELETED, JSON, PICKLE, TEXT, Cell

SALT = 0xDEADBEEF
DATABASE_BYTES = [bytes((number,)) for number in range(16)]

ENTRIES = st.tuples(
    st.builds(bytes.__add__, st.sampled_from(DATABASE_BYTES), st.binary(max_size=300)),
    st.sampled_from([DELETED, BYTES, TEXT, JSON, PICKLE, CLEARED]),
    st.binary(max_size=300),
    st.sampled_from([0, 1, 1_700_000_000_000, 2**63 - 1]) | st.integers(0, 2**63 - 1),
)
COMMITS_DRAWN = st.lists(st.lists(ENTRIES, min_size=1, max_size=5), min_size=1, max_size=5)
SALTS = st.integers(0, 2**32 - 1)


def record(commits: list[Commit], lsn: int = 1, salt: int = SALT) -> bytes:
    return b"".join(record_pieces(commits, lsn, salt))


def whole(data: bytes) -> list[Commit]:
    """The commits of a record that is all there is."""
    assert record_end(data, 0, SALT) == len(data)
    return decoded(data, 0, len(data))


PUT: Entry = (b"\x00key", BYTES, b"value", 0)
SAMPLE = record([[(b"\x00c", DELETED, b"", 0), (b"\x00a", TEXT, b"b", 1_700_000_000_000)], [PUT]])


# --- what is written comes back -----------------------------------------------------------------


@given(COMMITS_DRAWN, st.integers(1, 2**63 - 1), SALTS, st.binary(max_size=40), st.binary())
@settings(deadline=None)
def test_the_commits_of_a_record_come_back_in_order_wherever_it_stands(
    commits: list[Commit], lsn: int, salt: int, before: bytes, behind: bytes
) -> None:
    own = record(commits, lsn, salt)
    data = before + own + behind
    at = len(before)
    assert record_end(data, at, salt) == at + len(own)
    assert record_type(data, at) == COMMITS
    assert record_lsn(data, at) == lsn
    assert decoded(data, at, at + len(own)) == commits


@given(st.lists(ENTRIES, min_size=1))
@settings(deadline=None)
def test_the_size_of_a_commit_is_known_before_it_is_encoded(commit: Commit) -> None:
    assert commit_size(writes_of(commit)) == len(record([commit])) - HEADER - 1


def test_an_expiry_takes_eight_bytes_and_none_takes_nothing() -> None:
    key, kind, data, _ = PUT
    forever, limited = record([[PUT]]), record([[(key, kind, data, 1)]])
    assert len(limited) == len(forever) + 8


def test_only_the_places_in_use_are_logged() -> None:
    writes = writes_of([PUT, PUT])
    writes.reset()
    writes.put(b"\x00new", Cell(BYTES, b"1"))
    writer = RecordWriter()
    writer.begin(1)
    writer.add(writes, commit_size(writes))
    pieces: list[bytes] = []
    writer.finish(pieces, SALT)
    assert whole(b"".join(pieces)) == [[(b"\x00new", BYTES, b"1", 0)]]


@given(st.lists(COMMITS_DRAWN, max_size=4))
@settings(deadline=None)
def test_a_writer_makes_one_record_after_another(records: list[list[Commit]]) -> None:
    writer = RecordWriter()
    for lsn, commits in enumerate(records, 1):
        assert writer.size == 0
        data = b"".join(record_pieces(commits, lsn, SALT, writer))
        assert (whole(data), record_lsn(data, 0)) == (commits, lsn)


def test_large_data_is_kept_as_a_piece_and_not_copied() -> None:
    large = bytes(INLINE_DATA + 1)
    commits = [[PUT, (b"\x00big", BYTES, large, 0), PUT], [(b"\x00last", BYTES, large, 5)]]
    pieces = record_pieces(commits, 1, SALT)
    assert sum(piece is large for piece in pieces) == 2
    assert whole(b"".join(pieces)) == commits


def test_small_data_is_copied_so_that_a_record_is_few_pieces() -> None:
    small = bytes(INLINE_DATA)
    assert len(record_pieces([[(b"\x00k", BYTES, small, 0)] * 3], 1, SALT)) == 2


# --- nothing else is a record -------------------------------------------------------------------


@given(COMMITS_DRAWN, SALTS, SALTS)
@settings(deadline=None)
def test_a_stale_record_of_another_life_never_validates(
    commits: list[Commit], salt: int, other: int
) -> None:
    data = record(commits, salt=salt)
    assert (record_end(data, 0, other) == len(data)) == (salt == other)


@pytest.mark.parametrize("at", range(len(SAMPLE)))
def test_no_record_survives_a_flipped_byte(at: int) -> None:
    for mask in (0x01, 0x80, 0xFF):
        damaged = bytearray(SAMPLE)
        damaged[at] ^= mask
        assert record_end(bytes(damaged) + bytes(64), 0, SALT) == -1


@pytest.mark.parametrize("size", range(len(SAMPLE)))
def test_a_record_that_breaks_off_is_none(size: int) -> None:
    assert record_end(SAMPLE[:size], 0, SALT) == -1
    assert record_end(SAMPLE[:size] + bytes(len(SAMPLE) - size), 0, SALT) == -1


@pytest.mark.parametrize("salt", [0, 1, SALT, 2**32 - 1])
def test_room_that_was_never_written_holds_no_record(salt: int) -> None:
    assert record_end(bytes(4096), 0, salt) == -1


@given(st.binary(max_size=64), st.integers(0, 64), SALTS)
@settings(deadline=None)
def test_bytes_that_nobody_wrote_are_no_record(data: bytes, at: int, salt: int) -> None:
    assert record_end(data, min(at, len(data)), salt) == -1


@given(st.binary(min_size=HEADER + 1, max_size=200))
@settings(deadline=None)
def test_a_payload_that_makes_no_sense_is_a_value_error(data: bytes) -> None:
    try:
        commits = decode_commits(data, 0, len(data))
    except ValueError:
        return
    assert sum(commit_size(writes) for writes in commits) <= len(data) - HEADER - 1


@given(COMMITS_DRAWN, st.data())
@settings(deadline=None)
def test_a_damaged_payload_is_a_value_error_or_other_commits(
    commits: list[Commit], draw: st.DataObject
) -> None:
    data = bytearray(record(commits))
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(HEADER + 1, len(data) - 1))] = draw.draw(st.integers(0, 255))
    end = draw.draw(st.integers(HEADER + 1, len(data)))
    try:
        found = decoded(bytes(data), 0, end)
    except ValueError:
        return
    assert all(commit for commit in found)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x00",  # a commit of no entries
        b"\x02\x01\x01k\x01v",  # one entry of two
        b"\x01\x01\x05k",  # a key that breaks off
        b"\x01\x81\x01k\x00\x00\x00",  # an expiry that breaks off
        b"\x01\x01\x01k\x05v",  # data that breaks off
        b"\x01\x01\x01k",  # no data
        b"\x01\x01\xff\xff\xff\xff\x7fk",  # a key longer than any record
        b"\x01\x01\x01k\xff\xff\xff\xff\x7fv",  # data longer than any record
        b"\xff\xff\xff\xff\xff\x01",  # a number that does not end
    ],
)
def test_a_commit_that_breaks_off_is_a_value_error(payload: bytes) -> None:
    data = bytes(HEADER) + bytes((COMMITS,)) + payload
    with pytest.raises(ValueError, match=r"breaks off|bad"):
        decode_commits(data, 0, len(data))


# --- marks --------------------------------------------------------------------------------------


def test_a_mark_is_a_record_that_names_what_was_synced() -> None:
    mark = encode_mark(77, SALT)
    assert record_end(mark, 0, SALT) == len(mark) == MARK_SIZE
    assert (record_type(mark, 0), record_lsn(mark, 0)) == (MARK, 77)


def test_a_mark_vouches_for_its_commit_and_all_before_it() -> None:
    data = b"torn" * 5 + encode_mark(77, SALT) + bytes(8)
    assert find_mark(data, 0, SALT, 76) == 20
    assert find_mark(data, 0, SALT, 77) == 20
    assert find_mark(data, 0, SALT, 78) == -1


def test_a_mark_is_found_behind_one_that_vouches_for_less() -> None:
    data = encode_mark(1, SALT) + SAMPLE + encode_mark(3, SALT)
    assert find_mark(data, 0, SALT, 3) == MARK_SIZE + len(SAMPLE)


def test_a_mark_before_the_place_asked_about_does_not_count() -> None:
    data = encode_mark(9, SALT) + bytes(8)
    assert find_mark(data, 1, SALT, 1) == -1


def test_a_mark_of_another_life_vouches_for_nothing() -> None:
    assert find_mark(encode_mark(77, SALT ^ 1), 0, SALT, 1) == -1


def test_a_value_that_looks_like_a_mark_vouches_for_nothing() -> None:
    data = record([[(b"\x00k", BYTES, MARK_MAGIC * 3, 0)]], lsn=77)
    assert find_mark(MARK_MAGIC + data, 0, SALT, 1) == -1


@pytest.mark.parametrize("at", range(MARK_SIZE))
def test_a_damaged_mark_vouches_for_nothing(at: int) -> None:
    damaged = bytearray(encode_mark(77, SALT))
    damaged[at] ^= 0x10
    assert find_mark(bytes(damaged), 0, SALT, 1) == -1
