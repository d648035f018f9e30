"""KV.WATCH: changes told in order, once, and only what is safe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.server.bench import Bench
from tests.support.wire import frame

from kveik.disk.memory import MemoryDisk
from kveik.engine.lanes import ThreadLane
from kveik.engine.opening import open_store
from kveik.engine.upkeep import Upkeep
from kveik.limits import FEED_PAGE, MAX_KEY, OUTPUT_BOUND
from kveik.wire.replies import ReplyEncoder


@pytest.fixture
def bench() -> Bench:
    return Bench()


def pushes(*items: list[object], protocol: int = 2) -> bytes:
    encoder = ReplyEncoder()
    for item in items:
        encoder.add(item)
    return encoder.take()


def told(prefix: bytes, lsn: int, *changes: list[object]) -> list[object]:
    return [b"kv.watch", prefix, lsn, list(changes)]


def do(bench: Bench, *requests: bytes) -> None:
    """Another client does something, and it is safe."""
    other, _ = bench.connect()
    for request in requests:
        other.data_received(request)
        bench.loop.turn()
    other.connection_lost(None)


def ask(bench: Bench, *words: bytes | str | int) -> bytes:
    """What the first connection gets to see after a request."""
    before = len(bench.transport.written)
    bench.session.data_received(frame(*words))
    bench.loop.turn()
    return bench.transport.written[before:]


def seen(bench: Bench, *requests: bytes) -> bytes:
    """What the first connection gets to see while another one does something."""
    before = len(bench.transport.written)
    do(bench, *requests)
    return bench.transport.written[before:]


def test_changes_are_told_as_they_become_safe(bench: Bench) -> None:
    do(bench, frame("SET", "a1", "x"))
    assert ask(bench, "KV.WATCH", "a") == b":1\r\n"
    assert seen(bench, frame("SET", "b1", "x")) == b""
    assert seen(bench, frame("SET", "a1", "y")) == pushes(told(b"a", 3, [b"put", b"a1", b"y"]))
    assert seen(bench, frame("DEL", "a1", "b1")) == pushes(told(b"a", 4, [b"delete", b"a1"]))


def test_a_commit_is_told_as_a_whole_and_in_its_order(bench: Bench) -> None:
    ask(bench, "KV.WATCH", "a")
    changes = [[b"put", b"a2", b"1"], [b"put", b"a1", b"2"], [b"put", b"a2", b"3"]]
    request = frame("MSET", "a2", 1, "b", 0, "a1", 2, "a2", 3)
    assert seen(bench, request) == pushes(told(b"a", 1, *changes))


def test_an_expiry_is_told(bench: Bench) -> None:
    ask(bench, "KV.WATCH", "")
    change = [b"put", b"a", b"1", 9_000_000_000_000]
    assert seen(bench, frame("SET", "a", 1, "PXAT", 9_000_000_000_000)) == pushes(
        told(b"", 1, change)
    )


@pytest.mark.parametrize(
    ("prefix", "request_", "change"),
    [
        ("", ["FLUSHDB"], [b"-", b"+"]),
        ("", ["FLUSHALL"], [b"-", b"+"]),
        ("a", ["FLUSHALL"], [b"[a", b"(b"]),
        ("a", ["KV.DELRANGE", "-", "+"], [b"[a", b"(b"]),
        ("a", ["KV.DELRANGE", "[a5", "(a7"], [b"[a5", b"(a7"]),
        ("a", ["KV.DELRANGE", "[a5", "+"], [b"[a5", b"(b"]),
        ("", ["KV.DELRANGE", "(a5", "+"], [b"[a5\0", b"+"]),
        ("a", ["KV.DELRANGE", "[b", "+"], None),
        ("b", ["KV.DELRANGE", "-", "(b"], None),
    ],
)
def test_a_range_that_was_deleted_is_told_as_far_as_it_is_watched(
    bench: Bench, prefix: str, request_: list[str], change: list[bytes] | None
) -> None:
    ask(bench, "KV.WATCH", prefix)
    expected = pushes(told(prefix.encode(), 1, [b"delrange", *change])) if change else b""
    assert seen(bench, frame(*request_)) == expected


def test_types_are_told_to_whoever_asks(bench: Bench) -> None:
    ask(bench, "KV.WATCH", "", "types")
    changes = [
        [b"put", b"a", b"json", b"[1]"],
        [b"put", b"b", b"text", b"x"],
        [b"put", b"c", b"bytes", b"y"],
    ]
    request = frame("KV.MPUT", "a", "json", "[1]", "b", "text", "x", "c", "bytes", "y")
    assert seen(bench, request) == pushes(told(b"", 1, *changes))
    change = [b"put", b"a", b"text", b"1", 9_000_000_000_000]
    request = frame("KV.PUT", "a", "text", 1, "PXAT", 9_000_000_000_000)
    assert seen(bench, request, frame("DEL", "a")) == pushes(
        told(b"", 2, change), told(b"", 3, [b"delete", b"a"])
    )
    assert ask(bench, "KV.UNWATCH") == b":1\r\n"
    assert ask(bench, "KV.WATCH", "", "FROM", 1, "TYPES").startswith(b":1\r\n")


def test_another_database_is_not_told_of(bench: Bench) -> None:
    ask(bench, "SELECT", 1)
    ask(bench, "KV.WATCH", "")
    assert seen(bench, frame("SET", "a", 1) + frame("FLUSHDB")) == b""
    assert seen(bench, frame("SELECT", 1) + frame("SET", "a", 1)) == pushes(
        told(b"", 3, [b"put", b"a", b"1"])
    )


def test_in_resp3_it_is_a_push(bench: Bench) -> None:
    ask(bench, "HELLO", 3)
    ask(bench, "KV.WATCH", "a")
    push = seen(bench, frame("SET", "a", 1))
    assert push == b">" + pushes(told(b"a", 1, [b"put", b"a", b"1"]))[1:]


def test_what_is_not_synced_is_not_told(bench: Bench) -> None:
    ask(bench, "KV.WATCH", "")
    bench._host.gate.busy = True
    assert seen(bench, frame("SET", "a", 1)) == b""
    bench._host.gate.busy = False
    assert seen(bench, frame("SET", "b", 2)) == pushes(
        told(b"", 1, [b"put", b"a", b"1"]), told(b"", 2, [b"put", b"b", b"2"])
    )


def test_from_gives_what_came_before(bench: Bench) -> None:
    do(bench, *[frame("SET", f"a{number}", number) for number in range(6)])
    expected = pushes(*[told(b"a", n + 1, [b"put", b"a%d" % n, b"%d" % n]) for n in range(2, 6)])
    assert ask(bench, "KV.WATCH", "a", "FROM", 2) == b":2\r\n" + expected
    assert seen(bench, frame("SET", "a", 9)) == pushes(told(b"a", 7, [b"put", b"a", b"9"]))


@pytest.mark.parametrize("start", [0, 1, 3, 57, 58, 99, 100])
def test_from_the_middle_of_a_group(bench: Bench, start: int) -> None:
    requests = [frame("SET", "a", number) for number in range(50)]
    do(bench, b"".join(requests), b"".join(requests))
    expected = [told(b"", lsn, [b"put", b"a", b"%d" % ((lsn - 1) % 50)]) for lsn in range(1, 101)]
    assert ask(bench, "KV.WATCH", "", "FROM", start) == b":%d\r\n" % start + pushes(
        *expected[start:]
    )


def test_history_over_many_segments_and_pages_of_the_log(bench: Bench) -> None:
    value = "v" * (FEED_PAGE // 3)
    requests = [frame("SET", f"a{number}", value) for number in range(60)]  # two segments
    long = frame("SET", "along", "v" * (2 * FEED_PAGE))
    do(bench, *requests, long, frame("SET", "a", "end"))
    answer = ask(bench, "KV.WATCH", "a", "FROM", 0)
    assert answer.count(b"kv.watch") == 62
    assert answer.endswith(pushes(told(b"a", 62, [b"put", b"a", b"end"])))


def test_several_prefixes_and_the_end_of_watching(bench: Bench) -> None:
    ask(bench, "KV.WATCH", "a")
    ask(bench, "KV.WATCH", "ab")
    assert ask(bench, "KV.WATCH", "a").startswith(b"-ERR this prefix is watched already")
    assert seen(bench, frame("SET", "ab", 1)).count(b"kv.watch") == 2
    assert ask(bench, "KV.UNWATCH", "a", "nothing") == b":1\r\n"
    assert seen(bench, frame("SET", "ab", 1)) == pushes(told(b"ab", 2, [b"put", b"ab", b"1"]))
    assert ask(bench, "KV.UNWATCH") == b":1\r\n"
    assert seen(bench, frame("SET", "ab", 1)) == b""
    assert ask(bench, "KV.UNWATCH") == b":0\r\n"


@pytest.mark.parametrize("how", ["RESET", "vanish"])
def test_nobody_is_told_who_has_gone(bench: Bench, how: str) -> None:
    ask(bench, "KV.WATCH", "")
    if how == "RESET":
        assert ask(bench, "RESET") == b"+RESET\r\n"
    else:
        bench.session.connection_lost(None)
    assert seen(bench, frame("SET", "a", 1)) == b""
    assert not bench._host.server.feeds.all


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["a", "FROM"], "ERR syntax error"),
        (["a", "BEHIND", "1"], "ERR syntax error"),
        (["a", "FROM", "1", "2"], "ERR syntax error"),
        (["a", "FROM", "x"], "ERR value is not an integer or out of range"),
        (["a", "FROM", "-1"], "ERR FROM is an LSN from 0 to 0, the last one that is safe"),
        (["a", "FROM", "1"], "ERR FROM is an LSN from 0 to 0, the last one that is safe"),
        (["a" * (MAX_KEY + 1)], f"ERR a key has at most {MAX_KEY} bytes"),
    ],
)
def test_a_watch_that_makes_no_sense_is_refused(bench: Bench, words: list[str], error: str) -> None:
    assert ask(bench, "KV.WATCH", *words) == f"-{error}\r\n".encode()
    assert seen(bench, frame("SET", "a", 1)) == b""


# --- slow readers, and a log that is used again -------------------------------------------------


def test_a_slow_reader_is_told_everything_in_its_own_time(bench: Bench) -> None:
    ask(bench, "KV.WATCH", "a")
    bench.session.pause_writing()
    value = "v" * (FEED_PAGE // 2)
    before = len(bench.transport.written)
    do(bench, *[frame("SET", f"a{number}", value) for number in range(40)])
    assert len(bench.transport.written) == before
    assert bench.session.client.outbox_size <= OUTPUT_BOUND
    bench.session.resume_writing()
    bench.loop.turn()
    assert bench.transport.written[before:].count(b"kv.watch") == 40


def keep_up(bench: Bench) -> Upkeep:
    """Make tables of what is in memory, so that the log's segments are used again."""
    store = bench.store
    upkeep = Upkeep(store, ThreadLane(store.disk), ThreadLane(store.disk))
    upkeep.compacting = False
    return upkeep


def flushed(bench: Bench, upkeep: Upkeep, *requests: bytes) -> None:
    do(bench, *requests)
    bench.store.rotate()
    do(bench, frame("SET", "other", 1))
    while (work := upkeep.due()) is not None:
        work.perform()
        upkeep.finish(work)


def test_from_before_the_log_begins_is_refused_and_names_the_oldest(bench: Bench) -> None:
    upkeep = keep_up(bench)
    for number in range(6):
        flushed(bench, upkeep, frame("SET", f"a{number}", number))
    answer = ask(bench, "KV.WATCH", "a", "FROM", 0)
    assert answer.startswith(b"-LOGGONE commit 1 is no longer in the log, which begins at ")
    oldest = int(answer.split()[-1])
    assert 1 < oldest < 12
    assert ask(bench, "KV.WATCH", "a", "FROM", oldest - 1).startswith(b":%d\r\n" % (oldest - 1))
    assert ask(bench, "KV.WATCH", "o", "FROM", oldest - 2).startswith(b"-LOGGONE ")


def test_the_place_of_a_watch_is_looked_for_beside_the_loop(bench: Bench) -> None:
    do(bench, frame("SET", "a", 1), frame("SET", "a", 2), frame("SET", "a", 3))
    works: list[tuple[Callable[[], None], Callable[[], None]]] = []
    bench.server.feeds.beside = lambda work, done: works.append((work, done))
    bench.session.data_received(frame("KV.WATCH", "a", "FROM", 2) + frame("PING"))
    other, transport = bench.connect()
    other.data_received(frame("GET", "a"))
    bench.loop.once()
    assert (bench.transport.written, transport.written) == (b"", b"$1\r\n3\r\n")
    for _ in range(2):  # it is found, then read
        work, done = works.pop(0)
        work()
        done()
        bench.loop.turn()
    assert bench.transport.written.replace(b"+PONG\r\n", b"") == b":2\r\n" + pushes(
        told(b"a", 3, [b"put", b"a", b"3"])
    )


def test_a_place_that_nobody_waits_for_any_more_is_forgotten(bench: Bench) -> None:
    do(bench, frame("SET", "a", 1), frame("SET", "a", 2))
    works: list[tuple[Callable[[], None], Callable[[], None]]] = []
    bench.server.feeds.beside = lambda work, done: works.append((work, done))
    bench.session.data_received(frame("KV.WATCH", "a", "FROM", 1))
    bench.session.connection_lost(None)
    work, done = works.pop(0)
    work()
    done()
    bench.loop.turn()
    assert not bench.server.feeds.all
    assert not works


def test_a_place_that_cannot_be_read_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    do(bench, frame("SET", "a", 1), frame("SET", "a", 2))

    def broken(disk: MemoryDisk) -> list[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(MemoryDisk, "names", broken)
    answer = ask(bench, "KV.WATCH", "a", "FROM", 1)
    assert answer == b"-ERR the data could not be read: [Errno 5] Input/output error\r\n"
    assert not bench.server.feeds.all


def test_a_watch_cannot_begin_in_a_transaction(bench: Bench) -> None:
    ask(bench, "MULTI")
    assert ask(bench, "KV.WATCH", "a") == b"-ERR Command not allowed inside a transaction\r\n"
    assert ask(bench, "KV.UNWATCH") == b"+QUEUED\r\n"
    assert ask(bench, "EXEC").startswith(b"-EXECABORT ")


def test_history_is_kept_where_the_server_asks_for_it(bench: Bench) -> None:
    assert bench.store.log is not None
    bench.store.log.history = 20
    upkeep = keep_up(bench)
    for number in range(8):
        flushed(bench, upkeep, frame("SET", f"a{number}", number))
    assert ask(bench, "KV.WATCH", "a", "FROM", 0).count(b"kv.watch") == 8


def test_a_watch_whose_segment_is_used_again_ends_with_an_error(bench: Bench) -> None:
    ask(bench, "KV.WATCH", "a")
    bench.session.pause_writing()
    do(bench, frame("SET", "a", 1))
    upkeep = keep_up(bench)
    for number in range(8):
        flushed(bench, upkeep, frame("SET", f"a{number}", number))
    before = len(bench.transport.written)
    bench.session.resume_writing()
    bench.loop.turn()
    heard = bench.transport.written[before:]
    assert heard.startswith(pushes(told(b"a", 1, [b"put", b"a", b"1"])))
    assert b"kv.unwatch" in heard
    assert b"is no longer in the log, which begins at " in heard
    assert ask(bench, "KV.UNWATCH") == b":0\r\n"
    assert ask(bench, "KV.WATCH", "a").startswith(b":")


def test_a_watch_goes_on_from_a_reopened_log() -> None:
    disk = MemoryDisk()
    bench = Bench(open_store(disk, memory=8 << 20))
    do(bench, frame("SET", "a", 1), frame("SET", "a", 2))
    bench.store.close()
    bench = Bench(open_store(disk, memory=8 << 20))
    do(bench, frame("SET", "a", 3))
    assert ask(bench, "KV.WATCH", "a", "FROM", 1) == b":1\r\n" + pushes(
        told(b"a", 2, [b"put", b"a", b"2"]), told(b"a", 3, [b"put", b"a", b"3"])
    )
