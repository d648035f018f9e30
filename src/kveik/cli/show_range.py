"""`kveik range`: the entries between two keys, in order."""

from __future__ import annotations

import argparse
import sys

from kveik.cli.get import run
from kveik.cli.target import Target, add_target
from kveik.errors import UseError

DEFAULT_LIMIT = 1000


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], target: bool = True
) -> None:
    """target: with --target; the shell has one already."""
    parser = commands.add_parser(
        "range",
        help="show the entries between two keys, in order",
        description="Show the entries from START (included) to END (excluded) in key order, a line "
        f"each, key and value with a tab between them; the first {DEFAULT_LIMIT:,} unless --limit "
        "says otherwise.",
        epilog="Examples: kveik range user:1 user:5 --limit 10; kveik range --prefix user: --keys",
    )
    add = parser.add_argument
    add("start", metavar="START", nargs="?", default="")
    add("end", metavar="END", nargs="?", default="")
    add("--prefix", action="store_true", help="the keys that begin with START, which may be empty")
    add("--reverse", action="store_true", help="the last key first")
    add("--limit", type=limit, default=DEFAULT_LIMIT, metavar="N", help="0: no limit")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--keys", action="store_true", help="keys alone")
    shown.add_argument("--json", action="store_true", help="lines as `kveik dump` writes them")
    if target:
        add_target(parser)
    parser.set_defaults(run=run, perform=perform, writes=False)


def perform(target: Target, options: argparse.Namespace) -> int:
    from kveik.cli.dump_lines import line
    from kveik.cli.notation import show_key, show_value
    from kveik.format.values import decode_value

    low, high = bounds(options.start, options.end, options.prefix)
    most = options.limit or None
    asked = None if most is None else most + 1
    for shown, entry in enumerate(target.cells(low, high, options.reverse, asked)):
        if shown == most:
            print(f"kveik: the first {most:,} only (--limit)", file=sys.stderr)
            break
        if options.json:
            sys.stdout.write(line(entry).decode())
        elif options.keys:
            print(show_key(entry.key))
        else:
            value = show_value(decode_value(entry.kind, entry.data), line=True)
            print(f"{show_key(entry.key)}\t{value}")
    return 0


def bounds(start: str, end: str, prefix: bool) -> tuple[bytes, bytes | None]:
    """Stored keys, from the first (included) to the second (excluded, None for no end)."""
    from kveik.cli.notation import read_key, read_prefix
    from kveik.format.keys import prefix_bounds

    if prefix:
        if end:
            raise UseError("a prefix has no END")
        return prefix_bounds(read_prefix(start))
    return read_key(start) if start else b"", read_key(end) if end else None


def limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no limit: a number, 0 for none")
    return int(text)
