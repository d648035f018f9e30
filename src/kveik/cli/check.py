"""`kveik check`: is a directory whole?"""

from __future__ import annotations

import argparse
import json
import sys

from kveik.cli.progress import Meter
from kveik.cli.told import as_fields, count
from kveik.disk.posix import PosixDisk
from kveik.engine.check import Report, check_directory
from kveik.errors import KveikError
from kveik.sizes import show_size

WHOLE, DAMAGED, UNCHECKED = 0, 1, 2


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check",
        help="read a whole directory and say what is damaged in it",
        description="Read every byte of a database that nobody has open for writing, and verify "
        "it: checksums, the order of keys, filters, levels, counts, the log. Changes nothing.",
        epilog="Exit code: 0 whole, 1 damaged, 2 it could not be checked.",
    )
    parser.add_argument("directory", metavar="DIR", help="the database")
    parser.add_argument("--json", action="store_true", help="one JSON object for machines")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    try:
        disk = PosixDisk(options.directory, create=False, read_only=True)
        try:
            with Meter("checking") as meter:
                report = check_directory(disk, meter.show)
        finally:
            disk.close()
    except (KveikError, OSError) as error:
        print(f"kveik check: {error}", file=sys.stderr)
        return UNCHECKED
    if options.json:
        print(json.dumps(as_json(options.directory, report)))
    else:
        show(options.directory, report)
    return DAMAGED if report.findings.damaged() else WHOLE


def as_json(directory: str, report: Report) -> dict[str, object]:
    return {
        "directory": directory,
        "whole": not report.findings.damaged(),
        "format": report.version,
        "id": report.database_id.hex(),
        "tables": report.tables,
        "entries": report.entries,
        "segments": report.segments,
        "commits": report.commits,
        "bytes": report.bytes,
        "findings": [as_fields(finding) for finding in report.findings.items],
    }


def show(directory: str, report: Report) -> None:
    """One line a finding, then what was looked at, then the verdict."""
    for finding in report.findings.damaged():
        print(f"damage: {finding}")
    for finding in report.findings.leftovers():
        print(f"harmless: {finding.file}: {finding.what}")
    tables = f"{count(report.tables, 'table')} with {count(report.entries, 'entry')}"
    log = f"{count(report.segments, 'log segment')} with {count(report.commits, 'commit')}"
    print(f"read {show_size(int(report.bytes))}: {tables}, {log}")
    damaged = len(report.findings.damaged())
    if damaged:
        print(f"{directory} is damaged in {count(damaged, 'place')}")
        print(f"`kveik repair {directory} --into NEW` saves what can be saved")
    else:
        print(f"{directory} is whole")
