"""`kveik bench durability` finds what is lost and what is wrong, and nothing where nothing is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import pytest
from tests.support.tools import bench_library, until

bench_library()

from rich.console import Console  # noqa: E402

from kveik.bench.durability import (  # noqa: E402
    Durability,
    Options,
    Verdict,
    Writer,
    judge,
    value_at,
)
from kveik.bench.screen import Screen, make_progress  # noqa: E402
from kveik.bench.servers import Argv, BenchError, kveik_argv, running  # noqa: E402

FORGETFUL = Path(__file__).parents[1] / "support" / "forgetful_server.py"
SIZE = 40


def measure(writes: int, tests: int, server: Argv | None = None) -> Durability:
    found = Durability(Options(writes, tests, "always", 4, SIZE, seed=5), server)
    console = Console(quiet=True)
    with make_progress(console) as progress:
        found.run(Screen(console, progress))
    return found


# --- real servers ---------------------------------------------------------------------------------


def test_a_durable_server_loses_nothing() -> None:
    found = measure(400, 2)
    assert not found.failed
    assert found.section.warnings == []
    assert [row["lost"] + row["wrong"] for row in found.section.tests] == [0, 0]
    assert all(row["acknowledged"] > 0 for row in found.section.tests)
    assert all(row["in_flight"] <= 4 for row in found.section.tests)
    facts = found.section.results[0].facts
    assert facts["loss_percent"] == 0
    assert facts["acknowledged"] == sum(row["acknowledged"] for row in found.section.tests)


def test_a_server_that_writes_nothing_down_loses_everything() -> None:
    def forgetful(port: int, data: Path) -> list[str]:
        return [sys.executable, str(FORGETFUL), str(port)]

    found = measure(300, 1, forgetful)
    assert found.failed
    (row,) = found.section.tests
    assert row["lost"] == row["acknowledged"] > 0
    assert row["loss_percent"] == 100
    assert found.section.results[0].facts["most_loss_percent"] == 100
    assert "acknowledged writes lost" in found.section.warnings[0]


def test_a_log_whose_tail_is_cut_off_has_lost_something() -> None:
    starts = 0
    serve = kveik_argv("always")

    def cut(port: int, data: Path) -> list[str]:
        nonlocal starts
        starts += 1
        if starts == 2:
            (segment,) = [p for p in data.glob("*.log") if len(p.read_bytes().rstrip(b"\0")) > 4096]
            used = len(segment.read_bytes().rstrip(b"\0"))
            with segment.open("r+b") as file:
                file.seek(used * 2 // 3)
                file.write(bytes(used - used * 2 // 3))
        return serve(port, data)

    found = measure(1000, 1, cut)
    assert found.failed
    (row,) = found.section.tests
    assert 0 < row["lost"] < row["acknowledged"]
    assert row["wrong"] == 0


def test_a_server_that_refuses_writes_ends_the_run() -> None:
    def refusing(port: int, data: Path) -> list[str]:
        text = FORGETFUL.read_text().replace('b"+OK\\r\\n"', 'b"-READONLY no\\r\\n"')
        return [sys.executable, "-c", text, str(port)]

    with pytest.raises(BenchError, match="READONLY"):
        measure(100, 1, refusing)


# --- the judge ------------------------------------------------------------------------------------


class Wrote:
    """What a Writer knows, without a connection."""

    def __init__(self, sent: int, acknowledged: int) -> None:
        self.sent, self.acknowledged = sent, acknowledged

    def key_of(self, sequence: int) -> str:
        return f"key{sequence // 2}"

    def value_of(self, sequence: int) -> bytes:
        return value_at(self.key_of(sequence), sequence, SIZE)


def verdict(sent: int, acknowledged: int, *found: tuple[int, bytes | None]) -> Verdict:
    writer = cast(Writer, Wrote(sent, acknowledged))
    said = Verdict()
    judge(writer, found, said)
    return said


def of(sequence: int) -> bytes:
    return value_at(f"key{sequence // 2}", sequence, SIZE)


def test_what_was_acknowledged_last_is_there() -> None:
    said = verdict(4, 4, (0, of(1)), (2, of(3)))
    assert (said.lost, said.wrong, said.kept) == (0, 0, 0)
    assert said.acknowledged == 4


def test_a_missing_key_loses_each_of_its_acknowledged_writes() -> None:
    assert verdict(4, 4, (0, None), (2, of(3))).lost == 2
    assert verdict(3, 3, (0, of(1)), (2, None)).lost == 1


def test_an_older_value_is_a_loss() -> None:
    said = verdict(2, 2, (0, of(0)))
    assert (said.lost, said.wrong) == (1, 0)


def test_what_was_not_answered_may_be_there_or_not() -> None:
    for found, kept in ((None, 0), (of(2), 1)):
        said = verdict(3, 2, (0, of(1)), (2, found))
        assert (said.lost, said.wrong, said.in_flight, said.kept) == (0, 0, 1, kept)
    said = verdict(4, 3, (0, of(1)), (2, of(2)))
    assert (said.lost, said.kept) == (0, 0)


def test_a_value_of_another_key_or_of_nobody_is_wrong() -> None:
    said = verdict(4, 4, (0, of(3)), (2, b"rubbish"))
    assert (said.lost, said.wrong) == (4, 2)
    assert "rubbish" in said.examples[1]


def test_a_value_that_nobody_sent_is_wrong_though_nothing_is_lost() -> None:
    said = verdict(1, 0, (0, of(1)))
    assert (said.lost, said.wrong) == (0, 1)


def test_values_differ_from_write_to_write_and_from_key_to_key() -> None:
    values = {value_at(key, n, SIZE) for key in ("a", "b") for n in range(100)}
    assert len(values) == 200
    assert {len(value) for value in values} == {SIZE}


def test_a_writer_ends_when_its_server_is_killed() -> None:
    with running("kveik", kveik_argv("always"), {}) as server:
        writer = Writer(server.port, "w", SIZE)
        writer.start()
        until(lambda: writer.acknowledged > 5, "some writes")
        server.kill9()
        writer.join(10)
        assert not writer.is_alive()
        assert writer.acknowledged <= writer.sent <= writer.acknowledged + 1
