"""Each sub-command of `kveik bench` end to end, small: what it prints, its JSON, its report."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import Server
from tests.support.tools import SOURCES, bench_library

bench_library()

from kveik.bench import asked, everything, machine  # noqa: E402
from kveik.bench.results import SCHEMA  # noqa: E402
from kveik.cli.main import main  # noqa: E402

TINY = everything.Scale(
    entries=1000,
    rounds=1,
    limit=2.0,
    sizes=(0, 500),
    writes=300,
    requests=500,
    keys=200,
    tests=1,
    killed_after=200,
    peer_workloads="fillrandom",
    letters="c",
)
MACHINE = machine.describe
RATE = {"median", "min", "max"}
DURABLE = ("--durability", "always")
TIMES = {"count", "mean", "min", "p50", "p90", "p99", "p99.9", "max"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", SOURCES)
    monkeypatch.setattr(machine, "describe", described)
    return tmp_path


def described(python: str, disk: dict[str, str], versions: dict[str, str]) -> dict[str, Any]:
    """The machine stays the same: it is looked at once."""
    about = _described(python)
    return {**about, "versions": {**about["versions"], **versions}}


@cache
def _described(python: str) -> dict[str, Any]:
    return MACHINE(python, {}, {})


def bench(*words: str | int, code: int = 0) -> dict[str, Any]:
    """The JSON document that a run has written, checked, and its report too."""
    files = ("--json", "out.json", "--report", "out.html")
    assert main(["bench", *map(str, words), *files]) == code
    document: dict[str, Any] = json.loads(Path("out.json").read_text())
    check_document(document)
    check_report(Path("out.html").read_text(), document)
    for chart in Path().glob("out*.svg"):
        assert chart.read_text().lstrip().startswith("<svg")
    return document


def check_document(document: dict[str, Any]) -> None:
    assert document["schema"] == SCHEMA
    assert document["complete"] is True
    assert {"cpu", "cores", "kernel", "temp_filesystem", "sync_us"} <= document["machine"].keys()
    assert {"python", "kveik"} <= document["versions"].keys()
    assert document["sections"]
    for section in document["sections"]:
        assert section["results"]
        assert section["title"]
        for result in section["results"]:
            check_result(result)


def check_result(result: dict[str, Any]) -> None:
    assert result["rate"].keys() == RATE
    assert 0 < result["rate"]["min"] <= result["rate"]["median"] <= result["rate"]["max"]
    for each in result["rounds"]:
        assert each["rate"] == pytest.approx(each["done"] / each["seconds"], rel=0.01)
    times = result["latency_us"]
    if times["count"]:
        assert times.keys() == TIMES
        middle = [times[name] for name in ("min", "p50", "p90", "p99", "p99.9", "max")]
        # the histogram is right to a thousandth, the ends are exact
        assert all(low <= high * 1.002 for low, high in pairwise(middle))
        assert times["min"] <= times["mean"] <= times["max"]
        assert len(result["percentiles"]) >= 2


def check_report(page: str, document: dict[str, Any]) -> None:
    """It holds its parts, and nothing that would be fetched."""
    for section in document["sections"]:
        assert section["title"] in page
    assert document["machine"]["cpu"] in page
    outside = page.replace("http://www.w3.org/2000/svg", "")
    outside = outside.replace("http://www.w3.org/1999/xlink", "")
    assert not re.search(r"https?://|<script|<link|@import|url\(\s*['\"]?[^#'\")]", outside)
    assert not re.search(r"(?:src|href)\s*=\s*['\"](?!#)", outside)
    assert page.count("<table>") >= len(document["sections"])


def names(section: dict[str, Any]) -> list[str]:
    return [result["name"] for result in section["results"]]


def test_direct(capsys: pytest.CaptureFixture[str]) -> None:
    document = bench("direct", "--writes", "1,500", "--rounds", 1, "--limit", 0.3, *DURABLE)
    (section,) = document["sections"]
    assert names(section)[:2] == ["writes", "writes, 32 threads"]
    assert {"reads", "all entries in order"} <= set(names(section))
    assert all(0 < result["latency_us"]["count"] <= 1500 for result in section["results"])
    told = capsys.readouterr().out
    assert "written: " in told
    assert str(Path("out.json").absolute()) in told
    assert Path("out.svg").exists()


def test_tcp() -> None:
    words = ("--writes", 500, "--connections", 5, "--keys", 200, "--rounds", 1)
    document = bench("tcp", "--protocol", "frame", *words)
    (section,) = document["sections"]
    assert names(section)[:2] == ["writes", "reads"]
    facts = section["results"][0]["facts"]
    assert facts["generator_ceiling"] > 0
    assert 0 < facts["busy"] <= 1.1
    assert section["parameters"]["protocol"] == "frame"


def test_tcp_of_a_server_that_runs(server: Server) -> None:
    url = f"redis://127.0.0.1:{server.port}/2"
    with server.resp() as connection:
        connection.call("SET", "mine", "stays")
    bench("tcp", "--url", url, "--writes", 300, "--keys", 100, "--pipeline", 4, "--rounds", 1)
    with server.resp() as connection:
        connection.call("SELECT", 2)
        assert connection.call("DBSIZE") == 0
        connection.call("SELECT", 0)
        assert connection.call("GET", "mine") == b"stays"


def test_writes() -> None:
    document = bench("writes", "--writes", 300, "--most", 1000, "--rounds", 1)
    (section,) = document["sections"]
    assert names(section) == ["0 keys", "100 keys", "1,000 keys"]
    assert [result["facts"]["existing"] for result in section["results"]] == [0, 100, 1000]
    for result in section["results"]:
        assert [each["done"] for each in result["rounds"]] == [300]
        assert result["latency_us"]["count"] == 300


def test_durability(capsys: pytest.CaptureFixture[str]) -> None:
    document = bench("durability", "--writes", 300, "--tests", 2, "--seed", 7)
    (section,) = document["sections"]
    assert [test["loss_percent"] for test in section["tests"]] == [0, 0]
    assert "seed 7" in section["notes"]
    told = capsys.readouterr().out
    assert "acknowledged writes lost: 0 %" in told
    assert "seed 7" in told


def test_ycsb_in_process() -> None:
    document = bench("ycsb", "D", "--records", 500, "--operations", 300, "--rounds", 1)
    assert names(document["sections"][0]) == ["D load", "D run"]


def test_ycsb_with_threads() -> None:
    words = ("--records", 200, "--operations", 100, "--rounds", 1, "--threads", 3)
    document = bench("ycsb", "d", *words, *DURABLE)
    assert len(document["sections"][0]["results"]) == 2


def test_ycsb_over_the_socket(server: Server) -> None:
    words = ("--records", 300, "--operations", 200, "--rounds", 1, "--threads", 4)
    document = bench("ycsb", "e", "--url", f"redis://127.0.0.1:{server.port}", *words)
    assert {"E load", "E run", "E: each scan"} <= set(names(document["sections"][0]))
    with server.resp() as connection:
        assert connection.call("DBSIZE") == 0
    bench("ycsb", "b", "--served", *words)


def test_peers_say_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from kveik.bench import embedded
    from kveik.bench import peers as module

    real = embedded.find_engine

    def find(name: str) -> Any:
        if name == "rocksdict":
            raise ImportError("No module named 'rocksdict'")
        return real(name)

    monkeypatch.setattr(embedded, "find_engine", find)
    monkeypatch.setattr(module.shutil, "which", lambda program: None)
    words = ("--entries", 1000, "--rounds", 1, "--requests", 200, "--only", "fillrandom")
    document = bench("peers", "--peers", "rocksdict,sqlite3,redis-server", *words)
    embedded_section, served = document["sections"]
    assert "rocksdict is not installed: pip install rocksdict" in embedded_section["notes"]
    assert "redis-server is not installed: apt-get install redis-server" in served["notes"]
    assert [result["subject"] for result in embedded_section["results"]] == ["kveik", "sqlite3"]
    assert embedded_section["results"][1]["facts"]["ratio"] > 0


@pytest.mark.slow
def test_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "QUICK", TINY)
    document = bench("all", "--quick")
    found = [section["name"] for section in document["sections"]]
    assert found == ["direct", "tcp", "writes", "durability", "ycsb", "peers", "peers"]


def test_results_go_to_a_directory_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "writes", "--writes", "10", "--most", "1", "--rounds", "1"]) == 0
    (path,) = Path("kveik-bench").glob("writes-*.json")
    assert str(path.absolute()) in capsys.readouterr().out


def test_a_server_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "tcp", "--url", "redis://127.0.0.1:1", "--rounds", "1"]) == 1
    assert "Connection refused" in capsys.readouterr().out
    assert main(["bench", "tcp", "--url", "nonsense"]) == 2
    assert "no URL of a server" in capsys.readouterr().err
    assert main(["bench", "peers", "--peers", "oracle"]) == 2
    assert "no peer is called 'oracle'" in capsys.readouterr().err
