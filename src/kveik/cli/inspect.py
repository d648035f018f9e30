"""`kveik inspect`: what stands in a directory, a manifest, a log segment or a table.

Reads damaged files as far as they go and says where they stop. What a file is shows in its first
bytes, or its last; where those are damaged, in its name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from kveik.cli import inspect_directory, inspect_log, inspect_manifest, inspect_table
from kveik.cli.line import Line, Look
from kveik.disk.posix import PosixDisk
from kveik.errors import KveikError, NotKveikError
from kveik.format import edit, identity, segment, table

GOOD, DAMAGED, UNREADABLE = 0, 1, 2


class Kind(NamedTuple):
    """A kind of file: what it begins with, or (a table) what its footer begins with."""

    magic: bytes
    look: Look


KINDS = (
    Kind(edit.MAGIC, inspect_manifest.lines),
    Kind(segment.MAGIC, inspect_log.lines),
    Kind(table.MAGIC, inspect_table.lines),
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "inspect",
        help="show what stands in a directory, a manifest, a log segment or a table",
        description="Show a database's directory as a whole, or one of its files: one line an edit "
        "(MANIFEST), a record (*.log) or a block (*.tbl). Keys are shown as DATABASE:KEY, as text "
        "where they are UTF-8 and otherwise as hex. Damaged files are read as far as they go.",
        epilog="Exit code: 0, 1 where damage was seen, 2 where nothing could be read. This is no "
        "check: `kveik check` verifies all there is.",
    )
    add = parser.add_argument
    add("path", metavar="PATH", help="a directory, or one of its files")
    add("--keys", action="store_true", help="one line more for each entry, with its key")
    add("--values", action="store_true", help="the same, with its value, shortened")
    add(
        "--limit",
        type=_limit,
        default=0,
        metavar="N",
        help="stop after so many edits, records or blocks, or entries where they are shown",
    )
    add("--json", action="store_true", help="one JSON object a line for machines; keys as hex")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    try:
        return _print(_lines(options), options)
    except (KveikError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"kveik inspect: {error}", file=sys.stderr)
        return UNREADABLE


def _lines(options: argparse.Namespace) -> Iterator[Line]:
    path = options.path
    if os.path.isdir(path):
        return inspect_directory.lines(path)
    folder, name = os.path.split(os.path.abspath(path))
    disk = PosixDisk(folder, create=False, read_only=True)
    return _look(disk, name, path)(disk, name, options.keys or options.values, options.values)


def _look(disk: PosixDisk, name: str, path: str) -> Look:
    if name == identity.NAME:
        return inspect_directory.identity_lines
    file = disk.open(name)
    size = file.size()
    begins = file.read(0, 8)
    ends = file.read(max(size - table.FOOTER_SIZE, 0), 8)
    file.close()
    for kind in KINDS:
        if kind.magic in (begins, ends):
            return kind.look
    if name == edit.NAME:
        return inspect_manifest.lines
    if segment.segment_number(name):
        return inspect_log.lines
    if table.table_number(name):
        return inspect_table.lines
    raise NotKveikError(f"{path} is no file of Kveik's: neither manifest, log segment nor table")


def _print(lines: Iterator[Line], options: argparse.Namespace) -> int:
    shown = 0
    code = GOOD
    for line in lines:
        if line.damaged:
            code = DAMAGED
        if line.counts:
            if options.limit and shown == options.limit:
                if not options.json:
                    print(f"... (the first {options.limit} only)")
                break
            shown += 1
        if options.json:
            print(json.dumps({"what": line.what, **line.fields}))
        else:
            print(line.text)
    return code


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no limit: a number from 1 on")
    return int(text)
