"""The entries of a file or a pipe, one by one, with where each stands. For `load` and `dump`.

Invariant: nothing is read further ahead than the stream's buffer, and no line is held that is
longer than its bound.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from kveik.cli import dump_csv, dump_lines
from kveik.cli.dump_lines import Entry
from kveik.errors import LimitError, UseError
from kveik.limits import MAX_DUMP_LINE

FORMATS = ("jsonl", "csv")
MARK = b"\xef\xbb\xbf"  # a byte order mark
TAIL = 1 << 16  # bytes of a file's end that are looked at first


class BadLine(UseError):
    """A line that is no entry; the text says where and why. Everything before it is good."""


class Record(NamedTuple):
    """line: its number, from 1; entry: None for an empty line, or CSV's first; end: behind it."""

    line: int
    entry: Entry | None
    end: int


def format_of(path: str, given: str | None) -> str:
    """The format of a file: what was said, or else what its name says."""
    return given or ("csv" if path.lower().endswith(".csv") else "jsonl")


def records(
    file: BinaryIO, name: str, form: str, offset: int = 0, lines: int = 0
) -> Iterator[Record]:
    """The records from an offset on, before which there are so many lines. BadLine, OSError.

    The file is read from its beginning, but for those bytes.
    """
    number = lines
    count = 0
    if form == "csv" and offset:
        count = dump_csv.columns(_without_mark(_logical(file, form), 0))
    if offset:
        file.seek(offset)
    while text := _line_of(file, name, form, number):
        begin, offset = offset, offset + len(text)
        number += 1
        first = number
        number += text.count(b"\n", 0, -1)
        text = _without_mark(text, begin)
        try:
            if form == "csv" and begin == 0:
                count = dump_csv.columns(text)
                entry = None
            elif not text.strip():
                entry = None
            else:
                entry = dump_csv.parse(text, count) if form == "csv" else dump_lines.parse(text)
        except (UseError, TypeError) as error:
            raise BadLine(f"{name}: line {first}: {error}") from None
        yield Record(number, entry, offset)


def _line_of(file: BinaryIO, name: str, form: str, number: int) -> bytes:
    try:
        return _logical(file, form)
    except LimitError as error:
        raise BadLine(f"{name}: line {number + 1}: {error}") from None


def _without_mark(text: bytes, offset: int) -> bytes:
    return text.removeprefix(MARK) if offset == 0 else text


def _logical(file: BinaryIO, form: str) -> bytes:
    """The next line, with its end; in CSV with all line feeds within quotes. Empty at the end."""
    pieces: list[bytes] = []
    size = 0
    quotes = 0
    while True:
        piece = file.readline(MAX_DUMP_LINE + 1 - size)
        pieces.append(piece)
        size += len(piece)
        if size > MAX_DUMP_LINE:
            raise LimitError(f"a line has at most {MAX_DUMP_LINE} bytes")
        if form != "csv" or not piece:
            break
        quotes += piece.count(b'"')
        if quotes % 2 == 0:
            break
    return b"".join(pieces)


# --- what stands in an unfinished dump ---------------------------------------------------------


def last_complete(file: BinaryIO, name: str, form: str) -> tuple[Entry | None, int]:
    """The last entry of a dump that may have broken off, and the offset behind it."""
    return _last_csv(file, name) if form == "csv" else _last_line(file, name)


def _last_line(file: BinaryIO, name: str) -> tuple[Entry | None, int]:
    size = file.seek(0, os.SEEK_END)
    want = min(TAIL, size)
    while True:
        file.seek(size - want)
        tail = file.read(want)
        end = tail.rfind(b"\n") + 1
        start = tail.rfind(b"\n", 0, max(end - 1, 0)) + 1
        if (end and start) or want == size:
            break
        if want > 2 * MAX_DUMP_LINE:
            raise BadLine(f"{name}: its last line is longer than a line of a dump can be")
        want = min(want * 2, size)
    if not end:
        return None, 0
    try:
        return dump_lines.parse(tail[start:end]), size - want + end
    except (UseError, TypeError) as error:
        raise BadLine(f"{name}: its last complete line is no entry of a dump: {error}") from None


def _last_csv(file: BinaryIO, name: str) -> tuple[Entry | None, int]:
    """Read from the beginning: in CSV only that tells which quotes open and which close."""
    file.seek(0)
    last: Entry | None = None
    kept = count = 0
    while text := _logical(file, "csv"):
        if not text.endswith(b"\n") or text.count(b'"') % 2:
            break
        try:
            if count:
                last = dump_csv.parse(text, count)
            else:
                count = dump_csv.columns(_without_mark(text, 0))
        except (UseError, TypeError) as error:
            raise BadLine(f"{name}: offset {kept}: no line of a dump: {error}") from None
        kept += len(text)
    return last, kept
