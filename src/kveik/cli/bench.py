"""`kveik bench`: its arguments. What is measured, and how, is in kveik.bench."""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import sys
from pathlib import Path

from kveik.limits import MIN_MEMORY
from kveik.model import DURABILITIES
from kveik.sizes import parse_size, show_size

NEEDED = {"hdrh": "hdrhistogram", "jinja2": "Jinja2", "pygal": "pygal", "rich": "rich"}
PROTOCOLS = ("resp", "json", "frame", "text")
EXIT_USAGE = 2
LEAST_ENTRIES = 1000  # a batch


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure this installation on this machine, alone and beside others",
        description="Measure Kveik on this machine. Every run ends with tables, a JSON file and "
        "charts (SVG); --report makes a page of them. Start with: kveik bench all --quick",
    )
    kinds = parser.add_subparsers(dest="bench", metavar="WHAT", required=True)
    _add_direct(kinds)
    _add_tcp(kinds)
    _add_writes(kinds)
    _add_durability(kinds)
    _add_ycsb(kinds)
    _add_peers(kinds)
    _add_all(kinds)
    parser.set_defaults(run=run)


Kinds = argparse._SubParsersAction


def _add(kinds: Kinds[argparse.ArgumentParser], name: str, text: str) -> argparse.ArgumentParser:
    parser = kinds.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="results (default: ./kveik-bench/NAME-DATE.json)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="one HTML page of it all")
    parser.set_defaults(run=run)
    return parser


def _add_rounds(parser: argparse.ArgumentParser, rounds: int = 3) -> None:
    parser.add_argument(
        "--rounds", type=_count, default=rounds, help="how often each run is done (%(default)s)"
    )
    parser.add_argument(
        "--limit",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="the longest run (%(default)g)",
    )


def _add_memory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--memory", type=_memory, default="256MB", metavar="SIZE", help="(%(default)s)"
    )


def _add_durable(parser: argparse.ArgumentParser, usual: str) -> None:
    parser.add_argument(
        "--durability", choices=DURABILITIES, default=usual, help="see kveik serve (%(default)s)"
    )


def _add_direct(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = _add(kinds, "direct", "the engine alone, in process: writes, reads, ranges")
    parser.add_argument("--writes", type=_entries, default=500_000, help="entries (%(default)s)")
    _add_durable(parser, "none")
    _add_rounds(parser)
    _add_memory(parser)


def _add_tcp(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = _add(kinds, "tcp", "writes and reads through the socket")
    add = parser.add_argument
    add("--writes", type=_count, default=200_000, help="of a run, and as many reads (%(default)s)")
    add("--connections", type=_count, default=50, help="open at once (%(default)s)")
    add("--pipeline", type=_count, default=1, help="requests sent at a time (%(default)s)")
    add("--protocol", choices=PROTOCOLS, default="", help="(what the URL says, or resp)")
    add(
        "--url",
        default="",
        help="a server that runs, such as redis://127.0.0.1:6379, in place of one that is started "
        "on a temporary directory; keys are written under kveik-bench: and removed at the end",
    )
    add("--keys", type=_count, default=100_000, help="that there are (%(default)s)")
    add("--value-size", type=_value, default=100, metavar="BYTES", help="(%(default)s)")
    add("--processes", type=_count, default=0, help="of the load generator (as many as fit)")
    _add_durable(parser, "always")
    _add_rounds(parser)


def _add_writes(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = _add(kinds, "writes", "write speed against 0, 100, 1,000, ... existing keys")
    parser.add_argument("--writes", type=_count, default=100_000, help="of a run (%(default)s)")
    parser.add_argument(
        "--most", type=_count, default=1_000_000, help="existing keys, at most (%(default)s)"
    )
    _add_durable(parser, "none")
    _add_rounds(parser)
    _add_memory(parser)


def _add_durability(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = _add(
        kinds, "durability", "kill -9 a server under load, restart it, and count what it has lost"
    )
    add = parser.add_argument
    add(
        "--writes",
        type=_count,
        default=10_000,
        help="the kill comes at a random one of the first so many (%(default)s)",
    )
    add("--tests", type=_count, default=20, help="(%(default)s)")
    add("--connections", type=_count, default=16, help="that write (%(default)s)")
    add("--value-size", type=_value, default=100, metavar="BYTES", help="(%(default)s)")
    add("--seed", type=int, help="of the random moments (drawn, and told)")
    _add_durable(parser, "always")


def _add_ycsb(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = _add(kinds, "ycsb", "YCSB's core workloads, in process or over the socket")
    add = parser.add_argument
    add("letters", nargs="*", type=_letter, metavar="A..F", help="workloads (all six)")
    add("--records", type=_count, default=200_000, help="loaded first (%(default)s)")
    add("--operations", type=_count, default=200_000, help="of a run (%(default)s)")
    add("--threads", type=_count, default=1, help="or connections (%(default)s)")
    add("--served", action="store_true", help="over the socket, against a server started for it")
    add("--url", default="", help="over the socket, against a server that runs")
    _add_durable(parser, "none")
    _add_rounds(parser)
    _add_memory(parser)


def _add_peers(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = _add(kinds, "peers", "side by side with other databases that are installed")
    add = parser.add_argument
    add("--peers", default="", metavar="NAMES", help="with commas (all that are known)")
    add("--only", default="", metavar="NAMES", help="workloads, with commas (some of each kind)")
    add("--entries", type=_entries, default=500_000, help="of each database (%(default)s)")
    add("--requests", type=_count, default=200_000, help="of a run over the socket (%(default)s)")
    _add_rounds(parser)
    _add_memory(parser)


def _add_all(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = _add(kinds, "all", "a short run of everything: a few minutes")
    parser.add_argument("--quick", action="store_true", help="a shorter one: under a minute")
    parser.add_argument("--seed", type=int, help="of the random moments of its kills")


def run(options: argparse.Namespace) -> int:
    missing = [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        lacking = f"needs {', '.join(missing)}"
        print(f"kveik bench {lacking}: pip install 'kveik[bench]'", file=sys.stderr)
        return EXIT_USAGE
    from kveik.bench.asked import run as measure

    return measure(options, shlex.join(["kveik", *sys.argv[1:]]))


# --- arguments ------------------------------------------------------------------------------------


def _count(text: str) -> int:
    """1000, or 1,000, or 1_000."""
    number = int(text.replace(",", "")) if text.replace(",", "").replace("_", "").isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return number


def _entries(text: str) -> int:
    number = _count(text)
    if number < LEAST_ENTRIES:
        raise argparse.ArgumentTypeError(f"{text!r}: at least {LEAST_ENTRIES}")
    return number


def _value(text: str) -> int:
    size = _count(text)
    if not 8 <= size <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r}: from 8 to {1 << 20} bytes")
    return size


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _memory(text: str) -> int:
    try:
        size = parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if size < MIN_MEMORY:
        raise argparse.ArgumentTypeError(f"at least {show_size(MIN_MEMORY)}")
    return size


def _letter(text: str) -> str:
    letter = text.lower()
    if letter not in ("a", "b", "c", "d", "e", "f"):
        raise argparse.ArgumentTypeError(f"{text!r} is none of YCSB's A to F")
    return letter
