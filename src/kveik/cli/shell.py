"""`kveik shell`: the commands on keys, one a line, over a server or a directory.

On a server every other word is a command of Redis' protocol, sent as it was typed.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from kveik.cli import delete, get, put, show_range
from kveik.cli.target import HELP, Target, open_target
from kveik.errors import KveikError, UseError

if TYPE_CHECKING:
    from kveik.cli.replies import Raw

COMMANDS: dict[str, ModuleType] = {"get": get, "put": put, "delete": delete, "range": show_range}
LEAVING = ("quit", "exit")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "shell",
        help="a prompt for commands on keys, over a server or a directory",
        description="A prompt with history and completion for get, put, delete and range, and on a "
        "server for every command of Redis' protocol. Without a terminal it runs the lines of its "
        "input, up to the first error.",
        epilog="Examples: kveik shell; kveik shell data; echo 'range --prefix user:' | kveik shell "
        "data. Exit code: 0, 1 after an error in a script, 2 for wrong usage.",
    )
    parser.add_argument("target", metavar="TARGET", nargs="?", help=HELP)
    parser.add_argument(
        "--read-only", action="store_true", help="of a directory: write nothing, share it"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with open_target(options.target, write=not options.read_only) as target:
        shell = Shell(target)
        try:
            if sys.stdin.isatty():
                from kveik.cli.prompt import converse

                return converse(shell)
            return script(shell)
        finally:
            shell.close()


def script(shell: Shell) -> int:
    """Run the lines of standard input; an error ends it and is told with the line's number."""
    code = 0
    for number, line in enumerate(sys.stdin, 1):
        try:
            code = shell.perform(line) or code
        except Leave:
            break
        except (KveikError, OSError) as error:
            print(f"kveik shell: line {number}: {error}", file=sys.stderr)
            return 1
    return code


class Leave(Exception):
    """The user wants to leave."""


class Helped(Exception):
    """The help was printed, and there is nothing more to do."""


class Parser(argparse.ArgumentParser):
    """Raises where others end the process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.prog = self.prog.strip()

    def error(self, message: str) -> NoReturn:
        raise UseError(f"{message} (help {self.prog})")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Helped


class Shell:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.raw: Raw | None = None
        if target.remote:
            from kveik.cli.replies import Raw

            self.raw = Raw(target.database)
            self.raw.call(["PING"])
        self._parser = Parser(prog="", add_help=False)
        self._parsers = self._parser.add_subparsers(dest="command", parser_class=Parser)
        for module in COMMANDS.values():
            module.add_parser(self._parsers, target=False)

    def perform(self, line: str) -> int:
        """Do what a line says; its exit code. Leave, KveikError, OSError."""
        line = line.strip()
        if not line or line.startswith("#"):
            return 0
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UseError(str(error).lower()) from None
        name = words[0]
        if name in LEAVING:
            raise Leave
        if name == "help":
            return self._help(words[1:])
        if name in COMMANDS:
            return self._own(words)
        if self.raw is None:
            raise UseError(f"there is no command {name!r}: help lists them")
        from kveik.cli import replies

        print(replies.show(self.raw.call(words)))
        return 0

    def _own(self, words: list[str]) -> int:
        try:
            options = self._parser.parse_args(words)
        except Helped:
            return 0
        return int(options.perform(self.target, options))

    def _help(self, names: list[str]) -> int:
        if not names:
            self._help_all()
        elif names[0] in COMMANDS:
            print(self._parsers.choices[names[0]].format_help(), end="")
        elif self.raw is not None:
            from kveik.cli.replies import summary

            print(summary(self.raw, names[0]))
        else:
            raise UseError(f"there is no command {names[0]!r}: help lists them")
        return 0

    def _help_all(self) -> None:
        for action in self._parsers._choices_actions:
            print(f"  {action.dest:<8} {action.help}")
        print("  help     help, or help COMMAND")
        print("  quit     leave; so do exit and Ctrl-D")
        if self.raw is not None:
            print("Every other word is sent to the server as it stands: INFO, INCR n, GET a.")

    def close(self) -> None:
        if self.raw is not None:
            self.raw.close()
