"""`kveik`: finds the sub-command and turns what Kveik raises on purpose into one line and exit 1.

argparse, because the server must start where nothing but the standard library is installed.
"""

from __future__ import annotations

import argparse
import os
import sys

from kveik.cli import bench, check, demo, inspect, repair, serve
from kveik.errors import KveikError
from kveik.version import describe


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="kveik",
        description="A persistent, ordered key-value database: every acknowledged write is on the "
        "disk, served on one port to Redis clients and JSON lines.",
        epilog="`kveik COMMAND --help` explains a command. Start with: kveik serve",
    )
    parser.add_argument(
        "--version", action="version", version=describe(), help="print what is installed"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    serve.add_parser(commands)
    demo.add_parser(commands)
    check.add_parser(commands)
    inspect.add_parser(commands)
    repair.add_parser(commands)
    bench.add_parser(commands)
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        return int(options.run(options))
    except BrokenPipeError:  # whoever read what is printed has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KveikError, OSError) as error:
        print(f"kveik: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
