"""Every link of the documentation leads somewhere, and every page is in the navigation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, name, pages
from tests.support.tools import ROOT

LINKING = [*pages(), ROOT / "CHANGELOG.md", ROOT / "bench/README.md"]
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NAVIGATED = re.compile(r"^\s+- (?:.+: )?(\S+\.md)$", re.MULTILINE)
FROM_THE_ROOT = {"index.md", "contributing.md", "changelog.md"}  # packaging/site.py adds them


def links(page: Path) -> list[str]:
    """But not to other hosts."""
    found = _LINK.findall(_CODE.sub("", page.read_text()))
    return [link for link in found if "://" not in link]


def anchors(page: Path) -> set[str]:
    """Of the headings, as the site and code hosts name them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in _HEADING.findall(text)}


def slug(heading: str) -> str:
    kept = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
    return re.sub(r"\s", "-", kept)


@pytest.mark.parametrize("page", LINKING, ids=name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link}"
        assert not anchor or anchor in anchors(target), f"{name(page)}: {link}"


def test_every_page_is_in_the_navigation_once() -> None:
    navigated = _NAVIGATED.findall((ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2])
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert sorted(navigated) == sorted(there | FROM_THE_ROOT)


def test_nothing_in_the_documentation_is_a_picture_from_elsewhere() -> None:
    for page in LINKING:
        assert not re.search(r"!\[[^\]]*\]\(\w+://|<img|<script|<iframe", page.read_text())
