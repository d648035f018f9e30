"""The embedded database, on a real directory unless its disk has to misbehave."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.engine.support.stores import MEMORY, at_once, contents, database, reopen, traced
from tests.support.tools import environment, run, until

import kveik
from kveik.disk.api import Disk
from kveik.disk.faulty import Fault, FaultyDisk, fail_each, no_faults
from kveik.disk.memory import MemoryDisk
from kveik.disk.posix import PosixDisk
from kveik.engine.database import Database
from kveik.engine.opening import open_store
from kveik.errors import (
    ClosedError,
    DiskFullError,
    FailStopError,
    KveikError,
    LimitError,
    LockedError,
    NotKveikError,
    OpenError,
    ReadOnlyError,
)
from kveik.limits import MAX_KEY, MAX_UNWRITTEN, MAX_VALUE, SYNC_INTERVAL

SOON = 0.1  # seconds in which something would have happened that must not

Key = object
Value = object


def on_disk(
    disk: Disk, durability: str = "always", clock: Callable[[], float] = time.time
) -> Database:
    return database(open_store(disk, memory=MEMORY, clock=clock, spawn=at_once), durability)


@contextmanager
def threads(count: int, work: Callable[[int], None]) -> Iterator[None]:
    """`work` in so many threads while the block runs; an error in one is an error here."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        for thread in running:
            thread.join(20)
    assert not any(thread.is_alive() for thread in running)
    if errors:
        raise errors[0]


# --- keys and values ----------------------------------------------------------------------------

VALUES: list[Value] = [
    b"",
    b"\x00\xff",
    "",
    "Grüße \U0001f37a",
    0,
    -(1 << 80),
    0.1,
    1e300,
    True,
    False,
    None,
    [],
    {},
    [1, "two", [3.0, None]],
    {"name": "Ada", "tags": ["x"], "deep": {"er": {}}},
]
KEYS: list[Key] = [
    b"\x00",
    b"bytes",
    "text ü",
    0,
    -7,
    1 << 100,
    0.5,
    float("inf"),
    None,
    True,
    False,
    (),
    ("user", 7, None, b"x", (1.5, "in")),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_with_its_type_also_after_reopening(
    tmp_path: Path, value: Value
) -> None:
    with kveik.open(tmp_path) as db:
        db.put("k", value)
        check_same(db.get("k"), value)
    with kveik.open(tmp_path) as db:
        check_same(db.get("k"), value)
        check_same(next(iter(db.range()))[1], value)


def check_same(found: Value, value: Value) -> None:
    assert found == value
    assert type(found) is type(value)


def test_bytes_that_could_change_later_are_kept_as_they_were(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        changing = bytearray(b"before")
        db.put("k", changing)
        changing[:] = b"after!"
        assert db.get("k") == b"before"
        db.put("k", memoryview(b"seen"))
        assert db.get("k") == b"seen"


def test_every_kind_of_key_is_a_key_of_its_own(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        for number, key in enumerate(KEYS):
            db.put(key, number)
    with kveik.open(tmp_path) as db:
        assert [db.get(key) for key in KEYS] == list(range(len(KEYS)))
        found = [key for key, _ in db.range()]
        expected = [key.encode() if isinstance(key, str) else key for key in KEYS]
        assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_text_and_its_utf_8_are_one_key_and_so_are_equal_numbers(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        db.put("ü", 1)
        db.put("ü".encode(), 2)
        db.put(1, 3)
        db.put(1.0, 4)
        db.put("1", 5)
        db.put(True, 6)
        assert [db.get(key) for key in ("ü", 1, "1", True)] == [2, 4, 5, 6]
        assert len(list(db.range())) == 4


def test_numbers_stand_in_their_order_and_tuples_by_their_items(tmp_path: Path) -> None:
    numbers = [-1000, -2.5, -1, 0, 0.25, 1, 2, 10, 255, 256, 1 << 70]
    tuples = [("a",), ("a", 1), ("a", 2), ("a", 10), ("b",)]
    with kveik.open(tmp_path) as db:
        for key in reversed([*numbers, *tuples]):
            db.put(key, None)
        assert [key for key, _ in db.range(-1000, 1 << 71)] == numbers
        assert [key for key, _ in db.range(("a",), ("a", 10))] == tuples[:3]
        assert [key for key, _ in db.range(-1, 2)] == numbers[2:6]


def test_a_key_that_is_not_there_gives_the_default_and_a_stored_none_is_none(
    tmp_path: Path,
) -> None:
    with kveik.open(tmp_path) as db:
        assert db.get("k") is None
        assert db.get("k", "default") == "default"
        db.put("k", None)
        assert db.get("k", "default") is None


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x".find, {"a": {1}}, {b"a": 1}])
def test_a_value_that_json_cannot_say_is_a_type_error(tmp_path: Path, value: Value) -> None:
    with kveik.open(tmp_path) as db:
        with pytest.raises(TypeError):
            db.put("k", value)
        assert db.get("k", "nothing") == "nothing"


@pytest.mark.parametrize("key", [[], {}, bytearray(b"k"), object(), ("a", [])])
def test_a_key_of_another_type_is_a_type_error_wherever_a_key_is_taken(
    tmp_path: Path, key: Key
) -> None:
    with kveik.open(tmp_path) as db:
        for call in key_calls(db, key):
            with pytest.raises(TypeError):
                call()
        assert list(db.range()) == []


@pytest.mark.parametrize(
    "key", [b"", "", b"k" * (MAX_KEY + 1), "\ud800", float("nan"), 1 << 2100], ids=lambda key: ""
)
def test_a_key_past_its_bounds_is_a_limit_error_wherever_a_key_is_taken(
    tmp_path: Path, key: Key
) -> None:
    with kveik.open(tmp_path) as db:
        for call in key_calls(db, key):
            with pytest.raises(LimitError):
                call()
        assert list(db.range()) == []


def key_calls(db: Database, key: Key) -> list[Callable[[], object]]:
    batch = kveik.Batch()
    calls: list[Callable[[], object]] = [
        lambda: db.get(key),
        lambda: db.put(key, 1),
        lambda: db.delete(key),
        lambda: batch.put(key, 1),
        lambda: batch.delete(key),
    ]
    if key not in ENDS:
        calls.append(lambda: db.range(key))
        calls.append(lambda: db.range(None, key) if key is not None else None)
    return calls


ENDS = (b"", "", b"k" * (MAX_KEY + 1))  # no keys, but before the first and behind the last one


@pytest.mark.parametrize("end", ENDS, ids=lambda end: "")
def test_a_range_may_start_before_every_key_and_end_behind_the_longest(
    tmp_path: Path, end: Key
) -> None:
    with kveik.open(tmp_path) as db:
        db.put(b"k" * MAX_KEY, 1)
        assert len(list(db.range(end, None))) == (len(end) == 0)
        assert len(list(db.range(None, end))) == (len(end) > 0)


def test_a_value_past_its_bounds_is_a_limit_error(tmp_path: Path) -> None:
    circle: list[object] = []
    circle.append(circle)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with kveik.open(tmp_path) as db:
        for value in (bytes(MAX_VALUE + 1), float("nan"), [float("inf")], "\udcff", circle, deep):
            with pytest.raises(LimitError):
                db.put("k", value)
        assert list(db.range()) == []


def test_the_longest_key_works_everywhere(tmp_path: Path) -> None:
    key = b"k" * MAX_KEY
    with kveik.open(tmp_path) as db:
        db.put(key, 1)
        assert db.get(key) == 1
        assert list(db.range(key, None)) == [(key, 1)]
        assert list(db.range(None, key)) == []
        assert db.delete(key)


# --- ranges -------------------------------------------------------------------------------------


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[Database]:
    """a to e, as 1 to 5."""
    with kveik.open(tmp_path) as db:
        for number, letter in enumerate("abcde", 1):
            db.put(letter, number)
        yield db


def found(rows: Iterator[tuple[Key, Value]]) -> str:
    return "".join(key.decode() for key, _ in rows if isinstance(key, bytes))


def test_a_range_includes_its_start_and_not_its_end(letters: Database) -> None:
    assert list(letters.range("b", "d")) == [(b"b", 2), (b"c", 3)]
    assert found(letters.range("b")) == "bcde"
    assert found(letters.range(end="b")) == "a"
    assert found(letters.range()) == "abcde"
    assert found(letters.range("bb", "dd")) == "cd"
    assert found(letters.range("d", "b")) == ""
    assert found(letters.range("b", "b")) == ""


def test_a_range_goes_backward_and_stops_at_its_limit(letters: Database) -> None:
    assert found(letters.range("b", "e", reverse=True)) == "dcb"
    assert found(letters.range(limit=2)) == "ab"
    assert found(letters.range(reverse=True, limit=2)) == "ed"
    assert found(letters.range(limit=0)) == ""
    assert found(letters.range(limit=100)) == "abcde"
    with pytest.raises(LimitError):
        letters.range(limit=-1)


def test_a_range_shows_one_instant_however_late_it_is_read(letters: Database) -> None:
    rows = letters.range()
    letters.put("aa", 0)
    letters.delete("c")
    letters.put("e", "changed")
    assert list(rows) == [(b"a", 1), (b"b", 2), (b"c", 3), (b"d", 4), (b"e", 5)]


# --- deletes and batches ------------------------------------------------------------------------


def test_a_delete_tells_whether_there_was_a_value(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        db.put("k", None)
        assert db.delete("k") is True
        assert db.delete("k") is False
        assert db.get("k", "gone") == "gone"
    with kveik.open(tmp_path) as db:
        assert db.get("k", "gone") == "gone"


def test_a_batch_happens_in_its_order_and_is_empty_afterwards(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        db.put("old", 0)
        batch = kveik.Batch()
        batch.put("a", 1)
        batch.put("a", 2)
        batch.put("b", 3)
        batch.delete("b")
        batch.delete("old")
        batch.delete("never was")
        batch.delete("c")
        batch.put("c", 4)
        assert len(batch) == 8
        assert list(db.range()) == [(b"old", 0)]  # nothing before it is written
        db.write(batch)
        assert len(batch) == 0
        assert list(db.range()) == [(b"a", 2), (b"c", 4)]
        db.write(batch)
        batch.put("d", 5)
        db.write(batch)
        assert list(db.range()) == [(b"a", 2), (b"c", 4), (b"d", 5)]
    with kveik.open(tmp_path) as db:
        assert list(db.range()) == [(b"a", 2), (b"c", 4), (b"d", 5)]


def test_what_cannot_be_added_to_a_batch_leaves_the_rest_of_it(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        batch = kveik.Batch()
        batch.put("a", 1)
        for key, value in (("", 1), ("k", {1}), ([], 1)):
            with pytest.raises((TypeError, LimitError)):
                batch.put(key, value)
        assert len(batch) == 1
        db.write(batch)
        assert list(db.range()) == [(b"a", 1)]


def test_a_batch_past_its_bound_is_refused_whole_and_kept(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        batch = kveik.Batch()
        batch.put("small", 1)
        for number in range(3):
            batch.put(number, bytes(MAX_VALUE))
        with pytest.raises(LimitError):
            db.write(batch)
        assert len(batch) == 4
        assert list(db.range()) == []


# --- expiry -------------------------------------------------------------------------------------


def test_a_value_with_a_ttl_is_gone_when_its_time_is_up_and_stays_so() -> None:
    now = [1000.0]
    disk = MemoryDisk()
    db = on_disk(disk, clock=lambda: now[0])
    db.put("short", 1, ttl=0.5)
    db.put("long", 2, ttl=60)
    db.put("ever", 3)
    assert found(db.range()) == "everlongshort"
    now[0] += 0.499
    assert db.get("short") == 1
    now[0] += 0.001
    assert db.get("short", "gone") == "gone"
    assert not db.delete("short")
    assert found(db.range()) == "everlong"
    db.close()
    again = on_disk(disk, clock=lambda: now[0])
    assert found(again.range()) == "everlong"
    now[0] += 60
    assert found(again.range()) == "ever"


def test_a_put_without_a_ttl_takes_an_earlier_one_away() -> None:
    now = [1000.0]
    db = on_disk(MemoryDisk(), clock=lambda: now[0])
    db.put("k", 1, ttl=1)
    db.put("k", 2)
    now[0] += 10
    assert db.get("k") == 2


def test_a_real_clock_runs(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        db.put("k", 1, ttl=0.2)
        assert db.get("k") == 1
        until(lambda: db.get("k") is None, "the value has expired", seconds=3)


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 1e17, 1e300])
def test_a_ttl_that_is_no_time_to_come_is_a_limit_error(tmp_path: Path, ttl: float) -> None:
    with kveik.open(tmp_path) as db, pytest.raises(LimitError):
        db.put("k", 1, ttl=ttl)


def test_a_refused_ttl_harms_no_write_before_or_behind_it(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        db.put("a", 1)
        for ttl in (1e17, 1e300, float("inf"), float("nan"), -1e17):
            with pytest.raises((LimitError, ValueError, OverflowError)):
                db.put("x", "x", ttl=ttl)
        db.put("b", 2)
        assert list(db.range()) == [(b"a", 1), (b"b", 2)]
    with kveik.open(tmp_path) as db:
        assert list(db.range()) == [(b"a", 1), (b"b", 2)]


# --- opening ------------------------------------------------------------------------------------


def test_a_database_is_made_where_there_is_none_with_the_directories_above_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new" / "and deeper"
    with kveik.open(path) as db:
        db.put("k", 1)
    with kveik.open(str(path), create=False) as db:
        assert db.get("k") == 1


def test_create_false_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="does not exist"):
        kveik.open(tmp_path / "missing", create=False)
    with pytest.raises(NotKveikError):
        kveik.open(tmp_path, create=False)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "LOCK"] == []


def test_a_file_or_a_stranger_s_directory_is_an_open_error(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear Ada")
    with pytest.raises(OpenError, match="file"):
        kveik.open(tmp_path / "letter")
    with pytest.raises(NotKveikError, match="letter"):
        kveik.open(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter"]


@pytest.mark.parametrize("durability", ["", "Always", "never", None])
def test_an_unknown_durability_is_a_value_error_and_makes_nothing(
    tmp_path: Path, durability: str
) -> None:
    with pytest.raises(ValueError, match="always, interval, none"):
        kveik.open(tmp_path / "db", durability=durability)
    assert not (tmp_path / "db").exists()


@pytest.mark.parametrize("memory", ["lots", "", "8 MB 1", "-8MB", "1MB", 1024, "7.9MB", 0])
def test_a_memory_that_is_no_size_or_too_small_is_a_value_error_and_makes_nothing(
    tmp_path: Path, memory: str | int
) -> None:
    with pytest.raises(ValueError, match=r"is no size|at least 8\.0 MB"):
        kveik.open(tmp_path / "db", memory=memory)
    assert not (tmp_path / "db").exists()


@pytest.mark.parametrize(
    ("memory", "segment"),
    [
        ("8MB", 1 << 20),
        ("8 MiB", 1 << 20),
        (8 << 20, 1 << 20),
        ("16m", 2 << 20),
        ("0.0625GB", 8 << 20),
        ("256MB", 32 << 20),
        ("8GB", 64 << 20),
    ],
)
def test_segments_are_sized_by_the_memory(tmp_path: Path, memory: str | int, segment: int) -> None:
    kveik.open(tmp_path, memory=memory).close()
    assert (tmp_path / "0000000001.log").stat().st_size == segment


def test_another_opener_is_refused_and_told_who_holds_the_directory(tmp_path: Path) -> None:
    holder = "import kveik, sys; db = kveik.open(sys.argv[1]); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        for read_only in (False, True):
            with pytest.raises(LockedError, match=str(process.pid)):
                kveik.open(tmp_path, read_only=read_only)
        process.kill()
    kveik.open(tmp_path).close()  # the lock went with its holder


def test_a_second_opening_in_this_process_is_refused_until_the_first_is_closed(
    tmp_path: Path,
) -> None:
    first = kveik.open(tmp_path)
    with pytest.raises(LockedError, match="this process"):
        kveik.open(tmp_path)
    first.put("k", 1)  # and is not harmed
    first.close()
    with kveik.open(tmp_path) as db:
        assert db.get("k") == 1


def test_two_databases_are_open_at_once_and_know_nothing_of_each_other(tmp_path: Path) -> None:
    with kveik.open(tmp_path / "a") as a, kveik.open(tmp_path / "b") as b:
        a.put("k", "in a")
        b.put("k", "in b")
        b.put("only b", 1)
        assert (a.get("k"), b.get("k")) == ("in a", "in b")
        assert found(a.range()) == "k"


def test_a_database_opened_to_be_read_is_read_and_refuses_every_write(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        db.put("k", 1)
        db.put("expires", 2, ttl=1000)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    with kveik.open(tmp_path, read_only=True) as db, kveik.open(tmp_path, read_only=True) as other:
        batch = kveik.Batch()
        batch.put("k", 2)
        for write in (
            lambda: db.put("k", 2),
            lambda: db.delete("k"),
            lambda: db.write(batch),
        ):
            with pytest.raises(ReadOnlyError):
                write()
        assert list(db.range()) == list(other.range()) == [(b"expires", 2), (b"k", 1)]
    after = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    assert {name: data for name, data in after.items() if name != "LOCK"} == {
        name: data for name, data in before.items() if name != "LOCK"
    }


def test_nothing_is_made_by_opening_to_read(tmp_path: Path) -> None:
    with pytest.raises(OpenError):
        kveik.open(tmp_path / "missing", read_only=True)
    assert not (tmp_path / "missing").exists()


# --- several threads ----------------------------------------------------------------------------


def test_whatever_threads_wrote_is_there_and_is_there_again_after_reopening(
    tmp_path: Path,
) -> None:
    with kveik.open(tmp_path, memory="8MB") as db:

        def write_and_read(thread: int) -> None:
            for number in range(25):
                db.put((thread, number), bytes(4000))
                assert db.get((thread, number)) == bytes(4000)
                if number % 5 == 4:
                    assert db.delete((thread, number))
                    assert db.get((thread, number)) is None
            rows = [key for key, _ in db.range((thread,), (thread + 1,))]
            assert rows == [(thread, number) for number in range(25) if number % 5 != 4]

        with threads(8, write_and_read):
            pass
    expected = [(t, n) for t in range(8) for n in range(25) if n % 5 != 4]
    with kveik.open(tmp_path) as db:
        assert [key for key, _ in db.range()] == expected


def test_batches_of_several_threads_are_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    with kveik.open(tmp_path, durability="none") as db:

        def work(thread: int) -> None:
            for number in range(100):
                batch = kveik.Batch()
                for key in range(5):
                    batch.put(key, [thread, number])
                db.write(batch)
                values = [value for _, value in db.range(0, 5)]
                assert values == [values[0]] * 5

        with threads(4, work):
            pass


def test_writes_that_wait_together_share_a_sync(tmp_path: Path) -> None:
    """Sixteen threads on a slow disk: far fewer syncs than writes, and nothing is lost."""
    syncs: list[int] = []

    def slow(number: int, kind: str, name: str) -> Fault | None:
        if kind != "sync":
            return None
        syncs.append(number)
        return Fault(delay=0.003)

    db = on_disk(FaultyDisk(PosixDisk(tmp_path), slow))
    syncs.clear()
    with threads(16, lambda thread: [db.put((thread, n), n) for n in range(10)] and None):
        pass
    assert len(syncs) < 160 / 3
    db.close()
    with kveik.open(tmp_path) as db:
        assert len(list(db.range())) == 160


def test_one_thread_s_writes_are_each_synced(tmp_path: Path) -> None:
    disk, trace = traced(PosixDisk(tmp_path))
    db = on_disk(disk)
    trace.clear()
    for number in range(10):
        db.put(number, number)
    assert [kind for kind, _ in trace] == ["write", "sync"] * 10
    db.close()


class HeldSync:
    """A disk plan under which syncs of the log wait until they are let go."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.go = threading.Event()

    def __call__(self, number: int, kind: str, name: str) -> Fault | None:
        if kind == "sync":
            self.waiting.set()
            assert self.go.wait(20)
        return None


def test_no_read_shows_what_a_crash_could_take_back_and_no_other_read_waits() -> None:
    """A read of a write that is being synced waits with it; also its absence is an answer."""
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    db = on_disk(disk)
    db.put("safe", 0)
    db.put("deleted", 0)
    held = HeldSync()
    disk.plan = held  # FaultyDisk's own mutex is held while it waits: only one operation at a time
    seen: list[object] = []
    reads = [
        lambda: db.get("new"),
        lambda: list(db.range("n", "o")),
        lambda: db.get("deleted", "gone"),
        lambda: db.delete("deleted"),
    ]

    def write(thread: int) -> None:
        batch = kveik.Batch()
        batch.put("new", 1)
        batch.delete("deleted")
        db.write(batch)

    def read(thread: int) -> None:
        assert held.waiting.wait(20)
        seen.append(reads[thread]())

    with threads(1, write), threads(len(reads), read):
        assert held.waiting.wait(20)
        assert db.get("safe") == 0
        assert db.get("never was") is None
        time.sleep(SOON)
        assert seen == []
        held.go.set()
    assert sorted(map(repr, seen)) == sorted(["1", "[(b'new', 1)]", "'gone'", "False"])


# --- durability ---------------------------------------------------------------------------------


def test_always_means_on_the_disk_when_the_write_returns() -> None:
    memory = MemoryDisk()
    db = on_disk(memory)
    db.put("a", b"1")
    db.put("b", b"2")
    db.delete("a")
    assert contents(reopen(memory.crash())) == {b"b": b"2"}


def test_interval_and_none_write_later_and_only_interval_syncs() -> None:
    disks = {name: MemoryDisk() for name in ("interval", "none")}
    databases = {name: on_disk(disk, name) for name, disk in disks.items()}
    for db in databases.values():
        for number in range(20):
            db.put(b"%02d" % number, b"v")
        assert len(list(db.range())) == 20
    time.sleep(SYNC_INTERVAL + 0.3)
    for db in databases.values():
        db.put(b"later", b"not yet written")
    assert len(contents(reopen(disks["interval"].crash()))) == 20
    assert contents(reopen(disks["none"].crash())) == {}
    assert len(contents(reopen(disks["none"].kill()))) == 20


@pytest.mark.slow
def test_interval_syncs_also_while_a_writer_keeps_the_disk_busy() -> None:
    """One write follows on the other; the sync must find its turn among them."""
    syncs: list[float] = []

    def plan(number: int, kind: str, name: str) -> Fault | None:
        if kind == "sync":
            syncs.append(time.monotonic())
        return Fault(delay=0.02) if kind == "write" else None

    disk = FaultyDisk(MemoryDisk())
    db = database(open_store(disk, memory=256 << 20), "interval")
    disk.plan = plan
    end = time.monotonic() + 2.5 * SYNC_INTERVAL
    while time.monotonic() < end:
        db.put("k", bytes(MAX_UNWRITTEN + 1))
    assert len(syncs) >= 1
    db.close()


@pytest.mark.parametrize("durability", ["interval", "none"])
def test_a_writer_that_is_faster_than_the_disk_is_slowed_down(durability: str) -> None:
    """What gathers while a write is under way is bounded too, or memory would not be."""
    waiting, go = threading.Event(), threading.Event()

    def hold(number: int, kind: str, name: str) -> Fault | None:
        if kind == "write":
            waiting.set()
            assert go.wait(20)
        return None

    disk = FaultyDisk(MemoryDisk())
    db = database(open_store(disk, memory=256 << 20), durability)
    disk.plan = hold
    returned: list[int] = []

    def write(thread: int) -> None:
        assert thread == 0 or waiting.wait(20)
        for number in range(1 if thread == 0 else 100):
            db.put((thread, number), bytes(MAX_UNWRITTEN + 1))
            returned.append(number)

    with threads(2, write):
        assert waiting.wait(20)
        time.sleep(3 * SOON)
        gathered = len(returned) * MAX_UNWRITTEN
        go.set()
    db.close()
    assert gathered < 32 * MAX_UNWRITTEN


@pytest.mark.parametrize("durability", ["interval", "none"])
def test_a_writer_that_does_not_wait_gathers_no_more_than_its_bound(durability: str) -> None:
    memory = MemoryDisk()
    db = on_disk(memory, durability)
    for number in range(2 * MAX_UNWRITTEN // 1000):
        db.put(b"%06d" % number, bytes(1000))
    left = contents(reopen(memory.kill()))
    assert len(left) * 1000 > MAX_UNWRITTEN - 1500
    assert sorted(left) == [b"%06d" % number for number in range(len(left))]


@pytest.mark.parametrize("durability", ["always", "interval", "none"])
def test_closing_makes_everything_safe_at_every_durability(durability: str) -> None:
    memory = MemoryDisk()
    db = on_disk(memory, durability)
    for number in range(5):
        db.put(b"%d" % number, b"v")
    db.close()
    assert len(contents(reopen(memory.crash()))) == 5


# --- closing ------------------------------------------------------------------------------------


def test_use_after_close_is_a_closed_error_and_closing_again_is_nothing(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        db.put("k", 1)
        rows = db.range()
    db.close()
    batch = kveik.Batch()
    batch.put("k", 2)
    calls: list[Callable[[], object]] = [
        lambda: db.get("k"),
        lambda: db.range(),
        lambda: db.put("k", 2),
        lambda: db.delete("k"),
        lambda: db.delete("missing"),
        lambda: db.write(batch),
    ]
    for call in calls:
        with pytest.raises(ClosedError):
            call()
    assert len(batch) == 1
    with pytest.raises(ClosedError):
        list(rows)


@pytest.mark.parametrize("durability", ["always", "interval", "none"])
def test_closing_while_others_write_gives_them_a_closed_error_and_loses_nothing(
    tmp_path: Path, durability: str
) -> None:
    """And it comes soon: those who write must not keep the one who closes waiting."""
    db = kveik.open(tmp_path, durability=durability)
    returned: list[tuple[int, int]] = []
    deadline = time.monotonic() + 3

    def write(thread: int) -> None:
        number = 0
        while time.monotonic() < deadline:
            try:
                db.put((thread, number), number)
            except ClosedError:
                return
            returned.append((thread, number))
            number += 1
        raise AssertionError("the database was still open")

    with threads(6, write):
        until(lambda: len(returned) > 60, "some writes have returned")
        db.close()
    with kveik.open(tmp_path) as db:
        assert set(returned) <= {key for key, _ in db.range()}


def test_a_write_whose_sync_is_under_way_when_the_database_is_closed_is_done() -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    db = on_disk(disk)
    held = HeldSync()
    disk.plan = held
    with threads(1, lambda thread: db.put(b"k", b"v")):
        assert held.waiting.wait(20)
        with threads(1, lambda thread: db.close()):
            time.sleep(SOON)
            held.go.set()
    assert contents(reopen(memory.crash())) == {b"k": b"v"}


def test_closed_databases_keep_no_descriptors_and_no_threads(tmp_path: Path) -> None:
    def once() -> None:
        with kveik.open(tmp_path, durability="interval", memory="8MB") as db:
            db.put("k", bytes(600_000))  # a segment is allocated ahead

    once()
    gc.collect()
    descriptors, running = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(5):
        once()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    until(lambda: threading.active_count() <= running, "the threads have ended")


# --- a disk that fails --------------------------------------------------------------------------


def test_a_full_disk_refuses_writes_and_not_reads_and_recovers_by_itself() -> None:
    disk = FaultyDisk(MemoryDisk())
    db = database(open_store(disk, memory=MEMORY), "always")
    db.put("a", bytes(600_000))
    disk.plan = fail_each("allocate", errno.ENOSPC)
    batch = kveik.Batch()
    batch.put("b", bytes(600_000))
    for _ in range(2):
        with pytest.raises(DiskFullError):
            db.write(batch)
        assert len(batch) == 1
        assert db.get("a") == bytes(600_000)
        assert db.get("b") is None
    disk.plan = no_faults
    db.write(batch)
    assert db.get("b") == bytes(600_000)
    db.close()


def test_a_failed_sync_stops_writes_and_what_was_safe_is_still_read() -> None:
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    db = on_disk(disk)
    db.put("a", b"1")
    disk.plan = fail_each("sync", errno.EIO)
    with pytest.raises(FailStopError):
        db.put("b", b"2")
    disk.plan = no_faults
    with pytest.raises(FailStopError):
        db.put("c", b"3")
    with pytest.raises(FailStopError):
        db.delete("a")
    assert db.get("a") == b"1"
    with pytest.raises(FailStopError):  # nobody knows whether it is there
        db.get("b")
    with pytest.raises(FailStopError):
        db.range()
    assert list(db.range("a", "b")) == [(b"a", b"1")]
    assert contents(reopen(memory.crash())) == {b"a": b"1"}


def test_every_thread_that_waits_for_a_sync_that_fails_is_told() -> None:
    disk = FaultyDisk(MemoryDisk())
    db = on_disk(disk)

    def failing(number: int, kind: str, name: str) -> Fault | None:
        return Fault(delay=0.05, errno=errno.EIO) if kind == "sync" else None

    disk.plan = failing
    told: list[int] = []

    def write(thread: int) -> None:
        with pytest.raises(FailStopError):
            db.put(thread, thread)
        told.append(thread)

    with threads(8, write):
        pass
    assert sorted(told) == list(range(8))


@pytest.mark.parametrize("durability", ["interval", "none"])
def test_a_write_in_the_background_that_failed_is_told_to_the_next_writer_and_at_closing(
    durability: str,
) -> None:
    """Writes had returned and are lost: whoever writes or closes must learn of it."""
    disk = FaultyDisk(MemoryDisk())
    db = on_disk(disk, durability)
    disk.plan = fail_each("write", errno.EIO)
    db.put("a", bytes(MAX_UNWRITTEN + 1))
    with pytest.raises(FailStopError):
        db.put("b", 1)
    with pytest.raises(FailStopError):
        db.close()


def test_a_failure_at_closing_is_a_fail_stop_error_and_lets_go_of_the_directory(
    tmp_path: Path,
) -> None:
    disk = FaultyDisk(PosixDisk(tmp_path))
    db = on_disk(disk, "none")
    db.put("a", 1)
    disk.plan = fail_each("write", errno.EIO)
    with pytest.raises(FailStopError):
        db.close()
    kveik.open(tmp_path).close()


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_write_that_ctrl_c_interrupts_loses_no_later_one(operation: str) -> None:
    """Whatever the interrupted one came to, those acknowledged afterwards are there."""
    memory = MemoryDisk()
    disk = FaultyDisk(memory)
    db = on_disk(disk)
    db.put(b"before", b"1")
    armed = [operation]

    def interrupt(number: int, kind: str, name: str) -> Fault | None:
        if kind in armed:
            armed.clear()
            raise KeyboardInterrupt
        return None

    disk.plan = interrupt
    with pytest.raises(KeyboardInterrupt):
        db.put(b"interrupted", b"2")
    acknowledged = {b"before": b"1"}
    try:
        db.put(b"after", b"3")
        acknowledged[b"after"] = b"3"
        db.close()
    except KveikError:
        pass  # refusing is honest, too
    left = contents(reopen(memory.crash()))
    assert {key: left.get(key) for key in acknowledged} == acknowledged


INTERRUPTED_CLOSE = """
import _thread, signal, threading, time
from kveik.disk.faulty import FaultyDisk
from kveik.disk.memory import MemoryDisk
from kveik.engine.database import Database
from kveik.engine.opening import open_store
from kveik.engine.shared import Shared
from kveik.errors import ClosedError

# who starts tests in the background may have had Ctrl-C ignored, and that is inherited
signal.signal(signal.SIGINT, signal.default_int_handler)
waiting, go = threading.Event(), threading.Event()
disk = FaultyDisk(MemoryDisk())
db = Database(Shared(open_store(disk, memory=8 << 20), "always"), lambda path: MemoryDisk())

def hold(number, kind, name):
    if kind == "sync":
        waiting.set()
        go.wait(20)

def write(key):
    try:
        db.put(key, 1)
    except ClosedError:
        pass
    print("ended ", end="", flush=True)

disk.plan = hold
writers = [threading.Thread(target=write, args=(key,), daemon=True) for key in "ab"]
writers[0].start()
waiting.wait(20)
writers[1].start()
time.sleep(0.1)
def interrupt():
    time.sleep(0.2)
    _thread.interrupt_main()
    time.sleep(0.2)
    go.set()

threading.Thread(target=interrupt).start()
try:
    db.close()
except KeyboardInterrupt:
    print("interrupted ", end="", flush=True)
for writer in writers:
    writer.join(3)
"""


def test_a_close_that_ctrl_c_interrupts_leaves_no_writer_waiting_for_ever() -> None:
    printed = run(sys.executable, "-c", INTERRUPTED_CLOSE)
    assert sorted(printed.split()) == ["ended", "ended", "interrupted"]


LATE_WRITER = """
import kveik, sys, threading
db = kveik.open(sys.argv[1], memory="8MB")
main = threading.main_thread()
def work():
    main.join()
    for number in range(12):
        try:
            db.put(number, bytes(100_000))
        except Exception as error:
            print("error", repr(error), flush=True)
        else:
            print("done", number, flush=True)
    db.close()
threading.Thread(target=work).start()
"""


def test_threads_that_outlive_the_main_thread_go_on_writing(tmp_path: Path) -> None:
    """Python lets no executor take work once the main thread has ended; a segment is due then."""
    process = subprocess.run(
        [sys.executable, "-c", LATE_WRITER, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=environment(),
    )
    done = [int(line.split()[1]) for line in process.stdout.splitlines() if "done" in line]
    with kveik.open(tmp_path) as db:
        assert {key for key, _ in db.range()} >= set(done)
    assert done == list(range(12)), process.stdout + process.stderr
