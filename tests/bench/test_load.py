"""The load generator: what it counts, what it refuses, and when it says that it was the limit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import Server
from tests.support.tools import bench_library

bench_library()

from rich.console import Console  # noqa: E402

from kveik.bench import load as load_module  # noqa: E402
from kveik.bench import tcp  # noqa: E402
from kveik.bench.generator import Generator, Job, steps_of  # noqa: E402
from kveik.bench.load import Load, add_up, ceiling, drive, jobs_of, was_limit  # noqa: E402
from kveik.bench.screen import Screen, make_progress  # noqa: E402
from kveik.bench.servers import BenchError  # noqa: E402
from kveik.bench.wires import WIRES, Shape, Target, WireError, learn, parse_target  # noqa: E402

KEYS, SIZE = 300, 50


def load_of(port: int, protocol: str, kind: str, **more: Any) -> Load:
    target = Target(protocol, "127.0.0.1", port)
    usual = Load(target, learn(target, SIZE, KEYS), kind, 5, 1, KEYS, SIZE, 400, 20.0, 1)
    return replace(usual, **more)


@pytest.mark.parametrize("protocol", WIRES)
def test_what_is_written_and_read_is_counted(shared_server: Server, protocol: str) -> None:
    port = shared_server.port
    filled = drive(load_of(port, protocol, "fill", pipeline=7, count=KEYS, processes=2))
    assert filled.round.done == KEYS
    with shared_server.resp() as connection:
        assert connection.call("DBSIZE") == KEYS
    for kind in ("put", "get"):
        for pipeline in (1, 8):
            found = drive(load_of(port, protocol, kind, pipeline=pipeline, processes=2))
            assert 400 <= found.round.done <= 400 + 5 * pipeline
            assert len(found.all_latencies()) * pipeline == found.round.done
            assert not found.round.cut
    drive(load_of(port, protocol, "delete", pipeline=50))
    with shared_server.resp() as connection:
        assert connection.call("DBSIZE") == 0


@pytest.mark.parametrize("letter", "abcdef")
def test_ycsb_over_the_socket(shared_server: Server, letter: str) -> None:
    port = shared_server.port
    drive(load_of(port, "resp", "fill", pipeline=50))
    found = drive(load_of(port, "resp", letter, processes=2))
    assert found.round.done == 400
    assert sum(len(each) for label, each in found.latencies.items() if label != "all") == 400
    assert found.missed == 0 or letter == "d"
    with shared_server.resp() as connection:
        connection.call("FLUSHALL")


def test_the_time_ends_a_run(shared_server: Server) -> None:
    drive(load_of(shared_server.port, "resp", "fill"))
    told: list[int] = []
    endless = load_of(shared_server.port, "resp", "get", count=10**9, limit=0.5)
    found = drive(endless, told.append)
    assert found.round.cut
    assert 0 < found.round.done < 10**9
    assert told == sorted(told) != []


def test_an_answer_that_is_none_ends_the_run(shared_server: Server) -> None:
    with shared_server.resp() as connection:
        connection.call("FLUSHALL")
    for protocol in WIRES:
        with pytest.raises(BenchError, match="the server answered"):
            drive(load_of(shared_server.port, protocol, "get", keys=KEYS))


def test_nobody_listens() -> None:
    shapes = {"put": Shape(5, "+OK\r\n"), "get": Shape(58, "$50\r\n")}
    target = Target("resp", "127.0.0.1", 1)
    with pytest.raises(BenchError, match="refused"):
        drive(Load(target, shapes, "put", 1, 1, KEYS, SIZE, 10, 1.0, 1))


def test_the_generator_alone_is_measured(shared_server: Server) -> None:
    for protocol in ("resp", "frame"):
        assert ceiling(load_of(shared_server.port, protocol, "put")) > 0


def test_answers_in_pieces_are_put_together(shared_server: Server) -> None:
    (job,) = jobs_of(load_of(shared_server.port, "resp", "get"))
    generator = Generator(job)
    step = steps_of(job)[0]
    lengths, heads = {"get*1": 57}, {"get*1": b"$50\r\n"}

    class Mine:
        answer, part = step.answer, b""

    mine: Any = Mine()
    whole = b"$50\r\n" + b"v" * 50 + b"\r\n"
    for byte in whole[:-1]:
        assert not generator._whole(mine, bytes([byte]), lengths, heads)
    assert generator._whole(mine, whole[-1:], lengths, heads)
    assert mine.part == b""
    with pytest.raises(WireError, match="READONLY"):
        generator._whole(mine, b"-READONLY\r\n", lengths, heads)
    with pytest.raises(WireError, match="closed"):
        generator._whole(mine, b"", lengths, heads)
    with pytest.raises(WireError, match="-1"):
        generator._whole(mine, b"$-1\r\n", lengths, heads)


def test_the_load_is_shared_out(shared_server: Server) -> None:
    load = load_of(shared_server.port, "resp", "put", connections=5, count=103, processes=3)
    jobs: list[Job] = jobs_of(load)
    assert [job.connections for job in jobs] == [2, 2, 1]
    assert sum(job.count for job in jobs) == 103
    assert len(jobs_of(replace(load, connections=2))) == 2


# --- is it the limit? -----------------------------------------------------------------------------


def test_a_generator_that_is_busy_was_the_limit() -> None:
    assert was_limit(rate=1000, busy=0.95, able=10_000) == "it was 95% busy"


def test_a_generator_whose_ceiling_is_near_was_the_limit() -> None:
    assert "1,200/s at most" in was_limit(rate=1000, busy=0.85, able=1200)


def test_a_generator_with_room_was_not_the_limit() -> None:
    assert was_limit(rate=1000, busy=0.5, able=10_000) == ""
    assert was_limit(rate=1000, busy=0.5, able=900) == ""  # the responder is slow, not it


def test_several_processes_are_added_up() -> None:
    base = {"missed": 0, "cut": False, "waited": 0.0}
    one = {**base, "begin": 0, "end": 10**9, "done": 10, "cpu": 0.5, "taken": {"put": {"1000": 10}}}
    two = {**base, "begin": 10**9, "end": 2 * 10**9, "done": 30, "cpu": 0.9}
    found = add_up([one, {**two, "taken": {"put": {"3000": 30}}}])
    assert (found.round.done, found.round.seconds, found.busy) == (40, 2.0, 0.9)
    assert len(found.all_latencies()) == len(found.latencies["put"]) == 40


@pytest.fixture
def screen() -> Iterator[Screen]:
    console = Console(quiet=True)
    with make_progress(console) as progress:
        yield Screen(console, progress)


def test_the_warning_names_the_generator(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, shared_server: Server
) -> None:
    monkeypatch.setattr(load_module, "BUSY", -1.0)  # so that any share is too much
    url = f"redis://127.0.0.1:{shared_server.port}"
    options = tcp.Options(200, 4, 1, "", "always", 100, SIZE, 1, 5.0, 1, url)
    found = tcp.Tcp(options)
    found.run(screen)
    assert len(found.section.warnings) == 2
    for case, warning in zip(("writes", "reads"), found.section.warnings, strict=True):
        assert warning.startswith(f"{case}: the load generator may have been the limit")
        assert "--processes 2" in warning
    with shared_server.resp() as connection:
        assert connection.call("DBSIZE") == 0  # what runs is left as it was


# --- where it goes --------------------------------------------------------------------------------


def test_urls() -> None:
    assert parse_target("redis://h:7/3", "") == Target("resp", "h", 7, "", "", 3)
    assert parse_target("redis://:p%40ss@h", "") == Target("resp", "h", 6379, "", "p@ss")
    assert parse_target("json://h:9999", "") == Target("json", "h", 9999)
    assert parse_target("redis://h:1", "text") == Target("text", "h", 1)
    assert parse_target("unix:///run/s", "") == Target("resp", path="/run/s")
    for bad in ("h:1", "http://h", "redis://", "redis://h:x", "redis://h/x", "redis://h:99999"):
        with pytest.raises(ValueError, match="no URL of a server"):
            parse_target(bad, "")
    with pytest.raises(ValueError, match="numbered databases"):
        parse_target("redis://h/2", "json")


def test_a_password_and_a_database(tmp_path: Path, start_server: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    server = start_server("--password-file", str(secret))
    target = parse_target(f"redis://:open%20sesame@127.0.0.1:{server.port}/3", "")
    shapes = learn(target, SIZE, KEYS)
    load = Load(target, shapes, "fill", 2, 1, KEYS, SIZE, KEYS, 10.0, 1)
    assert drive(load).round.done == KEYS
    wrong = replace(target, password="x")  # noqa: S106
    with pytest.raises(WireError, match="WRONGPASS"):
        learn(wrong, SIZE, KEYS)


def test_a_generator_needs_the_standard_library_alone() -> None:
    """It must not be slowed by what it does not need."""
    import subprocess

    code = (
        "import json, sys; before = set(sys.modules); import kveik.bench.generator, "
        "kveik.bench.responder; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules "
        "if m not in before and m.partition('.')[0] not in sys.stdlib_module_names})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) <= {"kveik"}
