"""The documentation builds as a site without a warning, and needs nothing from other hosts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.tools import ROOT, environment, tool

from kveik.version import flavour

_ELSEWHERE = re.compile(r'<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)="(?:https?:)?//')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`make test` has mkdocs beside the compiled flavour only."""
    if flavour() == "pure" and not Path(sys.executable).with_name("mkdocs").exists():
        pytest.skip("mkdocs is not installed beside the pure flavour")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [tool("mkdocs"), "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=environment(NO_MKDOCS_2_WARNING="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout
    return folder


def test_no_page_takes_anything_from_elsewhere(site: Path) -> None:
    found = list(site.rglob("*.html"))
    assert len(found) > 40
    for page in found:
        assert not _ELSEWHERE.search(page.read_text()), page.name


def test_the_pages_of_the_root_lead_on(site: Path) -> None:
    home = (site / "index.html").read_text()
    for target in ("start.html", "from/redis.html", "contributing.html"):
        assert f'href="{target}"' in home
    assert 'href="../index.html' in (site / "from" / "redis.html").read_text()


def test_the_search_has_an_index_of_its_own(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    assert any("leader board" in entry["title"].lower() for entry in index["docs"])
