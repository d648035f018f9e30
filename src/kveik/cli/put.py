"""`kveik put`: write the value of a key."""

from __future__ import annotations

import argparse
import sys

from kveik.cli.get import run
from kveik.cli.target import Target, add_target
from kveik.errors import UseError
from kveik.limits import MAX_TTL, MAX_VALUE


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], target: bool = True
) -> None:
    """target: with --target; the shell has one already."""
    parser = commands.add_parser(
        "put",
        help="write the value of a key",
        description="Write the value of a key, as text unless something else is said.",
        epilog='Example: kveik put --json user:1 \'{"name": "Ada"}\' --ttl 3600. Exit code: 0, 1 '
        "where it was not written (--if-absent, a server's error), 2 for wrong usage.",
    )
    add = parser.add_argument
    add("key", metavar="KEY")
    add("value", metavar="VALUE", nargs="?")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--text", action="store_true", help="the value is text (the default)")
    kind.add_argument("--json", action="store_true", help="the value is JSON")
    kind.add_argument("--bytes", action="store_true", help="the value is bytes")
    add(
        "--file",
        metavar="FILE",
        help="take the value from a file, - for standard input; as bytes unless --text or --json",
    )
    add("--ttl", type=_ttl, metavar="SECONDS", help="it expires after so many seconds")
    add("--if-absent", action="store_true", help="only where the key has no value")
    if target:
        add_target(parser)
    parser.set_defaults(run=run, perform=perform, writes=True)


def perform(target: Target, options: argparse.Namespace) -> int:
    from kveik.cli.notation import read_key, show_key

    key = read_key(options.key)
    value = _value(options)
    if target.database.put(key, value, ttl=options.ttl, if_absent=options.if_absent):
        return 0
    print(f"kveik: {show_key(key)} has a value already", file=sys.stderr)
    return 1


def _value(options: argparse.Namespace) -> object:
    if (options.value is None) == (options.file is None):
        raise UseError("put needs a VALUE or --file, and not both")
    if options.file is None:
        data = options.value.encode("utf-8", "surrogateescape")
    elif options.file == "-":
        data = sys.stdin.buffer.read(MAX_VALUE + 1)  # one more than may be: put says so
    else:
        with open(options.file, "rb") as file:
            data = file.read(MAX_VALUE + 1)
    if options.bytes or (options.file is not None and not (options.text or options.json)):
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UseError(f"the value is no text (byte {error.start}): --bytes takes it") from None
    return _json(text) if options.json else text


def _json(text: str) -> object:
    from kveik.errors import CommandError
    from kveik.format import strictjson

    try:
        return strictjson.parse(text)
    except CommandError as error:
        raise UseError(f"the value is {error}") from None


def _ttl(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_TTL:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: a number of seconds above 0")
    return seconds
