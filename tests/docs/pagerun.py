"""Runs one page as its reader would: in a directory of its own, block by block, in order.

Commands of a shell find `kveik`, `python` and `redis-cli` as an installation has them. A line
`$ kveik serve ...` starts a server for what follows (on a free port, which then stands for the
page's port everywhere); where a page only talks to a port, a server is there already.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests.docs.conversation import Conversation
from tests.docs.pages import Block
from tests.docs.shell import Shell
from tests.docs.shown import agrees, difference
from tests.support.server import KVEIK, Server
from tests.support.tools import tool

PORTS = ("6379", "6380", "7000", "9999", "65433")  # that pages speak of
_PORT = re.compile(rf"(?<![\d.])(?:{'|'.join(PORTS)})(?!\d)")
_NEEDS_SERVER = re.compile(rf"{_PORT.pattern}|\bredis-cli |^kveik (get|put) ")
_ANY_PORT = re.compile(r"(--port[ =]|://[\w.]+:)\d+")
_TOLD = re.compile(r"print\(.*\)  # (.+)$", re.MULTILINE)
_PASSWORD_FILE = re.compile(r'^(password-file = )".*"$', re.MULTILINE)
_PROMPT = re.compile(r"^\$ ", re.MULTILINE)

ELSEWHERE = """#!/bin/sh
{before}
exec {program} "$@"
"""
NO_WAIT = '[ "$1" = -q ] && shift 2'  # nc would wait to its end; a server that is told closes


class PageRun:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "here"
        self.commands: list[str] = []  # that were sent to a server
        self._space: dict[str, object] = {"__name__": "__main__"}
        self._programs = folder / "bin"
        for made in (self.folder, self._programs):
            made.mkdir()
        self._servers: list[Server] = []
        self._ports: dict[str, str] = {}  # what a page says -> what it is
        self._conversation: Conversation | None = None
        self._shell = Shell(self.folder, self._programs)
        self._told_where = False  # whether the page itself says where `kveik get` is to look
        self._program("kveik", f"{sys.executable} -m kveik")
        self._program("nc", f"{tool('nc')} -N", NO_WAIT)
        self._program("python", sys.executable)
        self._program("python3", sys.executable)

    def run(self, block: Block) -> None:
        ways: dict[str, Callable[[Block], None]] = {
            "python": self._python,
            "console": self._console,
            "redis": self._redis,
            "toml": self._toml,
        }
        ways[block.language](block)

    def end(self) -> None:
        self._shell.end()
        if self._conversation is not None:
            self._conversation.close()
        for server in self._servers:
            server.kill9()
            told = server.stderr()
            assert "Traceback" not in told, told
            assert " ERROR " not in told, told

    # --- Python ---------------------------------------------------------------------------------

    def _python(self, block: Block) -> None:
        code = self._as_it_is(block.code)
        place = f"{block.page}:{block.line}"
        if ">>> " in code:
            self._examples(code, place)
            return
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (block.line - 1) + code, block.page, "exec"), self._space)  # noqa: S102
        for told in _TOLD.findall(code):
            wanted = told.removesuffix(" ...")
            assert wanted in printed.getvalue(), f"{place}: {wanted!r} was not printed"

    def _examples(self, code: str, place: str) -> None:
        said: list[str] = []
        test = doctest.DocTestParser().get_doctest(code, self._space, place, None, 0)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(test, out=said.append, clear_globs=False)
        self._space.update(test.globs)
        assert runner.summarize(verbose=False).failed == 0, "".join(said)

    # --- a shell --------------------------------------------------------------------------------

    def _console(self, block: Block) -> None:
        before, *commands = _PROMPT.split(block.code)
        assert not before.strip(), f"{block}: the first line is no command"
        for command in commands:
            line, _, shown = command.partition("\n")
            while line.endswith("\\"):
                more, _, shown = shown.partition("\n")
                line = line[:-1] + more.removeprefix("> ").strip()
            self._command(f"{block.page}:{block.line}", line.partition("  # ")[0], shown)

    def _command(self, place: str, line: str, shown: str) -> None:
        code = 0
        if "--print-config" in line:  # which serves nothing, so that all ports are as they stand
            printed, code = self._shell.run(line)
        elif line.startswith("kveik serve"):
            printed = self._as_shown(self._serve(line.removesuffix("&").split()))
        else:
            printed, code = self._run(self._as_it_is(line))
            printed = self._as_shown(printed)
        if shown.strip():
            assert agrees(shown, printed), f"{place}: {line}: {difference(shown, printed)}"
        else:
            assert code == 0, f"{place}: {line}: exit code {code}: {printed}"

    def _run(self, line: str) -> tuple[str, int]:
        if line.startswith("export KVEIK_URL="):
            self._told_where = True
        if self._servers:
            line = line.replace("$!", str(self._servers[-1].process.pid))
        printed = self._shell.run(line)
        if line.startswith("kill "):
            self._servers[-1].wait()
        return printed

    # --- servers --------------------------------------------------------------------------------

    def _serve(self, words: list[str]) -> str:
        """Start what `kveik serve ...` says; what it prints."""
        asked = _PORT.findall(" ".join(words)) or ["6379"]
        options = [_ANY_PORT.sub(r"\g<1>0", word) for word in words[2:]]
        for at, option in enumerate(options):
            if option == "--port":
                options[at + 1] = "0"
        if "--listen" not in options and "--port" not in options:
            options += ["--port", "0"]
        server = Server(self.folder / "data", self.folder)
        server.command = [*KVEIK, "serve", *options]
        self._begin(server, asked)
        return (self.folder / "stdout").read_text()

    def _begin(self, server: Server, asked: list[str]) -> None:
        if self._servers and self._servers[-1].process.poll() is None:
            assert self._servers[-1].terminate() == 0
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None
        self._servers.append(server.start())
        ports = map(str, server.ports)
        self._ports = dict(zip(asked, ports, strict=False))
        for other in PORTS if self._ports else ():
            self._ports.setdefault(other, str(server.port))
        if not self._told_where and server.ports:
            self._shell.run(f"export KVEIK_URL=redis://127.0.0.1:{server.port}")
        usual = f"{tool('redis-cli')} --no-raw -p {self._ports.get('6379', 0)}"
        self._program("redis-cli", usual)

    def _port(self) -> int:
        if not self._servers:
            self._begin(Server(self._programs.parent / "data", self.folder), ["6379"])
        return self._servers[-1].port

    def _as_it_is(self, code: str) -> str:
        """A page's code with the port that the server really has."""
        if not (self._servers or self._told_where) and _NEEDS_SERVER.search(code):
            self._port()
        return _PORT.sub(lambda found: self._ports.get(found[0], found[0]), code)

    def _as_shown(self, printed: str) -> str:
        for said, port in self._ports.items():
            printed = re.sub(rf"(?<!\d){port}(?!\d)", said, printed)
        return printed

    # --- the rest -------------------------------------------------------------------------------

    def _redis(self, block: Block) -> None:
        if self._conversation is None:
            self._conversation = Conversation(self._port())
        self.commands += self._conversation.run(block)

    def _toml(self, block: Block) -> None:
        password = self.folder / "password"
        password.write_text("sesame\n")
        code = _PASSWORD_FILE.sub(rf'\g<1>"{password}"', block.code)
        (self.folder / "kveik.toml").write_text(code)
        printed, code = self._shell.run("kveik serve --config kveik.toml --print-config")
        assert code == 0, f"{block}: {printed}"

    def _program(self, name: str, command: str, before: str = "") -> None:
        path = self._programs / name
        path.write_text(ELSEWHERE.format(program=command, before=before))
        path.chmod(0o755)
