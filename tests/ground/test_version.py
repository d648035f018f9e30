"""The version, and an installation with nothing but the standard library."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.format.records import record_pieces

import kveik
from kveik.model import TEXT
from kveik.version import VERSION, describe, event_loop, flavour

SOURCE = Path(kveik.__file__).parents[1]

ALONE = """
import sys
for name in ("mypy_extensions", "librt", "librt.strings", "uvloop"):
    sys.modules[name] = None  # as if it were not installed
sys.path.insert(0, sys.argv[1])
from kveik.format import coding
from kveik.format.record import RecordWriter, commit_size, decode_commits, record_end
from kveik.model import TEXT, Cell, Writes
assert coding.BytesWriter.__module__ == "kveik.format.portable"
writes = Writes()
writes.put(b"\\x00" + b"k" * 200, Cell(TEXT, b"v" * 20000, 1700000000000))
writer = RecordWriter()
writer.begin(5)
writer.add(writes, commit_size(writes))
pieces = []
writer.finish(pieces, 0xFEDCBA98)
data = b"".join(pieces)
assert record_end(data, 0, 0xFEDCBA98) == len(data)
assert decode_commits(data, 0, len(data))[0].cells[0].data == b"v" * 20000
print(data.hex())
"""


def test_the_version_is_a_release_number_and_the_packages() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert kveik.__version__ == VERSION


def test_one_line_says_what_an_installation_is_made_of() -> None:
    line = describe()
    assert line.startswith(f"kveik {VERSION} (")
    assert all(part in line for part in (flavour(), event_loop(), sys.platform))


def test_the_flavour_is_that_of_the_modules_in_use() -> None:
    compiled = not str(sys.modules["kveik.model"].__file__).endswith(".py")
    assert flavour() == ("compiled" if compiled else "pure")


@pytest.mark.skipif(flavour() == "compiled", reason="compiled modules need their run-time parts")
def test_kveik_runs_on_the_standard_library_alone_and_writes_the_same_bytes() -> None:
    commits = [[(b"\x00" + b"k" * 200, TEXT, b"v" * 20000, 1_700_000_000_000)]]
    data = b"".join(record_pieces(commits, 5, 0xFEDCBA98))
    command = [sys.executable, "-I", "-c", ALONE, str(SOURCE)]
    alone = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert alone.stdout.strip() == data.hex()
