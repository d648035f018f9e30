"""`kveik dump`: the entries of a server or a directory as lines, in key order.

Invariant: a file that an interrupted dump leaves is whole up to its last complete line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from kveik.cli.show_range import bounds
from kveik.cli.target import HELP, Target, open_target
from kveik.errors import UseError

OPEN = os.O_RDWR | os.O_CLOEXEC


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "dump",
        help="write entries to a file as JSON lines or CSV",
        description="Write the entries of a server or a directory, in key order, as JSON lines "
        "(lossless) or CSV (without types). Of a directory, which is its database 0, they are as "
        "they were at one instant; of a server each page of 1,000 is.",
        epilog="Examples: kveik dump data backup.jsonl; kveik dump redis://127.0.0.1:6379 --prefix "
        "user: | gzip > users.gz. Exit code: 0, 1 if it broke off, 2 for wrong usage.",
    )
    add = parser.add_argument
    add("target", metavar="TARGET", help=HELP.partition(";")[0])
    add("file", metavar="FILE", nargs="?", default="-", help="- (the default): standard output")
    add_format(parser)
    add("--start", metavar="KEY", default="", help="from this key on")
    add("--end", metavar="KEY", default="", help="up to this key, which is not included")
    add("--prefix", metavar="TEXT", default="", help="the keys that begin so")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--resume", action="store_true", help="go on behind the last complete line of FILE"
    )
    existing.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.set_defaults(run=run)


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=("jsonl", "csv"),
        help="default: csv where FILE's name ends with .csv, else jsonl",
    )


def run(options: argparse.Namespace) -> int:
    from kveik.cli import dump_csv
    from kveik.cli.records import format_of

    if options.prefix and (options.start or options.end):
        raise UseError("--prefix excludes --start and --end")
    low, high = bounds(options.prefix or options.start, options.end, bool(options.prefix))
    form = format_of(options.file, options.format)
    if options.resume and options.file == "-":
        raise UseError("--resume needs a FILE")
    with open_target(options.target) as target, _output(options) as out:
        if options.resume:
            low, size = _behind_last(out, options.file, form, low, high)
            out.seek(size)
            out.truncate()
        if form == "csv" and not (options.resume and out.tell()):
            out.write(dump_csv.HEAD)
        _dump(target, out, form, low, high, options.file)
        out.flush()
        if os.path.isfile(options.file):
            os.fsync(out.fileno())
    return 0


@contextmanager
def _output(options: argparse.Namespace) -> Iterator[BinaryIO]:
    if options.file == "-":
        yield sys.stdout.buffer
        return
    how = os.O_CREAT if options.resume else os.O_CREAT | os.O_EXCL
    if options.force:
        how = os.O_CREAT | os.O_TRUNC
    try:
        descriptor = os.open(options.file, OPEN | how, 0o666)
    except FileExistsError:
        text = f"{options.file} is there: --resume goes on with it, --force overwrites it"
        raise UseError(text) from None
    with open(descriptor, "r+b") as file:
        yield file


def _behind_last(
    out: BinaryIO, name: str, form: str, low: bytes, high: bytes | None
) -> tuple[bytes, int]:
    """The first key that may be missing, and the size of what is whole."""
    from kveik.cli.notation import show_key
    from kveik.cli.records import last_complete

    last, size = last_complete(out, name, form)
    if last is None:
        return low, size
    if last.key < low or (high is not None and last.key >= high):
        raise UseError(f"{name} ends with {show_key(last.key)}, which is not in this range")
    return last.key + b"\x00", size


def _dump(
    target: Target, out: BinaryIO, form: str, low: bytes, high: bytes | None, name: str
) -> None:
    from kveik.cli import dump_csv, dump_lines
    from kveik.cli.traffic import Traffic

    line = dump_csv.line if form == "csv" else dump_lines.line
    with Traffic("dumping", _expected(target, low, high)) as traffic:
        try:
            for entry in target.cells(low, high):
                text = line(entry)
                out.write(text)
                traffic.add(1, len(text), traffic.entries + 1)
        except KeyboardInterrupt:
            print(traffic.summary("interrupted: dumped"), file=sys.stderr)
            if name != "-":
                print("--resume goes on with it", file=sys.stderr)
            raise
    print(traffic.summary("dumped"), file=sys.stderr)


def _expected(target: Target, low: bytes, high: bytes | None) -> int:
    """How many entries there will be about; 0 if that is not known."""
    return int(target.ask("DBSIZE")) if target.remote and not low and high is None else 0
