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
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.docs.conversation import Conversation
from tests.docs.pages import Block
from tests.docs.shown import agrees, difference
from tests.support.server import KVEIK, Server
from tests.support.tools import PATIENCE, environment, tool

PORTS = ("6379", "6380", "7000", "9999", "65433")  # that pages speak of
_PORT = re.compile(rf"(?<![\d.])(?:{'|'.join(PORTS)})(?!\d)")
_NEEDS_SERVER = re.compile(rf"{_PORT.pattern}|\bredis-cli |^kveik (get|put) ")
_ANY_PORT = re.compile(r"(--port[ =]|://[\w.]+:)\d+")
_TOLD = re.compile(r"print\(.*\)  # (.+)$", re.MULTILINE)
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
        if line.startswith("kveik serve") and not line.endswith("--print-config"):
            printed = self._serve(line.removesuffix("&").split())
        else:
            printed = self._shell(self._as_it_is(line), place)
        printed = self._as_shown(printed)
        if shown.strip():
            assert agrees(shown, printed), f"{place}: {line}: {difference(shown, printed)}"

    def _shell(self, line: str, place: str) -> str:
        if self._servers:
            line = line.replace("$!", str(self._servers[-1].process.pid))
        path = f"{self._programs}:{environment().get('PATH', '')}"
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=environment(PATH=path, COLUMNS="100", NO_COLOR="1", **self._variables()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=3 * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{place}: {line}: exit {done.returncode}: {done.stdout}"
        if line.startswith("kill "):
            self._servers[-1].wait()
        return done.stdout

    def _variables(self) -> dict[str, str]:
        """Where `kveik get` and its like look, unless they are told."""
        return {"KVEIK_URL": f"redis://127.0.0.1:{self._port()}"} if self._servers else {}

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
        usual = f"{tool('redis-cli')} --no-raw -p {self._ports.get('6379', 0)}"
        self._program("redis-cli", usual)

    def _port(self) -> int:
        if not self._servers:
            self._begin(Server(self._programs.parent / "data", self.folder), ["6379"])
        return self._servers[-1].port

    def _as_it_is(self, code: str) -> str:
        """A page's code with the port that the server really has."""
        if not self._servers and _NEEDS_SERVER.search(code):
            self._port()
        return _PORT.sub(lambda found: self._ports.get(found[0], found[0]), code)

    def _as_shown(self, printed: str) -> str:
        for said, port in self._ports.items():
            printed = printed.replace(port, said)
        return printed

    # --- the rest -------------------------------------------------------------------------------

    def _redis(self, block: Block) -> None:
        if self._conversation is None:
            self._conversation = Conversation(self._port())
        self.commands += self._conversation.run(block)

    def _toml(self, block: Block) -> None:
        (self.folder / "kveik.toml").write_text(block.code)
        self._shell("kveik serve --config kveik.toml --print-config", str(block))

    def _program(self, name: str, command: str, before: str = "") -> None:
        path = self._programs / name
        path.write_text(ELSEWHERE.format(program=command, before=before))
        path.chmod(0o755)
