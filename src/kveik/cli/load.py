"""`kveik load`: what `kveik dump` wrote, into a server or a directory.

Invariants: entries are written in bounded batches, in the file's order, and what a batch has
written stays whatever comes behind it. The state file never runs ahead of what is durable.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import BinaryIO

from kveik.cli.dump import add_format
from kveik.cli.dump_lines import Entry
from kveik.cli.load_state import Place, State
from kveik.cli.target import HELP, Target, open_target
from kveik.cli.told import count
from kveik.cli.traffic import Traffic
from kveik.errors import KveikError, UseError
from kveik.limits import LOAD_BYTES, LOAD_ENTRIES


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "load",
        help="read entries from JSON lines or CSV",
        description="Write what `kveik dump` gave into a server or a directory, which is made if "
        "it is not there. A malformed line ends it: everything before that line is loaded.",
        epilog="Examples: kveik load data backup.jsonl; gunzip < users.gz | kveik load "
        "redis://127.0.0.1:6379. Exit code: 0, 1 if it broke off, 2 for wrong usage.",
    )
    add = parser.add_argument
    add("target", metavar="TARGET", help=HELP.partition(";")[0])
    add("file", metavar="FILE", nargs="?", default="-", help="- (the default): standard input")
    add_format(parser)
    add_existing(parser)
    add("--resume", action="store_true", help="go on where an earlier load of FILE broke off")
    parser.set_defaults(run=run)


def add_existing(parser: argparse.ArgumentParser) -> None:
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--replace", action="store_true", help="overwrite keys that are there (the default)"
    )
    existing.add_argument("--keep", action="store_true", help="leave keys that are there alone")


def run(options: argparse.Namespace) -> int:
    from kveik.cli.records import format_of

    form = format_of(options.file, options.format)
    if options.file == "-":
        if options.resume:
            raise UseError("--resume needs a FILE")
        with open_target(options.target, write=True, create=True) as target:
            return Load(target, options, form, None).run(sys.stdin.buffer)
    with (
        open(options.file, "rb") as file,
        open_target(options.target, write=True, create=True) as target,
    ):
        name = target.name if target.remote else os.path.abspath(target.name)
        return Load(target, options, form, State(options.file, name)).run(file)


class Load:
    def __init__(
        self, target: Target, options: argparse.Namespace, form: str, state: State | None
    ) -> None:
        self._writer = Writer(target, options.keep)
        self._resume = options.resume
        self._form = form
        self._state = state
        self._name = "standard input" if options.file == "-" else options.file
        self._place = Place(0, 0)

    def run(self, file: BinaryIO) -> int:
        if self._state is not None:
            if self._resume:
                self._place = self._state.read() or self._place
            else:
                self._state.remove()
        size = 0 if self._state is None else os.fstat(file.fileno()).st_size
        with Traffic("loading", size) as traffic:
            try:
                problem = self._load(file, traffic)
            except KeyboardInterrupt:
                problem = Interrupted("interrupted")
        writer = self._writer
        print(writer.summary(traffic), file=sys.stderr)
        if problem is None:
            if self._state is not None:
                self._state.remove()
            return 0
        print(f"kveik load: {problem}", file=sys.stderr)
        if self._state is not None:
            print("everything before it is loaded; --resume goes on there", file=sys.stderr)
        return 130 if isinstance(problem, Interrupted) else 1

    def _load(self, file: BinaryIO, traffic: Traffic) -> Exception | None:
        """Load all of it; what it ended with too early."""
        from kveik.cli.records import BadLine, records

        writer = self._writer
        try:
            for record in records(file, self._name, self._form, *self._place):
                behind = Place(record.end, record.line)
                if record.entry is not None and not writer.fits(record.entry):
                    self._flush(traffic)
                if record.entry is not None:
                    writer.add(record.entry)
                writer.behind = behind
            self._flush(traffic)
        except BadLine as error:
            self._flush(traffic)
            return error
        except Refused as error:
            return error
        return None

    def _flush(self, traffic: Traffic) -> None:
        writer = self._writer
        if not writer.entries:
            return
        lines = f"{self._name}: after line {self._place.lines}"
        try:
            writer.flush(traffic, writer.behind.offset)
        except KveikError as error:
            told = writer.target.hinted(error) or error
            raise Refused(f"{lines}: {told}") from None
        self._place = writer.behind
        if self._state is not None:
            try:
                self._state.write(self._place)
            except OSError as error:  # beside the input nothing may be written
                print(f"kveik load: it could not be resumed: {error}", file=sys.stderr)
                self._state = None


class Refused(KveikError):
    """A batch could not be written."""


class Interrupted(KveikError):
    """Ctrl-C: what was not written yet is not loaded."""


class Writer:
    """Gathers entries and writes them as batches."""

    def __init__(self, target: Target, keep: bool) -> None:
        self.entries: list[Entry] = []
        self.behind = Place(0, 0)  # where the last entry ends
        self.kept = 0
        self.expired = 0
        self.target = target
        self._keep = keep
        self._bytes = 0

    def fits(self, entry: Entry) -> bool:
        """Whether the batch may have one more."""
        full = len(self.entries) >= LOAD_ENTRIES or self._bytes + entry.size() > LOAD_BYTES
        return not (self.entries and full)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._bytes += entry.size()

    def flush(self, traffic: Traffic, done: int) -> None:
        """Return once what was gathered is as durable as the target promises."""
        now = int(time.time() * 1000)
        living = [entry for entry in self.entries if not 0 < entry.expires <= now]
        written = self.target.write_cells(living, self._keep)
        self.expired += len(self.entries) - len(living)
        self.kept += len(living) - written
        size = self._bytes
        self.entries = []
        self._bytes = 0
        traffic.add(written, size, done)

    def summary(self, traffic: Traffic, verb: str = "loaded") -> str:
        told = traffic.summary(verb)
        if self.kept:
            told += f"; {count(self.kept, 'entry')} left out, as the keys are there"
        if self.expired:
            told += f"; {count(self.expired, 'entry')} had expired"
        return told
