"""docs/python-clients.md names every call (tests/docs runs its examples)."""

from __future__ import annotations

import pytest
from tests.support.tools import ROOT

import kveik

PAGE = ROOT / "docs" / "python-clients.md"


@pytest.mark.parametrize("kind", [kveik.Client, kveik.KVClient, kveik.KVDBClient])
def test_the_page_names_every_call(kind: type) -> None:
    text = PAGE.read_text()
    names = {name for name in dir(kind) if not name.startswith("_")} - {"check_open"}
    assert {name for name in names if name not in text} == set()
