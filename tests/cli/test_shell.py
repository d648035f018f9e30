"""`kveik shell`: at a terminal, and as a script."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.program import Terminal, call, good
from tests.support.server import Server
from tests.support.tools import library

import kveik
from kveik.cli.replies import show

PROMPT = ">\x1b"  # what stands behind it in a terminal's own words is told by an escape


def url(server: Server) -> str:
    return f"redis://127.0.0.1:{server.port}"


def script(target: str | Path, *lines: str) -> str:
    return good("shell", target, stdin="\n".join(lines).encode())


# --- as a script ----------------------------------------------------------------------------------


def test_a_script_runs_its_lines(target: str) -> None:
    shown = script(
        target,
        "# a comment",
        "",
        "put user:1 'Ada Lovelace' --ttl 100",
        'put user:2 \'{"name": "Grace"}\' --json',
        "get user:1",
        "range --prefix user: --keys",
        "delete user:1",
        "range",
        "quit",
        "never run",
    )
    assert shown == 'Ada Lovelace\nuser:1\nuser:2\nuser:2\t{"name": "Grace"}\n'


def test_a_script_ends_at_the_first_error(target: str) -> None:
    said = call("shell", target, stdin=b"put a 1\nget --wrong\nput a 2\n")
    assert said.code == 1
    assert said.err.startswith("kveik shell: line 2: ")
    assert "(help get)" in said.err
    assert good("get", "-t", target, "a") == "1\n"
    assert call("shell", target, stdin=b"put 'a").err.startswith("kveik shell: line 1: no closing")


def test_a_key_that_is_not_there_gives_exit_code_1_at_the_end(target: str) -> None:
    said = call("shell", target, stdin=b"get nobody\nput a 1\nget a\n")
    assert said == (1, "1\n", "kveik: there is no key nobody\n")


def test_other_words_go_to_the_server(shared_server: Server) -> None:
    shown = script(
        url(shared_server),
        "FLUSHALL",
        "SET a 'x y' EX 100",
        "GET a",
        "get a",
        "INCR n",
        "MGET a nobody",
        "KV.RANGE - + KEYSONLY",
    )
    assert shown.splitlines() == [
        "OK",
        "OK",
        '"x y"',
        "x y",
        "(integer) 1",
        '1) "x y"',
        "2) (nil)",
        '1) "a"',
        '2) "n"',
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("NONSENSE", "unknown command"),
        ("INCR", "wrong number of arguments"),
        ("SUBSCRIBE a", "use redis-cli"),
        ("MONITOR", "use redis-cli"),
        ("SELECT 3", "name the database in the URL"),
        ("help nonsense", "there is no command 'nonsense'"),
    ],
)
def test_what_the_server_refuses_or_the_shell(
    shared_server: Server, line: str, complaint: str
) -> None:
    said = call("shell", url(shared_server), stdin=line.encode())
    assert said.code == 1
    assert complaint in said.err


def test_help(shared_server: Server, tmp_path: Path) -> None:
    shown = script(url(shared_server), "help", "help put", "help incr")
    assert "  range    show the entries between two keys" in shown
    assert "usage: put [-h]" in shown
    assert "--target" not in shown
    assert "INCR: Adds one to a number." in shown
    kveik.open(tmp_path / "data").close()
    said = call("shell", tmp_path / "data", stdin=b"help\nINCR a")
    assert "sent to the server" not in said.out
    assert "line 2: there is no command 'INCR': help lists them" in said.err


def test_a_directory_may_be_shared_by_readers(tmp_path: Path) -> None:
    with kveik.open(tmp_path / "data") as db:
        db["a"] = 1
    with kveik.open(tmp_path / "data", read_only=True):
        assert good("shell", tmp_path / "data", "--read-only", stdin=b"get a") == "1\n"
        assert call("shell", tmp_path / "data", stdin=b"get a").code == 1
    said = call("shell", tmp_path / "data", "--read-only", stdin=b"put a 2")
    assert said.code == 1
    assert "read-only" in said.err


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    said = call("shell", "redis://127.0.0.1:1", stdin=b"")
    assert said.code == 1
    assert len(said.err.splitlines()) == 1


def test_replies_are_shown_as_redis_cli_shows_them() -> None:
    reply = [1, [b"a", [None, b'q"\\']], [], b"\xff\n", b"multi\r\nline\r\n"]
    assert show(reply).splitlines() == [
        "1) (integer) 1",
        '2) 1) "a"',
        "   2) 1) (nil)",
        '      2) "q\\"\\\\"',
        "3) (empty array)",
        '4) "\\xff\\x0a"',
        "5) multi",
        "line",
    ]


# --- at a terminal --------------------------------------------------------------------------------


@pytest.fixture
def terminal(target: str, tmp_path: Path) -> Iterator[Terminal]:
    library("prompt_toolkit")
    shown = Terminal("shell", target, XDG_STATE_HOME=str(tmp_path / "state"))
    shown.expect("Ctrl-D leaves")
    shown.expect(PROMPT)
    yield shown
    shown.close()


def test_a_conversation(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("put user:77 hello\r")
    terminal.expect(PROMPT)
    terminal.type("get user:77\r")
    terminal.expect("hello\r\n")
    terminal.expect(PROMPT)
    terminal.type("nonsense\r")
    terminal.expect("error: ")
    terminal.expect(PROMPT)
    terminal.type("forgotten\x03")
    terminal.expect(PROMPT)
    terminal.type("get us\t")
    terminal.expect("er:77")
    terminal.type("\r")
    terminal.expect("hello\r\n")
    terminal.expect(PROMPT)
    terminal.type("rang\t")
    terminal.expect("e")
    terminal.type(" --keys\r")
    terminal.expect("user:77\r\n")
    terminal.expect(PROMPT)
    terminal.type("\x1b[A")
    terminal.expect("range --keys")
    terminal.type("\x03")
    terminal.expect(PROMPT)
    terminal.type("\x04")
    assert terminal.wait() == 0
    history = tmp_path / "state" / "kveik" / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "+put user:77 hello\n" in history.read_text()
    assert "forgotten" not in history.read_text()


def test_quit_leaves_and_passwords_are_not_kept(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("AUTH sesame\r")
    terminal.expect("error: ")
    terminal.expect(PROMPT)
    terminal.type("quit\r")
    assert terminal.wait() == 0
    assert "sesame" not in (tmp_path / "state" / "kveik" / "history").read_text()
