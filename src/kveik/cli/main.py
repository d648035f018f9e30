"""`kveik`: finds the sub-command and turns what Kveik raises on purpose into one line and exit 1.

argparse, because the server must start where nothing but the standard library is installed. A
sub-command is a module with `add_parser` and `run`; only the one that is called is imported.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from kveik.errors import KveikError, UseError
from kveik.version import describe

COMMANDS = (
    "serve",
    "shell",
    "get",
    "put",
    "delete",
    "range",
    "dump",
    "load",
    "import",
    "demo",
    "check",
    "inspect",
    "repair",
    "bench",
)
MODULES = {"range": "show_range", "import": "import_redis"}  # whose names Python has taken


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
    words = sys.argv[1:] if argv is None else argv
    for name in words[:1] if words[:1] and words[0] in COMMANDS else COMMANDS:
        import_module(f"kveik.cli.{MODULES.get(name, name)}").add_parser(commands)
    options = parser.parse_args(words)
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
        return 2 if isinstance(error, UseError) else 1
    except KeyboardInterrupt:
        return 130
