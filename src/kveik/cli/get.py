"""`kveik get`: the value of a key."""

from __future__ import annotations

import argparse
import sys

from kveik.cli.target import Target, add_target, open_target

MISSING = object()


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], target: bool = True
) -> None:
    """target: with --target; the shell has one already."""
    parser = commands.add_parser(
        "get",
        help="show the value of a key",
        description="Show the value of a key: text as text, JSON on several lines, bytes escaped "
        "unless they are text.",
        epilog="Example: kveik get user:1. A key in parentheses is a Python literal: "
        "kveik get \"('order', 17)\". Exit code: 0, 1 where there is no such key, 2 for "
        "wrong usage.",
    )
    parser.add_argument("key", metavar="KEY")
    add_output(parser)
    if target:
        add_target(parser)
    parser.set_defaults(run=run, perform=perform, writes=False)


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--raw", action="store_true", help="the value's bytes as they are, and nothing else"
    )


def run(options: argparse.Namespace) -> int:
    with open_target(options.target, write=options.writes) as target:
        return int(options.perform(target, options))


def perform(target: Target, options: argparse.Namespace) -> int:
    from kveik.cli.notation import read_key, show_key, show_value

    key = read_key(options.key)
    if options.raw:
        return _raw(target, key)
    value = target.database.get(key, MISSING)
    if value is MISSING:
        return missing(show_key(key))
    print(show_value(value))
    return 0


def _raw(target: Target, key: bytes) -> int:
    from kveik.cli.notation import show_key

    for entry in target.cells(key, key + b"\x00", limit=1):
        sys.stdout.flush()
        sys.stdout.buffer.write(entry.data)
        sys.stdout.buffer.flush()
        return 0
    return missing(show_key(key))


def missing(key: str) -> int:
    print(f"kveik: there is no key {key}", file=sys.stderr)
    return 1
