"""The console examples of docs/command-line.md do what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.program import KVEIK
from tests.support.tools import PATIENCE, ROOT, environment

PAGE = ROOT / "docs" / "command-line.md"


def test_the_examples_of_the_page(tmp_path: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    environ = environment()
    for block in blocks:
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = example.partition("\n")
            if command.startswith("export "):
                name, _, value = command.removeprefix("export ").partition("=")
                environ[name] = value
                continue
            shell = f'kveik() {{ {" ".join(KVEIK)} "$@"; }}\n{command}'
            done = subprocess.run(
                ["sh", "-c", shell],
                cwd=tmp_path,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            pattern = re.escape(expected).replace(r"\.\.\.", ".*")
            pattern = re.sub(r"in\\ \d+\\\.\d\\ s", r"in \\d+\\.\\d s", pattern)
            assert re.fullmatch(pattern, done.stdout), (command, done.stdout)
