"""The faulty disk: the planned fault, at the planned operation, and nowhere else."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable

import pytest

from kveik.disk.faulty import (
    Fault,
    FaultyDisk,
    Stopped,
    crash_at,
    delay_nth,
    fail_each,
    fail_nth,
    tear_nth,
)
from kveik.disk.memory import MemoryDisk

# One of each operation, in the order of its numbers; the names are those that a plan is told.
HISTORY = [
    ("create", "a"),
    ("allocate", "a"),
    ("write", "a"),
    ("read", "a"),
    ("read", "a"),
    ("sync", "a"),
    ("rename", "a"),
    ("sync_names", ""),
    ("open", "b"),
    ("link", "b"),
    ("remove", "b"),
]


def run(disk: FaultyDisk) -> None:
    file = disk.create("a")
    file.allocate(20)
    file.write(0, [b"hel", b"lo"])
    file.read(0, 5)
    file.read_now(0, 5)
    file.sync()
    disk.rename("a", "b")
    disk.sync_names()
    disk.open("b")
    disk.link("b", MemoryDisk())
    disk.remove("b")


def state(disk: MemoryDisk) -> dict[str, bytes]:
    return {name: disk.open(name).read(0, 100) for name in disk.names()}


def states() -> list[dict[str, bytes]]:
    """What the disk within shows before each operation of the history."""
    start: dict[str, bytes] = {}
    empty, room = {"a": b""}, {"a": bytes(20)}
    written = b"hello" + bytes(15)
    return [start, empty, room, *[{"a": written}] * 4, *[{"b": written}] * 4]


def test_operations_are_counted_and_named_in_their_order() -> None:
    seen: list[tuple[int, str, str]] = []

    def plan(number: int, operation: str, name: str) -> None:
        seen.append((number, operation, name))

    disk = FaultyDisk(MemoryDisk(), plan)
    run(disk)
    assert seen == [(number, *step) for number, step in enumerate(HISTORY)]
    assert disk.count == len(HISTORY)


def test_looking_locking_and_closing_are_not_counted() -> None:
    disk = FaultyDisk(MemoryDisk())
    disk.lock()
    file = disk.create("a")
    file.size()
    disk.names()
    file.close()
    disk.close()
    assert disk.count == 1


@pytest.mark.parametrize("n", range(len(HISTORY)))
def test_the_nth_operation_fails_and_does_nothing(n: int) -> None:
    inner = MemoryDisk()
    with pytest.raises(OSError, match="No space left") as caught:
        run(FaultyDisk(inner, fail_nth(n, errno.ENOSPC)))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, HISTORY[n][1])
    assert state(inner) == states()[n]


def test_a_failure_is_of_one_operation_and_counts() -> None:
    disk = FaultyDisk(MemoryDisk(), fail_nth(1, errno.EIO))
    file = disk.create("a")
    with pytest.raises(OSError, match="Input/output error"):
        file.write(0, [b"x"])
    file.write(0, [b"y"])
    assert (file.read(0, 10), disk.count) == (b"y", 4)


def test_a_failed_sync_makes_nothing_durable() -> None:
    inner = MemoryDisk()
    disk = FaultyDisk(
        inner, lambda number, kind, name: Fault(errno=errno.EIO) if kind == "sync" else None
    )
    file = disk.create("a")
    disk.sync_names()
    file.write(0, [b"hello"])
    with pytest.raises(OSError, match="Input/output error"):
        file.sync()
    assert state(inner.crash()) == {"a": b""}


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 9])
def test_a_torn_write_writes_its_first_bytes_and_fails(after: int) -> None:
    disk = FaultyDisk(MemoryDisk(), tear_nth(1, after, errno.ENOSPC))
    file = disk.create("a")
    with pytest.raises(OSError, match="No space left"):
        file.write(2, [b"ab", b"cde"])
    assert file.read(0, 10) == b"\0\0" + b"abcde"[:after]


def test_a_tear_of_another_operation_is_a_failure() -> None:
    disk = FaultyDisk(MemoryDisk(), tear_nth(0, 3))
    with pytest.raises(OSError, match="Input/output error"):
        disk.create("a")
    assert disk.names() == []


def test_a_tear_without_a_failure_is_refused() -> None:
    with pytest.raises(ValueError, match="torn write"):
        Fault(after=1)


def test_a_delayed_operation_is_late_and_performed(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    disk = FaultyDisk(MemoryDisk(), delay_nth(1, 0.25))
    file = disk.create("a")
    file.write(0, [b"hello"])
    assert (file.read(0, 5), waits) == (b"hello", [0.25])


@pytest.mark.parametrize("n", range(len(HISTORY)))
def test_a_crash_comes_before_its_operation(n: int) -> None:
    inner = MemoryDisk()
    disk = FaultyDisk(inner, crash_at(n))
    with pytest.raises(Stopped, match=f"before disk operation {n}$"):
        run(disk)
    assert state(inner) == states()[n]


def test_a_crash_after_the_last_operation_never_comes() -> None:
    inner = MemoryDisk()
    run(FaultyDisk(inner, crash_at(len(HISTORY))))
    assert state(inner) == {}


def test_nothing_works_after_a_crash_but_closing() -> None:
    inner = MemoryDisk()
    disk = FaultyDisk(inner, crash_at(1))
    disk.lock()
    file = disk.create("a")
    uses: list[Callable[[], object]] = [
        lambda: file.write(0, [b"x"]),
        file.size,
        file.sync,
        lambda: file.read(0, 1),
        lambda: file.write(0, [b"x"]),
        lambda: file.allocate(10),
        disk.names,
        disk.sync_names,
        disk.lock,
        lambda: disk.create("b"),
        lambda: disk.open("a"),
        lambda: disk.rename("a", "b"),
        lambda: disk.remove("a"),
        lambda: disk.link("a", MemoryDisk()),
    ]
    for use in uses:
        with pytest.raises(Stopped):
            use()
    file.close()
    disk.close()
    assert state(inner) == {"a": b""}
    assert disk.count == 2


def test_a_crash_is_no_error_that_a_handler_may_take() -> None:
    disk = FaultyDisk(MemoryDisk(), crash_at(0))
    with pytest.raises(Stopped), contextlib.suppress(Exception):
        disk.create("a")


def test_a_crash_may_raise_what_the_test_wants_and_tear_its_write() -> None:
    inner = MemoryDisk()
    disk = FaultyDisk(inner, crash_at(1, after=2, stop=KeyError("mine")))
    file = disk.create("a")
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            file.write(0, [b"hello"])
    assert state(inner) == {"a": b"he"}


def test_a_kind_of_operation_may_fail_each_time_until_the_plan_changes() -> None:
    disk = FaultyDisk(MemoryDisk(), fail_each("write", errno.ENOSPC, prefix="log"))
    log, other = disk.create("log-1"), disk.create("table-1")
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            log.write(0, [b"x"])
    other.write(0, [b"y"])
    log.sync()
    disk.plan = lambda number, operation, name: None
    log.write(0, [b"x"])
    assert (log.read(0, 9), other.read(0, 9)) == (b"x", b"y")
