"""`kveik bench` explains itself, and says what it lacks, where its libraries are not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.tools import environment

WITHOUT = (
    "import sys; sys.modules.update(dict.fromkeys(('hdrh', 'jinja2', 'pygal', 'rich'))); "
    "from kveik.cli.main import main; sys.exit(main(sys.argv[1:]))"
)
KINDS = ("direct", "tcp", "writes", "durability", "ycsb", "peers", "all")


def bench(*words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "bench", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    return done.returncode, done.stdout, done.stderr


def test_it_explains_itself() -> None:
    code, told, _ = bench("--help")
    assert code == 0
    assert all(f"    {kind}" in told for kind in KINDS)


def test_one_line_says_what_to_install() -> None:
    code, told, errors = bench("direct")
    assert code == 2
    assert told == ""
    assert errors == (
        "kveik bench needs hdrhistogram, Jinja2, pygal, rich: pip install 'kveik[bench]'\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fly",),
        ("direct", "--writes", "0"),
        ("direct", "--writes", "999"),
        ("direct", "--writes", "many"),
        ("direct", "--memory", "1KB"),
        ("direct", "--limit", "-1"),
        ("direct", "--durability", "often"),
        ("tcp", "--protocol", "smtp"),
        ("tcp", "--value-size", "3"),
        ("ycsb", "g"),
        ("peers", "--entries", "10"),
    ],
    ids=lambda words: " ".join(words),
)
def test_arguments_that_cannot_be(words: tuple[str, ...]) -> None:
    code, _, errors = bench(*words)
    assert code == 2
    assert "usage: kveik bench" in errors or "kveik bench" in errors
    assert "Traceback" not in errors
