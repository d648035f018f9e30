"""The source package builds what is installed; a wheel runs with nothing beside it."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from tests.support.server import StartServer
from tests.support.tools import ROOT, library, run

from kveik.version import VERSION, flavour

NO_SOURCES = (
    "build",
    "dist",
    "site",
    "data",
    "*.egg-info",
    "__pycache__",
    "results",
    "kveik-bench",
)
NEEDED = ("build_backend/backend.py", "setup.py", "LICENSE", "CHANGELOG.md", "tests/conftest.py")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source package, and the pure wheel that was built from it."""
    if flavour() == "pure":
        pytest.skip("once is enough: the compiled flavour's tests do it")
    library("build")
    folder = tmp_path_factory.mktemp("packages")
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(".*", *NO_SOURCES))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", folder / "dist", folder / "source"],
        env={**os.environ, "KVEIK_PURE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return folder / "dist"


@pytest.mark.slow
def test_the_source_package_has_what_a_build_needs(packages: Path) -> None:
    with tarfile.open(packages / f"kveik-{VERSION}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(NEEDED) <= names


@pytest.mark.slow
def test_a_wheel_has_licence_and_description_and_fits_everywhere(packages: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    assert wheel.name == f"kveik-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        inside = f"kveik-{VERSION}.dist-info"
        said = email.message_from_bytes(archive.read(f"{inside}/METADATA"))
        assert archive.read(f"{inside}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        assert "kveik/py.typed" in archive.namelist()
        assert not [name for name in archive.namelist() if name.endswith(".so")]
    assert (said["Version"], said["License-Expression"]) == (VERSION, "MIT")
    assert said["Requires-Python"] == ">=3.11"
    assert "# Kveik" in str(said.get_payload())


@pytest.mark.slow
def test_a_wheel_alone_serves(packages: Path, tmp_path: Path, start_server: StartServer) -> None:
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True, symlinks=True)
    (wheel,) = packages.glob("*.whl")
    subprocess.run(
        [folder / "bin/pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    printed = subprocess.run(
        [folder / "bin/kveik", "--version"], env=bare, capture_output=True, text=True, check=True
    ).stdout
    assert printed.startswith(f"kveik {VERSION} (pure, asyncio, ")
    server = start_server(program=[str(folder / "bin/kveik")], environ=bare)
    with server.resp() as connection:
        assert connection.call("SET", "k", "v") == "OK"
    assert server.terminate() == 0


def test_the_systemd_unit_is_understood(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    unit = (ROOT / "packaging/kveik.service").read_text()
    checked = tmp_path / "kveik.service"
    checked.write_text(unit.replace("/opt/kveik/bin/kveik", "/bin/true"))
    assert run(program, "verify", checked) == ""


def test_the_options_of_unit_and_image_are_those_of_serve() -> None:
    known = run(sys.executable, "-m", "kveik", "serve", "--help")
    unit = (ROOT / "packaging/kveik.service").read_text()
    image = (ROOT / "Dockerfile").read_text()
    options = re.findall(r"--[a-z-]+", unit.partition("ExecStart=")[2].partition("\n")[0])
    variables = re.findall(r"\bKVEIK_([A-Z_]+)=", image)
    assert len(options) == 5
    assert len(variables) == 4
    options += ["--" + name.lower().replace("_", "-") for name in variables]
    assert [option for option in options if option not in known] == []
