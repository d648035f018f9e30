"""`kveik serve` where it cannot: exit 1, one line on stderr that says why, and no traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.server import KVEIK, Server, StartServer
from tests.support.tools import PATIENCE, environment

import kveik

NOBODY = 65534
AS_NOBODY = f"""
import encodings.idna, locale, os, shutil, sys
import kveik.cli.serve, kveik.server.app  # while they may be read
from kveik.cli.main import main
if os.geteuid() == 0:  # permissions do not apply to root
    os.setuid({NOBODY})
sys.exit(main())
"""
UNPRIVILEGED = (sys.executable, "-c", AS_NOBODY)


def refused(*options: str | Path, code: int = 1, program: Sequence[str] = KVEIK) -> str:
    """The one line that `kveik serve` ends with, warnings left aside."""
    done = subprocess.run(
        [*program, "serve", "--port", "0", *map(str, options)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=environment(),
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert "ready" not in done.stdout
    lines = [line for line in done.stderr.splitlines() if " WARNING " not in line]
    assert len(lines) == 1 or code == 2, done.stderr
    assert lines[-1].startswith("kveik"), done.stderr
    return lines[-1]


def in_a_directory(tmp_path: Path, name: str, content: str | bytes) -> Path:
    """A data directory that holds one file."""
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_port_in_use(tmp_path: Path, server: Server) -> None:
    line = refused("--port", str(server.port), "--data-dir", tmp_path / "other")
    assert f"127.0.0.1:{server.port}" in line
    assert "address already in use" in line
    assert not (tmp_path / "other").exists()


def test_a_port_in_use_of_the_second_listener(tmp_path: Path, server: Server) -> None:
    listeners = ("--listen", "auto://127.0.0.1:0", "--listen", f"json://127.0.0.1:{server.port}")
    assert "address already in use" in refused(*listeners, "--data-dir", tmp_path / "other")


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    assert "192.0.2.1" in refused("--listen", "auto://192.0.2.1:0", "--data-dir", tmp_path)


def test_a_host_without_an_address(tmp_path: Path) -> None:
    assert "no.such.invalid" in refused(
        "--listen", "auto://no.such.invalid", "--data-dir", tmp_path
    )


def test_a_directory_that_a_server_holds(start_server: StartServer) -> None:
    server = start_server()
    line = refused("--data-dir", server.data_dir)
    assert str(server.data_dir) in line
    assert f"already open in process {server.process.pid}" in line
    with server.resp() as connection:
        assert connection.call("PING") == "PONG"


def test_a_directory_that_an_embedded_database_holds(tmp_path: Path) -> None:
    with kveik.open(tmp_path / "data"):
        assert f"already open in process {os.getpid()}" in refused("--data-dir", tmp_path / "data")


def test_a_directory_that_holds_something_else(tmp_path: Path) -> None:
    line = refused("--data-dir", in_a_directory(tmp_path, "letters.txt", "dear"))
    assert "no Kveik directory" in line
    assert "letters.txt" in line
    assert (tmp_path / "letters.txt").read_text() == "dear"
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_directory_of_a_newer_format(tmp_path: Path) -> None:
    line = refused("--data-dir", in_a_directory(tmp_path, "KVEIK", "kveik 3\nid new style\n"))
    assert "format 3" in line
    assert "upgrade" in line
    assert (tmp_path / "KVEIK").read_text() == "kveik 3\nid new style\n"


@pytest.mark.parametrize("content", [b"", b"kveik", b"\xff" * 40, b"kveik 1\nid 12\n"])
def test_a_directory_whose_identity_is_damaged(tmp_path: Path, content: bytes) -> None:
    assert "KVEIK: offset 0" in refused("--data-dir", in_a_directory(tmp_path, "KVEIK", content))


def test_a_log_that_is_damaged(server: Server) -> None:
    with server.resp() as connection:
        assert connection.call("SET", "first", "1") == "OK"
        assert connection.call("SET", "second", "2") == "OK"
    assert server.terminate() == 0
    segment = next(server.data_dir.glob("*.log"))
    damaged = segment.read_bytes().replace(b"first", b"fIrst")
    segment.write_bytes(damaged)
    line = refused("--data-dir", server.data_dir)
    assert f"{segment.name}: offset " in line
    assert segment.read_bytes() == damaged


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refused("--data-dir", tmp_path / "file")
    assert f"{tmp_path / 'file'} is a file, not a directory" in line


def test_a_file_in_the_place_of_the_parent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file" / "data") in refused("--data-dir", tmp_path / "file" / "data")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_place_where_no_directory_can_be_made() -> None:
    assert "cannot create /proc/kveik" in refused("--data-dir", "/proc/kveik")


@pytest.fixture
def read_only() -> Iterator[Path]:
    """An existing directory that anybody may read and nobody but its owner write."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path, "data")
        folder.mkdir()
        os.chmod(path, 0o755)  # noqa: S103
        os.chmod(folder, 0o555)  # noqa: S103
        yield folder
        os.chmod(folder, 0o755)  # noqa: S103


def test_a_directory_that_may_not_be_written(read_only: Path) -> None:
    line = refused("--data-dir", read_only, program=UNPRIVILEGED)
    assert f"cannot write to {read_only}: Permission denied" in line
    assert list(read_only.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--port", "65536"), "'65536' is no port"),
        (("--port", "-1"), "no port"),
        (("--listen", "http://localhost:80"), "a listener starts with auto://, redis://, json://"),
        (("--listen", "auto://localhost:99999"), "a port is a number from 0 to 65535"),
        (("--listen", "auto://localhost/path"), "and no more"),
        (("--listen", "unix://"), "a socket file is unix:///path"),
        (("--listen", "unix:///"), "a socket file is unix:///path"),
        (("--listen", "unix://host/path"), "a socket file is unix:///path"),
        (("--listen", "unix:///path?mode=0"), "a socket file is unix:///path"),
        (("--listen", "unix:///path?protocol=http"), "the protocol is one of auto, redis, json"),
        (("--listen", "unix:///" + "x" * 100), "at most 100 bytes"),
        (("--memtable-size", "many"), "'many' is no size"),
        (("--memtable-size", "1000", "--memory", "64MB"), "not allowed with"),
        (("--durability", "sometimes"), "invalid choice: 'sometimes'"),
        (("--memory", "lots"), "'lots' is no size"),
        (("--memory", "1KB"), "memory is at least 8.0 MB"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_options_that_make_no_sense_exit_with_2(options: tuple[str, ...], complaint: str) -> None:
    line = refused(*options, "--data-dir", "/nonexistent/never", code=2)
    assert re.match(r"kveik( serve)?: ", line)
    assert complaint in line
