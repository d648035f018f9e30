"""Where `kveik serve` takes its settings from: flags, environment, file, in this order."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from tests.support.program import call, good
from tests.support.server import StartServer
from tests.support.tools import ROOT, environment

from kveik.cli.main import main
from kveik.cli.serve_settings import SETTINGS
from kveik.cli.settings import default_text

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.delenv("KVEIK_CONFIG", raising=False)


def printed(capsys: Capture, *words: str | Path) -> str:
    code = main(["serve", *map(str, words), "--print-config"])
    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    return said.out


def refused(capsys: Capture, *words: str | Path) -> str:
    try:
        code = main(["serve", *map(str, words), "--print-config"])
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("kveik serve: ")
    return line


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "kveik.toml"
    path.write_text(text)
    return path


def test_a_flag_is_stronger_than_the_environment_and_that_than_the_file(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(tmp_path, 'port = 1\ndata-dir = "one"\nmemory = "64MB"\n')
    monkeypatch.setenv("KVEIK_PORT", "2")
    monkeypatch.setenv("KVEIK_DATA_DIR", "two")
    lines = printed(capsys, "--config", path, "--port", "3").splitlines()
    assert "port = 3  # flag --port" in lines
    assert 'data-dir = "two"  # environment KVEIK_DATA_DIR' in lines
    assert f'memory = "64MB"  # file {path}' in lines
    assert 'durability = "always"  # default' in lines


def test_what_is_printed_is_read_back(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = 'a "b" \\ \x7f é \U0001f600'
    monkeypatch.setenv("KVEIK_DATA_DIR", odd)
    monkeypatch.setenv("KVEIK_LISTEN", "auto://[::1]:7000 unix:///tmp/s?protocol=json")
    first = printed(capsys, "--memtable-size", "1000", "--durability", "none")
    monkeypatch.delenv("KVEIK_DATA_DIR")
    monkeypatch.delenv("KVEIK_LISTEN")
    again = printed(capsys, "--config", config(tmp_path, first))
    assert tomllib.loads(again) == tomllib.loads(first)
    assert tomllib.loads(again) == {
        "listen": ["auto://[::1]:7000", "unix:///tmp/s?protocol=json"],
        "data-dir": odd,
        "durability": "none",
        "memtable-size": "1000KB",
        "compression": "none",
    }


def test_every_setting_can_come_from_everywhere(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "host": '"localhost"',
        "port": "7000",
        "listen": '["json://127.0.0.1:7000"]',
        "data-dir": '"elsewhere"',
        "durability": '"none"',
        "snapshot-dir": '"copies"',
        "memory": '"64MB"',
        "memtable-size": '"4MB"',
        "compression": '"zlib"',
        "password-file": f'"{tmp_path / "password"}"',
    }
    (tmp_path / "password").write_text("sesame\n")
    assert set(values) | {"password"} == {setting.name for setting in SETTINGS}
    for setting in SETTINGS:
        if setting.secret:
            continue
        value = values[setting.name]
        bare = value.strip('[]"')
        line = f"{setting.name} = {value}  # "
        path = config(tmp_path, f"{setting.name} = {value}\n")
        assert line + f"file {path}" in printed(capsys, "--config", path)
        assert line + f"flag {setting.flag}" in printed(capsys, setting.flag, bare)
        with monkeypatch.context() as patch:
            patch.setenv(setting.variable, bare)
            assert line + f"environment {setting.variable}" in printed(capsys)
            patch.setenv(setting.variable, "")
            assert setting.variable not in printed(capsys)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("prot = 1", "unknown entry 'prot': known are host, port, listen"),
        ('password = "x"', "unknown entry 'password'"),
        ("port = 70000", "port: '70000' is no port: a number from 0 to 65535"),
        ("port = true", "port: true is not a number from 0 to 65535"),
        ("port = 1.5", "port: 1.5 is not a number from 0 to 65535"),
        ("port = 1999-01-01", 'port: "1999-01-01" is not a number from 0 to 65535'),
        ("data-dir = 1", "data-dir: 1 is not a string"),
        ('data-dir = ""', "data-dir: '' is no name"),
        ('durability = "no"', "durability: invalid choice: 'no' (choose from always, interval"),
        ('memory = "lots"', "memory: 'lots' is no size"),
        ("memory = 1", "memory: memory is at least 8.0 MB"),
        ('memory = "8MB"\nmemtable-size = 5', "is not allowed with"),
        ("listen = []", "listen: [] is not a list of URLs"),
        ("listen = [1]", "listen: [1] is not a list of URLs"),
        ('listen = ["http://x"]', "listen: 'http://x': a listener starts with auto://"),
        ("[server]\nport = 1", "unknown entry 'server'"),
        ("port = ", "not valid TOML"),
        ("port = 1\nport = 2", "not valid TOML"),
    ],
)
def test_a_wrong_entry_names_the_file_and_what_was_expected(
    capsys: Capture, tmp_path: Path, text: str, complaint: str
) -> None:
    path = config(tmp_path, text)
    line = refused(capsys, "--config", path)
    assert str(path) in line
    assert complaint in line


def test_a_wrong_variable_is_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVEIK_PORT", "tcp://10.0.0.1:6379")
    assert "the environment's KVEIK_PORT: 'tcp://10.0.0.1:6379' is no port" in refused(capsys)


def test_a_file_that_is_not_there_or_no_text(capsys: Capture, tmp_path: Path) -> None:
    assert str(tmp_path / "none") in refused(capsys, "--config", tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "not valid TOML" in refused(capsys, "--config", tmp_path / "binary")


def test_the_stronger_of_two_that_exclude_each_other_wins(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(tmp_path, 'listen = ["json://127.0.0.1:1"]\nmemtable-size = 1000\n')
    shown = printed(capsys, "--config", path)
    assert "# port is not set: file" in shown
    assert 'memtable-size = "1000KB"' in shown
    shown = printed(capsys, "--config", path, "--port", "7000", "--memory", "64MB")
    assert "# listen is not set: flag --port is stronger" in shown
    assert "port = 7000" in shown
    assert 'host = "127.0.0.1"' in shown
    assert 'memory = "64MB"' in shown
    assert "# memtable-size is not set: flag --memory is stronger" in shown
    shown = printed(capsys, "--port", "7000", "--listen", "json://127.0.0.1:1")
    assert "# port is not set: flag --listen is in its place" in shown


def test_the_password_is_never_shown(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVEIK_PASSWORD", "sesame")
    shown = printed(capsys)
    assert "sesame" not in shown
    assert "# password: not shown, from the environment KVEIK_PASSWORD" in shown
    (tmp_path / "password").write_text("open\n")
    shown = printed(capsys, "--password-file", tmp_path / "password")
    assert "# password is not set: flag --password-file is in its place" in shown
    (tmp_path / "password").write_text("\n")
    line = refused(capsys, "--password-file", tmp_path / "password")
    assert "the first line is the password, and it is empty" in line
    monkeypatch.setenv("KVEIK_PASSWORD", "x" * 513)
    assert "KVEIK_PASSWORD: a password has at most 512 bytes" in refused(capsys)


def test_a_server_runs_on_a_file_named_by_the_environment(
    start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("sesame\n")
    path = config(
        tmp_path,
        f'durability = "interval"\npassword-file = "{tmp_path / "password"}"\n',
    )
    server = start_server(environ=environment(KVEIK_CONFIG=str(path)))
    assert "durability interval" in (server.data_dir.parent / "stdout").read_text()
    with server.resp() as connection:
        assert "NOAUTH" in str(connection.call("PING"))
        assert connection.call("AUTH", "sesame") == "OK"


def test_print_config_serves_nothing_and_makes_nothing(tmp_path: Path) -> None:
    shown = good("serve", "--data-dir", tmp_path / "data", "--print-config")
    assert f'data-dir = "{tmp_path / "data"}"' in shown
    assert not (tmp_path / "data").exists()
    said = call("serve", "--print-config", KVEIK_CONFIG=str(tmp_path / "none"))
    assert (said.code, len(said.err.splitlines())) == (2, 1)


def documented() -> str:
    """The table of docs/configuration.md, as the settings say it."""
    rows = []
    for setting in SETTINGS:
        flag = "" if setting.secret else f"`{setting.flag}`"
        entry = "" if setting.secret else f"`{setting.name}`"
        default = "" if setting.default is None else f"`{default_text(setting)}`"
        help_text = setting.help.replace("|", "\\|")
        rows.append(f"| {flag} | `{setting.variable}` | {entry} | {default} | {help_text} |\n")
    return "".join(rows)


def test_the_page_on_configuration_says_what_the_table_of_settings_says() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert documented() in page, f"it should say:\n{documented()}"


def test_the_file_on_that_page_is_read(capsys: Capture, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "password").write_text("sesame\n")
    example = example.replace("/etc/kveik/password", str(tmp_path / "password"))
    assert "data-dir" in printed(capsys, "--config", config(tmp_path, example))
