"""Every page's code does what the page says, and every command is shown on one of them."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from tests.docs.conversation import turns
from tests.docs.pagerun import PageRun
from tests.docs.pages import DOCS, RUN, SHOWN, blocks, loose_commands, name, pages

from kveik.command.registry import COMMANDS
from kveik.engine.database import Database
from kveik.engine.frozen import FrozenDatabase
from kveik.engine.optimistic import OptimisticTransaction

WITH_CODE = [page for page in pages() if any(block.language in RUN for block in blocks(page))]
GUIDE = DOCS / "embedded.md"
LONGEST = 60  # seconds that a page may take before something hangs
MOST_LEFT_OUT = 12  # blocks that no test runs; a new one needs a good reason


@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_what_a_page_shows_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = PageRun(tmp_path)
    monkeypatch.chdir(run.folder)
    monkeypatch.setattr(sys, "stdin", None)
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST)
    try:
        for block in blocks(page):
            if block.language in RUN and not block.reason:
                run.run(block)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        run.end()


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError(f"the page takes longer than {LONGEST} s")


def test_every_block_says_its_language_and_few_are_left_out() -> None:
    found = [block for page in pages() for block in blocks(page)]
    for block in found:
        assert block.language in RUN + SHOWN or block.reason, f"{block}: a language that runs?"
        assert not (block.reason and block.language in SHOWN), f"{block}: needs no mark"
    left_out = [block for block in found if block.reason]
    print(f"{len(found)} blocks, of which {len(left_out)} are not run:")
    for block in left_out:
        print(f"  {block}: {block.reason}")
    assert len(left_out) <= MOST_LEFT_OUT


@pytest.mark.parametrize("page", pages(), ids=name)
def test_no_command_of_a_shell_stands_where_nothing_runs_it(page: Path) -> None:
    assert loose_commands(page) == []


def test_every_command_stands_in_the_table_with_its_summary_and_has_an_example() -> None:
    rows = (DOCS / "commands.md").read_text().splitlines()
    shown = shown_commands()
    for command in COMMANDS:
        (row,) = [row for row in rows if row.startswith(f"| [`{command.name}`](commands/")]
        assert row.endswith(f"| {command.summary} |")
        assert command.name in shown, f"{command.name} has no example"
        page, _, anchor = row.partition("](")[2].partition(")")[0].partition("#")
        assert f"\n### {command.name}\n" in (DOCS / page).read_text(), f"{page} has no {anchor}"
    assert sum(row.startswith("| [`") for row in rows) == len(COMMANDS)


def shown_commands() -> set[str]:
    """The names of the commands that the pages in docs/commands/ run."""
    found = [block for page in (DOCS / "commands").glob("*.md") for block in blocks(page)]
    run = [block for block in found if block.language == "redis" and not block.reason]
    return {turn.name() for block in run for turn in turns(block) if turn.words}


@pytest.mark.parametrize("kind", [Database, OptimisticTransaction, FrozenDatabase])
def test_the_guide_names_every_method(kind: type) -> None:
    text = GUIDE.read_text()
    names = {name for name in dir(kind) if not name.startswith("_")}
    inner = {"check_open", "clock", "begin", "hold", "read"}
    assert {name for name in names - inner if f"{name}" not in text} == set()


def test_the_guide_names_every_figure(tmp_path: Path) -> None:
    import kveik

    text = GUIDE.read_text()
    with kveik.open(tmp_path) as db:
        assert {name for name in db.stats() if f"`{name}`" not in text} == set()
        assert {name for name in db.stats()["levels"][0] if f"`{name}`" not in text} == set()
