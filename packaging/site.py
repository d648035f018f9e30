"""A hook of mkdocs: pages of the project's root become pages of the site, and links follow them.

The pages stay plain Markdown whose links lead from file to file. A link to a file that is no page
(the licence, a test) becomes its text.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

FROM_THE_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
DOCS = "docs/"
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = Path(config.config_file_path).parent
    for name, page in FROM_THE_ROOT.items():
        files.append(File.generated(config, page, content=(root / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    here = page.file.src_uri
    real = next((name for name, to in FROM_THE_ROOT.items() if to == here), DOCS + here)
    return _LINK.sub(lambda link: _turned(link, real, here), markdown)


def _turned(link: re.Match[str], real: str, here: str) -> str:
    text, path, anchor = link[1], link[2], link[3] or ""
    if not path or ":" in path:
        return link[0]
    target = normpath(join(dirname(real), path))
    to = FROM_THE_ROOT.get(target, target.removeprefix(DOCS))
    if not to.endswith(".md") or (to == target and target not in FROM_THE_ROOT):
        return text
    return f"[{text}]({relpath(to, dirname(here) or '.')}{anchor})"
