"""Jobs, outcomes and errors go over a line and come back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.support.made import flush_job
from tests.engine.support.sources import compact_job

from kveik.errors import (
    CorruptionError,
    DiskFullError,
    KveikError,
    NewerFormatError,
    StorageError,
)
from kveik.format.jobs import (
    CompactJob,
    FlushJob,
    Job,
    Outcome,
    decode_job,
    decode_outcome,
    encode_error,
    encode_job,
    encode_outcome,
)
from kveik.format.table import TableInfo

WHERE = ["number", "size", "low", "high", "root_offset", "root_size"]
WHAT = ["entries", "tombstones", "clears", "expires"]
numbers = st.integers(0, (1 << 62) - 1)
tables = st.builds(
    TableInfo,
    numbers,
    numbers,
    numbers,
    numbers,
    st.binary(max_size=20),
    st.binary(max_size=20),
    numbers,
    numbers,
    numbers,
    numbers,
)


def table(info: TableInfo) -> list[object]:
    return [getattr(info, name) for name in WHERE + WHAT]


def common(job: Job) -> list[object]:
    return [job.token, job.bottom, job.now, job.block_size, job.codec]


@given(st.lists(numbers), numbers, numbers, st.booleans())
def test_a_flush_job_comes_back_the_same(
    segments: list[int], after: int, upto: int, bottom: bool
) -> None:
    job = flush_job(segments, upto, after=after, bottom=bottom, codec=2)
    line = encode_job(job)
    assert line.index(b"\n") == len(line) - 1
    other = decode_job(line)
    assert isinstance(other, FlushJob)
    assert common(other) == common(job)
    assert (other.segments, other.after, other.upto, other.table) == (segments, after, upto, 7)


@given(st.lists(st.lists(tables)), numbers, numbers, st.booleans())
def test_a_compaction_job_comes_back_the_same(
    sources: list[list[TableInfo]], first: int, table_size: int, bottom: bool
) -> None:
    job = compact_job(sources, first=first, table_size=table_size, bottom=bottom, codec=1)
    line = encode_job(job)
    assert line.index(b"\n") == len(line) - 1
    other = decode_job(line)
    assert isinstance(other, CompactJob)
    assert common(other) == common(job)
    assert [[table(i) for i in s] for s in other.sources] == [
        [table(i) for i in s] for s in sources
    ]
    assert (other.first, other.reserved, other.table_size) == (first, 1000, table_size)


@given(st.lists(tables), numbers, numbers)
def test_an_outcome_comes_back_the_same(made: list[TableInfo], read: int, written: int) -> None:
    other = decode_outcome(encode_outcome(Outcome(made, read, written, 1.5)))
    assert [table(info) for info in other.tables] == [table(info) for info in made]
    assert (other.read, other.written, other.seconds) == (read, written, 1.5)


@pytest.mark.parametrize(
    "error",
    [
        CorruptionError("0000000001.tbl", 17, "a checksum: does not match"),
        NewerFormatError("newer"),
        DiskFullError("no room"),
        StorageError("it failed\nin two lines"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_raised_where_the_outcome_was_to_be(error: KveikError) -> None:
    line = encode_error(error)
    assert line.index(b"\n") == len(line) - 1
    with pytest.raises(type(error)) as caught:
        decode_outcome(line)
    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)
    assert vars(error) == vars(caught.value)
