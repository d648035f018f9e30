"""`kveik repair`: save what can be saved of a damaged directory, into a new one."""

from __future__ import annotations

import argparse
import json
import os
import sys

from kveik.cli.progress import Meter
from kveik.cli.told import as_fields, as_range, count, show_bounds
from kveik.disk.posix import PosixDisk
from kveik.engine.repair import Saved, repair_directory
from kveik.engine.salvage_table import CERTAIN, DEFAULT, OLDER
from kveik.errors import KveikError, OpenError
from kveik.sizes import show_size

ALL, SOME, NONE = 0, 1, 2


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "repair",
        help="save what can be saved of a damaged directory, into a new one",
        description="Read a damaged database, write all of it that is intact into a new directory, "
        "check that, and list what could not be saved. The damaged directory is not changed.",
        epilog="Where an entry is lost an older version of it may still be in an older table. By "
        "default one that is known to be outdated is left out, and what is in doubt is saved, and "
        "listed. Exit code: 0 all was saved, 1 something is lost or in doubt, 2 nothing was done.",
    )
    add = parser.add_argument
    add("directory", metavar="DIR", help="the damaged database")
    add("--into", metavar="NEW", required=True, help="a directory that is empty or not there yet")
    add(
        "--salvage-log",
        action="store_true",
        help="also take what stands behind damage in the log: batches stay whole, but what came in "
        "between is missing",
    )
    older = parser.add_mutually_exclusive_group()
    older.add_argument(
        "--certain",
        action="store_const",
        dest="mode",
        const=CERTAIN,
        default=DEFAULT,
        help="leave out everything that may be outdated: what older tables have in a lost range",
    )
    older.add_argument(
        "--older",
        action="store_const",
        dest="mode",
        const=OLDER,
        help="save older versions of entries whose newest version is lost",
    )
    add("--json", action="store_true", help="one JSON object for machines")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    try:
        saved = _repair(options)
    except (KveikError, OSError) as error:
        print(f"kveik repair: {error}", file=sys.stderr)
        return NONE
    if options.json:
        print(json.dumps(as_json(options.into, saved)))
    else:
        show(options, saved)
    if saved.report.findings.damaged():
        return NONE
    return SOME if saved.losses.items or saved.doubtful or saved.unsure else ALL


def _repair(options: argparse.Namespace) -> Saved:
    inner = os.path.realpath(options.into)
    outer = os.path.realpath(options.directory)
    if os.path.commonpath([inner, outer]) == outer:
        raise OpenError(f"{options.into} is inside {options.directory}, which is not to be changed")
    source = PosixDisk(options.directory, create=False, read_only=True)
    try:
        target = PosixDisk(options.into)
        try:
            with Meter("repairing") as meter:
                return repair_directory(
                    source,
                    target,
                    salvage_log=options.salvage_log,
                    mode=options.mode,
                    progress=meter.show,
                )
        finally:
            target.close()
    finally:
        source.close()


def as_json(directory: str, saved: Saved) -> dict[str, object]:
    return {
        "directory": directory,
        "entries": saved.entries,
        "bytes": saved.bytes,
        "tables_copied": saved.copied,
        "tables_rewritten": saved.rewritten,
        "commits": saved.commits,
        "last_lsn": saved.lsn,
        "lost": [as_fields(finding) for finding in saved.losses.items],
        "mended": [as_fields(finding) for finding in saved.mended.items],
        "doubtful": [as_range(bounds) for bounds in saved.doubtful],
        "outdated_left_out": saved.hidden,
        "readable_log_bytes_left": saved.left,
        "notes": saved.notes,
        "whole": not saved.report.findings.damaged(),
    }


def show(options: argparse.Namespace, saved: Saved) -> None:
    for finding in saved.losses.items:
        print(f"lost: {finding}")
    for finding in saved.mended.items:
        print(f"mended: {finding}")
    for bounds in saved.doubtful:
        print(f"in doubt: {show_bounds(bounds)} may be outdated, or have been deleted")
    for note in saved.notes:
        print(f"note: {note}")
    if saved.hidden:
        what = f"{count(saved.hidden, 'older version')} of lost entries left out"
        print(f"note: {what} (--older saves them)")
    if saved.left:
        what = f"{show_size(int(saved.left))} of the log behind the damage can be read"
        print(f"note: {what} (--salvage-log saves it)")
    tables = f"{count(saved.copied, 'table')} copied, {saved.rewritten} rewritten"
    log = f"{count(saved.commits, 'commit')} from the log"
    print(f"saved {count(saved.entries, 'entry')}, {show_size(int(saved.bytes))}: {tables}, {log}")
    if saved.report.findings.damaged():
        print(f"{options.into} is damaged, too: do not use it")
        return
    losses = len(saved.losses.items)
    lost = f"lost in {count(losses, 'place')}" if losses else "nothing was lost"
    print(f"{options.into} is whole; {lost}")
