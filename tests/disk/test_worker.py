"""Worker processes and the lines that go to and fro; what they do for the engine: test_lanes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from tests.support.echo_worker import GREETING

from kveik.disk.worker import END, Worker

MODULE = "tests.support.echo_worker"


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(MODULE, "argument", GREETING)
    yield worker
    worker.kill()
    worker.close()


def test_each_line_gets_its_answer_and_what_is_printed_is_none(worker: Worker) -> None:
    for line in (b"one\n", b"two\n"):
        assert worker.ask(line) == b"argument " + line


def test_lines_longer_than_a_pipe_holds_go_both_ways(worker: Worker) -> None:
    line = b"x" * 1_000_000 + b"\n"
    assert worker.ask(line) == b"argument " + line


def test_a_worker_that_ends_instead_of_answering_is_noticed(worker: Worker) -> None:
    assert worker.ask(b"end\n") == END
    assert worker.kill() == 3
    assert worker.ask(b"one\n") == END


def test_a_worker_that_is_killed_answers_nothing_more(worker: Worker) -> None:
    assert worker.kill() == -9
    assert worker.kill() == -9
    assert worker.ask(b"one\n") == END
    worker.close()
    worker.close()


def test_a_worker_that_does_not_greet_as_expected_is_refused() -> None:
    with pytest.raises(OSError, match=r"said b'here\\n' and not b'hello\\n'"):
        Worker(MODULE, "argument", b"hello\n")


def test_a_module_that_is_not_there_is_no_worker(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match=r"said b'' and not b'here\\n'"):
        Worker("tests.support.nothing", "argument", GREETING)
    assert "No module named 'tests.support.nothing'" in capfd.readouterr().err


def test_where_python_does_not_know_its_own_program_there_is_no_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(OSError, match="nobody knows which program runs Python here"):
        Worker(MODULE, "argument", GREETING)
