"""`kveik` itself: its help, its version, its exit codes."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest
from tests.support.server import Server
from tests.support.tools import run

from kveik.cli.main import COMMANDS, main
from kveik.version import VERSION, event_loop, flavour


def test_version_prints_flavour_loop_and_python() -> None:
    line = run(sys.executable, "-m", "kveik", "--version").strip()
    python = re.escape(platform.python_version())
    assert re.fullmatch(rf"kveik {VERSION} \((compiled|pure), \w+, \w+ {python}, \w+\)", line)
    assert f"({flavour()}, {event_loop()}, " in line


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert "serve" in shown
    assert "demo" in shown


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_fits_a_terminal(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: kveik" in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if "{" not in line)


@pytest.mark.parametrize("name", ["serve", "get", "put", "delete", "range", "dump", "load"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Example" in shown
    assert f"kveik {name} " in shown.partition("Example")[2]


def test_what_is_called_loads_no_libraries_of_the_others() -> None:
    for words in (["--help"], ["serve", "--print-config"], ["check", "--help"]):
        code = (
            "import sys; from kveik.cli.main import COMMANDS, main\n"
            f"try: main({words!r})\n"
            "except SystemExit: pass\n"
            "found = {'redis', 'rich', 'prompt_toolkit', 'asyncio', 'uvloop'} & set(sys.modules)\n"
            "sys.exit(str(found) if found else 0)"
        )
        run(sys.executable, "-c", code)


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["brew"])
    assert ended.value.code == 2
    assert "'brew'" in capsys.readouterr().err


def test_what_a_server_suggests_when_it_is_ready_works(server: Server) -> None:
    said = (server.data_dir.parent / "stdout").read_text()
    assert f"data in {server.data_dir}, durability always" in said
    suggested = re.findall(r"^  (.*demo.*)$", said, re.MULTILINE)
    assert len(suggested) == 1
    assert "done; nothing is left" in run(*suggested[0].split())


def test_python_m_kveik_and_main_are_the_same() -> None:
    assert "usage: kveik" in run(sys.executable, "-m", "kveik", "serve", "--help")


def test_a_demo_without_a_server_says_who_does_not_answer() -> None:
    command = [sys.executable, "-m", "kveik", "demo", "--host", "127.0.0.1", "--port", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("kveik: 127.0.0.1:1: ")
    assert len(done.stderr.splitlines()) == 1


def test_who_reads_no_further_is_no_error(server: Server) -> None:
    demo = f"{sys.executable} -m kveik demo --host 127.0.0.1 --port {server.port} | head -n 1"
    done = subprocess.run(["sh", "-c", demo], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("a demo against")
    assert done.stderr == ""
