"""The house rules: imports, length of files, lint, what is compiled, what is needed to run."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from tests.support.server import StartServer
from tests.support.tools import ROOT, environment, run, tool
from tests.support.wire import JsonLines

from kveik.version import event_loop, flavour

SRC = ROOT / "src"
PACKAGE = SRC / "kveik"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400  # lines of a module


def lint_tool(name: str) -> str:
    """The path of a lint tool. `make test` has them beside the compiled flavour only."""
    if flavour() == "pure" and not Path(sys.executable).with_name(name).exists():
        pytest.skip(f"{name} is not installed beside the pure flavour")
    return tool(name)


def in_root(*command: str | Path) -> str:
    """What a command prints that must succeed in the project's root."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_import_contracts_hold() -> None:
    assert "0 broken" in in_root(lint_tool("lint-imports"), "--no-cache")


def test_ruff_finds_nothing() -> None:
    in_root(lint_tool("ruff"), "check", ".")


def test_everything_is_formatted() -> None:
    in_root(lint_tool("ruff"), "format", "--check", ".")


def test_mypy_strict_finds_nothing(pytestconfig: pytest.Config) -> None:
    cache = pytestconfig.cache
    folder = cache.mkdir("mypy") if cache is not None else Path(os.devnull)
    in_root(lint_tool("mypy"), "--strict", "--cache-dir", folder, "src", "bench")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_for_and_is_not_too_long(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "it has no docstring"
    assert len(text.splitlines()) <= LONGEST


def test_every_sub_package_has_tests() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert packages
    assert packages <= tested


def hot_modules() -> list[str]:
    """The names of the modules that setup.py has compiled."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    assigned = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    patterns: list[str] = ast.literal_eval(assigned["HOT"])
    paths = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    names = (path.relative_to(SRC).with_suffix("") for path in sorted(paths))
    left_out: set[str] = ast.literal_eval(assigned["NOT_HOT"])
    return [".".join(name.parts) for name in names if f"{name.name}.py" not in left_out]


@pytest.mark.parametrize("name", hot_modules())
def test_a_hot_module_is_what_the_flavour_says(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert str(spec.origin).endswith(".py") == (flavour() == "pure")


def test_no_module_beside_the_hot_ones_is_compiled() -> None:
    hot = set(hot_modules())
    for path in MODULES:
        name = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        spec = importlib.util.find_spec(name) if name not in hot else None
        assert spec is None or str(spec.origin).endswith(".py"), name


def test_nothing_is_compiled_in_place() -> None:
    assert [path for path in SRC.rglob("*") if path.suffix in (".so", ".pyd")] == []


def test_a_run_that_expects_the_other_flavour_is_aborted() -> None:
    other = "pure" if flavour() == "compiled" else "compiled"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/ground"],
        cwd=ROOT,
        env=environment(KVEIK_EXPECT=other),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"KVEIK_EXPECT={other}, but this is kveik: {flavour()}" in done.stderr


def test_version_prints_flavour_loop_and_python() -> None:
    printed = run(sys.executable, "-m", "kveik", "--version")
    python = ".".join(map(str, sys.version_info[:3]))
    for part in (flavour(), event_loop(), python):
        assert part in printed


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A Python that has the standard library, Kveik's sources and nothing else."""
    folder = tmp_path / "bare"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = run(python, "-c", "import site; print(site.getsitepackages()[0])").strip()
    Path(site, "sources.pth").write_text(f"{SRC}\n")
    return python


def test_a_server_needs_nothing_but_the_standard_library(
    bare_python: Path, start_server: StartServer
) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    bare = (str(bare_python), "-m", "kveik")
    server = start_server(program=bare, environ=environ)
    with server.resp() as connection, JsonLines(server.port) as lines:
        assert connection.call("PING") == "PONG"
        assert connection.call("SET", "k", "v") == "OK"
        assert lines.read("k") == "v"
        assert b"multiplexing_api:asyncio" in connection.call("INFO", "server")
        assert b"kveik_flavour:pure" in connection.call("INFO", "server")
    server.restart()
    with server.resp() as connection:
        assert connection.call("GET", "k") == b"v"
    assert server.terminate() == 0


def test_a_directory_needs_nothing_but_the_standard_library(
    bare_python: Path, tmp_path: Path
) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def kveik(*words: str) -> tuple[int, str, str]:
        command = [str(bare_python), "-m", "kveik", *words]
        done = subprocess.run(
            command,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout, done.stderr

    data = str(tmp_path / "data")
    assert kveik("load", data)[0] == 0
    assert kveik("put", "-t", data, "a", "1") == (0, "", "")
    assert kveik("dump", data)[1] == '{"key": "a", "type": "text", "value": "1"}\n'
    needed = "kveik: this needs the package redis, which is not installed: pip install redis\n"
    assert kveik("get", "-t", "redis://127.0.0.1:1", "a") == (2, "", needed)
    assert kveik("import", "redis://127.0.0.1:1", data) == (2, "", needed)
