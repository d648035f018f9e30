"""The examples of docs/python-clients.md run, and the page names every call."""

from __future__ import annotations

import doctest
import re

import pytest
from tests.support.server import Server
from tests.support.tools import ROOT

import kveik

PAGE = ROOT / "docs" / "python-clients.md"
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_page_s_examples_give_what_stands_behind_them(server: Server) -> None:
    examples = "".join(PYTHON.findall(PAGE.read_text()))
    examples = re.sub(r"\b(6379|65433|9999)\b", str(server.port), examples)
    told: list[str] = []
    test = doctest.DocTestParser().get_doctest(examples, {}, PAGE.name, str(PAGE), 0)
    runner = doctest.DocTestRunner()
    runner.run(test, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(told)
    assert len(test.examples) > 15


@pytest.mark.parametrize("kind", [kveik.Client, kveik.KVClient, kveik.KVDBClient])
def test_the_page_names_every_call(kind: type) -> None:
    text = PAGE.read_text()
    names = {name for name in dir(kind) if not name.startswith("_")} - {"check_open"}
    assert {name for name in names if name not in text} == set()
