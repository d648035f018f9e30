"""What runs the pages: it finds what is wrong with one, and shows replies as redis-cli does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.pagerun import PageRun
from tests.docs.pages import Block
from tests.docs.shown import agrees, show
from tests.support.server import Server
from tests.support.tools import run, tool

WRONG = {
    "a doctest": ("python", ">>> 1 + 1\n3\n"),
    "a failure": ("python", "raise ValueError\n"),
    "what is not printed": ("python", "print(1)  # 2\n"),
    "what a command prints": ("console", "$ echo one\ntwo\n"),
    "a command that fails": ("console", "$ false\n"),
    "a reply": ("redis", "> SET a 1\n(nil)\n"),
    "a reply that is not shown": ("redis", "> GET a\n"),
    "a reply that does not come": ("redis", "> QUIT\nOK\nOK\n"),
    "a setting": ("toml", "prot = 6379\n"),
}
RIGHT = {
    "names that stay": ("python", "def f():\n    return 2\n\n\nx = f()\n"),
    "a doctest": ("python", ">>> x = 2\n>>> x\n2\n"),
    "what is printed": ("python", "print([1, 2])  # [1, ...\n"),
    "what a command prints": ("console", "$ echo one; echo two\none\n...\n"),
    "a long command": ("console", "$ echo one \\\n>   two\none two\n"),
    "a client": ("console", "$ redis-cli -n 1 SET a 1\nOK\n$ redis-cli -p 6379 -n 1 GET a\n"),
    "replies": ("redis", "> SET a 1\nOK\n> GET a\n...\nother> GET a\n...\n"),
}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageRun]:
    page = PageRun(tmp_path)
    monkeypatch.chdir(page.folder)
    yield page
    page.end()


def block(language: str, code: str) -> Block:
    return Block("page.md", 1, language, code, "")


@pytest.mark.parametrize("what", WRONG)
def test_a_page_that_is_wrong_fails(page: PageRun, what: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        page.run(block(*WRONG[what]))


@pytest.mark.parametrize("what", RIGHT)
def test_a_page_that_is_right_passes(page: PageRun, what: str) -> None:
    page.run(block(*RIGHT[what]))


def test_a_server_is_started_killed_and_started_again(page: PageRun) -> None:
    page.run(
        block(
            "console", "$ kveik serve --port 7000 --data-dir d &\n...on auto://127.0.0.1:7000\n..."
        )
    )
    page.run(block("redis", "> SET a 1\nOK\n"))
    page.run(block("console", "$ kill -9 $!\n$ kveik serve --port 7000 --data-dir d &\n"))
    page.run(block("redis", '> GET a\n"1"\n'))
    page.run(block("console", "$ kill $!\n"))


def test_replies_are_shown_as_redis_cli_shows_them(server: Server) -> None:
    odd = b"\x00\x07\x08\t\n\r\"\\\x7f\xff'a b"
    program = [tool("redis-cli"), "--no-raw", "-p", server.port]
    with server.resp() as connection:
        connection.call("MSET", "odd", odd, "a", "1", *[f"k{n}" for n in range(12)])
        for words in (
            ("GET", "odd"), ("GET", "nothing"), ("STRLEN", "a"), ("SET", "a", "1"), ("NOPE",),
            ("MGET", "a", "nothing", "odd"), ("KEYS", "*"), ("KEYS", "none"), ("SLOWLOG", "GET"),
            ("COMMAND", "INFO", "GET", "NOPE", "SCAN"), ("SCAN", "0", "COUNT", "1000"), ("ROLE",),
        ):  # fmt: skip
            shown = show(connection.call(*words))
            assert agrees(shown, run(*program, *words)), words
