"""Log records made and read with plain lists, for the tests beside this file."""

from __future__ import annotations

from kveik.format.record import RecordWriter, commit_size, decode_commits
from kveik.model import Cell, Writes

Entry = tuple[bytes, int, bytes, int]  # key, kind, data, expiry
Commit = list[Entry]


def writes_of(commit: Commit) -> Writes:
    writes = Writes()
    for key, kind, data, expires in commit:
        writes.put(key, Cell(kind, data, expires))
    return writes


def record_pieces(
    commits: list[Commit], lsn: int, salt: int, writer: RecordWriter | None = None
) -> list[bytes]:
    """One record, as the writer hands it over."""
    writer = writer or RecordWriter()
    writer.begin(lsn)
    for commit in commits:
        writes = writes_of(commit)
        writer.add(writes, commit_size(writes))
    size = writer.size
    pieces: list[bytes] = []
    writer.finish(pieces, salt)
    assert sum(map(len, pieces)) == size
    return pieces


def decoded(data: bytes, at: int, end: int) -> list[Commit]:
    """The commits of the record from `at` to `end`."""
    return [
        [
            (key, cell.kind, cell.data, cell.expires)
            for key, cell in zip(writes.keys, writes.cells, strict=True)
        ]
        for writes in decode_commits(data, at, end)
    ]
