"""`kveik delete`: delete keys."""

from __future__ import annotations

import argparse

from kveik.cli.get import missing, run
from kveik.cli.target import Target, add_target


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], target: bool = True
) -> None:
    """target: with --target; the shell has one already."""
    parser = commands.add_parser(
        "delete",
        help="delete keys",
        description="Delete keys. Those that are not there are named.",
        epilog="Example: kveik delete user:1 user:2. Exit code: 0, 1 if one of them was not there, "
        "2 for wrong usage.",
    )
    parser.add_argument("keys", metavar="KEY", nargs="+")
    if target:
        add_target(parser)
    parser.set_defaults(run=run, perform=perform, writes=True)


def perform(target: Target, options: argparse.Namespace) -> int:
    from kveik.cli.notation import read_key, show_key

    code = 0
    for key in [read_key(word) for word in options.keys]:
        if not target.database.delete(key):
            code = missing(show_key(key))
    return code
