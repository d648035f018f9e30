"""The examples of docs/embedded.md and of the README do what they say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from tests.support.tools import ROOT

from kveik.engine.database import Database
from kveik.engine.frozen import FrozenDatabase
from kveik.engine.optimistic import OptimisticTransaction

GUIDE = ROOT / "docs" / "embedded.md"
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_guide_s_examples_give_what_stands_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    examples = "".join(PYTHON.findall(GUIDE.read_text()))
    test = doctest.DocTestParser().get_doctest(examples, {}, "embedded.md", str(GUIDE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(told)
    assert len(test.examples) > 20


def test_the_readme_s_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for example in PYTHON.findall((ROOT / "README.md").read_text()):
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102
    assert "{'name': 'Ada'}" in capsys.readouterr().out


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
