"""Bulk reading of records: what it refuses, and that it refuses what the plain reader refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.format.records import Commit, record_pieces

from kveik.format.gather import Gathered, gather
from kveik.format.record import HEADER, decode_commits
from kveik.model import BYTES, CLEARED, DELETED

COMMITS: list[Commit] = [
    [(b"\x00a", BYTES, b"1", 0)],
    [(b"\x00b", BYTES, b"2", 7), (b"\x00c", DELETED, b"", 0)],
    [(b"\x00d" * 100, BYTES, b"x" * 300, 0), (b"\x00", CLEARED, b"\x00a", 0)],
]
RECORD = b"".join(record_pieces(COMMITS, 1, 0))


def refusal(record: bytes) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        gather(record, 0, len(record), 0, 0, 100, Gathered())
    return str(caught.value)


@given(st.integers(HEADER + 1, len(RECORD) - 1), st.binary(min_size=1, max_size=3))
def test_a_record_with_other_bytes_is_refused_whenever_the_plain_reader_refuses_it(
    at: int, written: bytes
) -> None:
    changed = (RECORD[:at] + written + RECORD[at + len(written) :])[: len(RECORD)]
    try:
        commits = len(decode_commits(changed, 0, len(changed)))
    except ValueError:
        assert refusal(changed)
    else:
        assert gather(changed, 0, len(changed), 0, 0, 100, Gathered()) == commits


@pytest.mark.parametrize("end", range(HEADER, len(RECORD)))
def test_a_record_that_breaks_off_is_refused_or_ends_behind_a_commit(end: int) -> None:
    cut = RECORD[:end]
    try:
        commits = len(decode_commits(cut, 0, end))
    except ValueError:
        assert refusal(cut)
    else:
        assert gather(cut, 0, end, 0, 0, 100, Gathered()) == commits


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "no commit"),
        (b"\x00\x01\x01\x00\x00", "bad entry count"),
        (b"\x01\x01\x01", "a commit breaks off"),
        (b"\x01\x09\x02\x00a\x00", "unknown content type 9"),
        (b"\x01\x01\x00\x00a\x00", "bad key"),
        (b"\x01\x01\x02\x63a\x00", "bad key"),
        (b"\x01\x01\x02\x00a\x09x", "bad data length"),
        (b"\x01\x81\x02\x00a\x00\x00", "an entry breaks off"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused_with_the_reason(payload: bytes, says: str) -> None:
    assert refusal(bytes(HEADER) + b"\x01" + payload) == says


def test_commits_outside_what_is_asked_for_are_counted_and_left_out() -> None:
    into = Gathered()
    assert gather(RECORD, 0, len(RECORD), 0, 1, 2, into) == 3
    assert into.values == {
        b"\x00b": b"\x81\x07" + bytes(7) + b"2",
        b"\x00c": b"\x00",
    }
    assert into.epochs == []
    assert into.special
