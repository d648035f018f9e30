"""What connections do beyond single commands: told unasked, paused, cut off, let in."""

from __future__ import annotations

import errno

import pytest
from tests.server.bench import Bench, Transport
from tests.support.wire import frame

from kveik.command.sessions import look_after
from kveik.disk.faulty import FaultyDisk, fail_each
from kveik.disk.memory import MemoryDisk
from kveik.engine.opening import open_store
from kveik.limits import (
    MAX_PATTERNS,
    MAX_QUEUE,
    MAX_QUEUED,
    MAX_REFUSALS,
    MAX_WATCHED,
    PUSH_BOUND,
)
from kveik.server.session import Session

Pair = tuple[Session, Transport]


def ask(bench: Bench, *words: object) -> bytes:
    """What the first connection hears of a request."""
    bench.transport.written = b""
    bench.session.data_received(frame(*words))
    bench.loop.turn()
    return bench.transport.written


def ask_on(pair: Pair, bench: Bench, *words: object) -> bytes:
    session, transport = pair
    transport.written = b""
    session.data_received(frame(*words))
    bench.loop.turn()
    return transport.written


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def other(bench: Bench) -> Pair:
    return bench.connect()


# --- transactions -------------------------------------------------------------------------------


def test_a_failed_command_in_a_transaction_leaves_nothing_of_itself(bench: Bench) -> None:
    ask(bench, "MULTI")
    ask(bench, "SET", "a", "1")
    bench.session.data_received(frame("MSET", "b", "2", "", "3"))  # an empty key is refused
    ask(bench, "EXISTS", "a", "b")
    reply = ask(bench, "EXEC")
    assert reply.startswith(b"*3\r\n+OK\r\n-ERR a key has ")
    assert reply.endswith(b":1\r\n")
    assert ask(bench, "MGET", "a", "b") == b"*2\r\n$1\r\n1\r\n$-1\r\n"


def test_reads_after_a_failed_write_see_what_was_before_it(bench: Bench) -> None:
    for words in (("MULTI",), ("SET", "a", "1"), ("GET", "a"), ("MSET", "a", "2", "", "3")):
        ask(bench, *words)
    ask(bench, "GET", "a")
    ask(bench, "FLUSHALL")
    ask(bench, "SET", "b", "1")
    ask(bench, "DBSIZE")
    assert ask(bench, "EXEC").endswith(b"$1\r\n1\r\n+OK\r\n+OK\r\n:1\r\n")


def test_a_transaction_that_cannot_be_committed_changes_nothing(bench: Bench) -> None:
    disk = FaultyDisk(MemoryDisk())
    bench = Bench(open_store(disk, memory=8 << 20))
    pair = bench.connect()
    ask_on(pair, bench, "SUBSCRIBE", "x")
    bench.store.stop(OSError(errno.EIO, "Input/output error"))
    ask(bench, "MULTI")
    ask(bench, "SET", "k", "v")
    ask(bench, "PUBLISH", "x", "hello")
    pair[1].written = b""
    reply = ask(bench, "EXEC")
    assert reply.startswith(b"-EXECABORT Transaction discarded because of: MISCONF ")
    assert pair[1].written == b""
    assert ask(bench, "EXEC") == b"-ERR EXEC without MULTI\r\n"
    assert bench.session.client.plain


def test_a_transaction_whose_sync_fails_is_never_acknowledged() -> None:
    disk = FaultyDisk(MemoryDisk())
    bench = Bench(open_store(disk, memory=8 << 20))
    listener = bench.connect()
    ask_on(listener, bench, "SUBSCRIBE", "x")
    listener[1].written = b""
    disk.plan = fail_each("sync", errno.EIO)
    bench.session.data_received(
        frame("MULTI") + frame("SET", "k", "v") + frame("PUBLISH", "x", "done") + frame("EXEC")
    )
    bench.loop.turn()
    assert b"*2\r\n" not in bench.transport.written
    assert b"done" not in listener[1].written


def test_a_message_waits_for_what_was_written_before_it(bench: Bench) -> None:
    listener = bench.connect()
    ask_on(listener, bench, "SUBSCRIBE", "x")
    listener[1].written = b""
    bench.session.data_received(frame("SET", "k", "v") + frame("PUBLISH", "x", "done"))
    assert listener[1].written == b""
    bench.loop.turn()
    assert b"done" in listener[1].written


def test_a_queue_is_bounded(bench: Bench) -> None:
    ask(bench, "MULTI")
    ask(bench, "PING")
    queue = bench.session.client.queue
    assert queue is not None
    queue.commands *= MAX_QUEUED
    queue.arguments *= MAX_QUEUED
    text = f"-ERR a transaction has at most {MAX_QUEUED} commands\r\n"
    assert ask(bench, "PING") == text.encode()
    assert ask(bench, "EXEC").startswith(b"-EXECABORT ")
    assert bench.server.queued == 0


def test_the_bytes_of_all_queues_are_bounded(bench: Bench) -> None:
    bench.server.queued = MAX_QUEUE
    ask(bench, "MULTI")
    assert ask(bench, "PING").startswith(b"-ERR the commands after MULTI would have more than ")
    assert ask(bench, "EXEC").startswith(b"-EXECABORT ")


def test_watched_keys_are_bounded(bench: Bench) -> None:
    assert ask(bench, "WATCH", "a") == b"+OK\r\n"
    text = f"-ERR at most {MAX_WATCHED} keys can be watched\r\n"
    assert ask(bench, "WATCH", *range(MAX_WATCHED)) == text.encode()
    assert len(bench.server.watched) == 1


def test_what_expires_while_it_is_watched_has_changed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = bench.store.now()
    ask(bench, "SET", "k", "v", "PXAT", now + 1_000_000)
    ask(bench, "WATCH", "k")
    monkeypatch.setattr(bench.store, "_clock", lambda: (now + 2_000_000) / 1000)
    ask(bench, "MULTI")
    ask(bench, "PING")
    assert ask(bench, "EXEC") == b"*-1\r\n"


def test_only_what_must_be_told_goes_the_long_way(bench: Bench, other: Pair) -> None:
    server = bench.server
    plain = (True, True)
    assert (server.reads_plain, server.writes_plain) == plain
    ask(bench, "WATCH", "k")
    assert (server.reads_plain, server.writes_plain) == (True, False)
    ask(bench, "UNWATCH")
    assert (server.reads_plain, server.writes_plain) == plain
    ask(bench, "CONFIG", "SET", "notify-keyspace-events", "KEA")
    assert (server.reads_plain, server.writes_plain) == (True, False)
    ask(bench, "CONFIG", "SET", "notify-keyspace-events", "")
    ask_on(other, bench, "MONITOR")
    assert (server.reads_plain, server.writes_plain) == (False, False)
    other[0].connection_lost(None)
    assert (server.reads_plain, server.writes_plain) == plain
    ask(bench, "CLIENT", "PAUSE", "100000", "WRITE")
    assert (server.reads_plain, server.writes_plain) == (True, False)
    ask(bench, "CLIENT", "UNPAUSE")
    assert (server.reads_plain, server.writes_plain) == plain
    ask(bench, "SUBSCRIBE", "x")
    assert (server.reads_plain, server.writes_plain) == plain


# --- messages -----------------------------------------------------------------------------------


def test_a_subscriber_that_reads_too_slowly_is_cut_off(bench: Bench, other: Pair) -> None:
    ask(bench, "SUBSCRIBE", "x")
    bench.session.pause_writing()
    message = "m" * (PUSH_BOUND // 4)
    for _ in range(4):
        assert not bench.transport.closed
        ask_on(other, bench, "PUBLISH", "x", message)
    assert bench.transport.closed
    bench.session.connection_lost(None)
    assert ask_on(other, bench, "PUBLISH", "x", "m") == b":0\r\n"
    assert bench.server.channels == {}
    assert bench.server.subscriptions == 0


def test_a_lost_subscriber_leaves_nothing(bench: Bench) -> None:
    for words in (("SUBSCRIBE", "x"), ("PSUBSCRIBE", "p*"), ("SSUBSCRIBE", "s")):
        ask(bench, *words)
    bench.session.connection_lost(None)
    server = bench.server
    assert server.channels == server.patterns == server.shard_channels == server.globs == {}
    assert server.subscriptions == 0


def test_subscriptions_are_bounded(bench: Bench) -> None:
    names = range(MAX_PATTERNS + 1)
    assert ask(bench, "PSUBSCRIBE", *names) == b"-ERR there are too many subscriptions\r\n"
    assert bench.server.patterns == bench.server.globs == {}
    assert ask(bench, "PSUBSCRIBE", "a", "b").count(b"psubscribe") == 2


def test_a_pattern_that_is_too_long_is_refused(bench: Bench) -> None:
    assert ask(bench, "PSUBSCRIBE", "ok*", "*a" * 600).startswith(b"-ERR a pattern has at most ")
    assert bench.server.patterns == {}


def test_a_message_to_oneself_comes_before_its_reply_in_resp3(bench: Bench) -> None:
    ask(bench, "HELLO", "3")
    ask(bench, "SUBSCRIBE", "x")
    bench.transport.written = b""
    bench.session.data_received(frame("PUBLISH", "x", "m") + frame("UNSUBSCRIBE", "x"))
    bench.loop.turn()
    message, _, rest = bench.transport.written.partition(b":1\r\n")
    assert b"message" in message
    assert rest.startswith(b">3\r\n$11\r\nunsubscribe")


def test_writes_by_json_lines_are_told_as_well(bench: Bench) -> None:
    ask(bench, "CONFIG", "SET", "notify-keyspace-events", "E$g")
    ask(bench, "PSUBSCRIBE", "*")
    bench.transport.written = b""
    lines, _ = bench.connect("json")
    lines.data_received(b'{"command": "put", "key": "k", "value": 1}\n')
    lines.data_received(b'{"command": "delete", "key": "k"}\n')
    lines.data_received(b'{"command": "batch_put", "keys": ["a", "b"], "values": [1, 2]}\n')
    bench.loop.turn()
    assert bench.transport.written.count(b"__keyevent@0__:set") == 3
    assert bench.transport.written.count(b"__keyevent@0__:del") == 1


def test_a_write_by_json_lines_touches_what_is_watched(bench: Bench) -> None:
    ask(bench, "WATCH", "k")
    lines, _ = bench.connect("json")
    lines.data_received(b'{"command": "put", "key": "k", "value": 1}\n')
    bench.loop.turn()
    ask(bench, "MULTI")
    assert ask(bench, "EXEC") == b"*-1\r\n"


# --- MONITOR ------------------------------------------------------------------------------------


def test_a_monitor_sees_commands_without_passwords(bench: Bench, other: Pair) -> None:
    assert ask(bench, "MONITOR") == b"+OK\r\n"
    bench.transport.written = b""
    for words in (
        ("SET", "k", 'a "b"\r\n\x00'),
        ("GET", "k"),
        ("AUTH", "secret"),
        ("HELLO", "2", "AUTH", "me", "secret"),
        ("CONFIG", "SET", "requirepass", "secret"),
        ("NOSUCH", "secret"),
        ("MULTI",),
        ("SELECT", "1"),
        ("EXEC",),
    ):
        ask_on(other, bench, *words)
    told = bench.transport.written
    assert b'[0 ] "SET" "k" "a \\"b\\"\\r\\n\\x00"\r\n' in told
    assert b'"GET" "k"\r\n' in told
    assert b"secret" not in told
    shown = [line.split(b'"')[1] for line in told.splitlines()]
    assert shown == [b"SET", b"GET", b"AUTH", b"HELLO", b"MULTI", b"SELECT", b"EXEC"]


def test_a_monitor_that_is_reset_sees_nothing_more(bench: Bench, other: Pair) -> None:
    ask(bench, "MONITOR")
    ask(bench, "RESET")
    ask_on(other, bench, "GET", "k")
    assert bench.transport.written == b"+RESET\r\n"
    assert bench.server.reads_plain


# --- waiting ------------------------------------------------------------------------------------


def test_a_paused_write_is_done_when_the_pause_ends(bench: Bench, other: Pair) -> None:
    assert ask(bench, "CLIENT", "PAUSE", "100000", "WRITE") == b"+OK\r\n"
    session, transport = other
    session.data_received(frame("GET", "k") + frame("SET", "k", "v") + frame("GET", "k"))
    assert transport.written == b"$-1\r\n"
    assert bench.server.plain_sets == 0
    bench.server.resume()
    bench.loop.turn()
    assert transport.written == b"$-1\r\n+OK\r\n$1\r\nv\r\n"


def test_a_pause_of_everything_ends_by_unpause(bench: Bench, other: Pair) -> None:
    ask(bench, "CLIENT", "PAUSE", "100000")
    session, transport = other
    lines, answers = bench.connect("json")
    session.data_received(frame("GET", "k"))
    lines.data_received(b'{"command": "read", "key": "k"}\n')
    assert (transport.written, answers.written) == (b"", b"")
    assert not transport.closed
    assert ask(bench, "CLIENT", "UNPAUSE") == b"+OK\r\n"
    assert transport.written == b"$-1\r\n"
    assert b"null" in answers.written


def test_a_pause_ends_by_itself(bench: Bench, other: Pair) -> None:
    ask(bench, "CLIENT", "PAUSE", "0")
    assert ask_on(other, bench, "GET", "k") == b"$-1\r\n"
    assert bench.server.reads_plain


def test_who_sleeps_keeps_nobody_waiting(bench: Bench, other: Pair) -> None:
    bench.session.data_received(frame("DEBUG", "SLEEP", "100000") + frame("PING"))
    assert ask_on(other, bench, "PING") == b"+PONG\r\n"
    assert bench.transport.written == b""
    number = int(bench.session.client.number)
    assert ask_on(other, bench, "CLIENT", "UNBLOCK", number) == b":1\r\n"
    assert bench.transport.written == b"+OK\r\n+PONG\r\n"
    assert ask_on(other, bench, "CLIENT", "UNBLOCK", number) == b":0\r\n"


def test_who_waits_may_be_unblocked_with_an_error(bench: Bench, other: Pair) -> None:
    bench.session.data_received(frame("WAIT", "1", "0"))
    number = int(bench.session.client.number)
    assert b" flags=b " in ask_on(other, bench, "CLIENT", "LIST", "ID", number)
    ask_on(other, bench, "CLIENT", "UNBLOCK", number, "ERROR")
    assert bench.transport.written == b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"


def test_who_waits_and_goes_leaves_nothing(bench: Bench, other: Pair) -> None:
    bench.session.data_received(frame("WAIT", "1", "0"))
    bench.session.eof_received()
    assert bench.transport.closed
    bench.session.connection_lost(None)
    bench.loop.turn()
    assert b"blocked_clients:0" in ask_on(other, bench, "INFO", "clients")


def test_what_was_written_is_synced_when_save_answers(bench: Bench) -> None:
    bench.session.data_received(frame("SET", "k", "v") + frame("SAVE"))
    bench.loop.turn()
    assert bench.transport.written == b"+OK\r\n+OK\r\n"
    assert bench.store.synced() == bench.store.lsn() == 1
    assert ask(bench, "WAITAOF", "1", "0", "0") == b"*2\r\n:1\r\n:0\r\n"


# --- the others ---------------------------------------------------------------------------------


def test_connections_are_listed_and_killed(bench: Bench, other: Pair) -> None:
    ask(bench, "CLIENT", "SETNAME", "me")
    session, transport = other
    listed = ask(bench, "CLIENT", "LIST")
    assert listed.count(b"\n") == 4  # the head, two connections, and the end
    assert b" name=me " in listed
    number = int(session.client.number)
    assert ask(bench, "CLIENT", "KILL", "ID", number) == b":1\r\n"
    assert transport.closed
    session.connection_lost(None)
    assert ask(bench, "CLIENT", "LIST").count(b"\n") == 3


def test_who_kills_itself_is_told_first(bench: Bench) -> None:
    number = int(bench.session.client.number)
    assert ask(bench, "CLIENT", "KILL", "ID", number, "SKIPME", "no") == b":1\r\n"
    assert bench.transport.closed


def test_who_says_nothing_is_cut_off_unless_it_listens(bench: Bench, other: Pair) -> None:
    ask(bench, "CONFIG", "SET", "timeout", "10")
    ask_on(other, bench, "SUBSCRIBE", "x")
    third, transport = bench.connect()
    server = bench.server
    look_after(server, 1.0)
    server.now += 9.0
    third.data_received(frame("PING"))
    look_after(server, 1.0)
    server.now += 9.0
    look_after(server, 1.0)
    assert (bench.transport.closed, other[1].closed, transport.closed) == (True, False, False)
    server.now += 9.0
    look_after(server, 1.0)
    assert transport.closed
    assert server.idle >= 2


def test_too_many_wrong_passwords_end_the_connection(bench: Bench) -> None:
    ask(bench, "CONFIG", "SET", "requirepass", "sesame")
    for _ in range(MAX_REFUSALS - 1):
        assert ask(bench, "AUTH", "x").startswith(b"-WRONGPASS ")
        assert not bench.transport.closed
    assert ask(bench, "AUTH", "x").startswith(b"-WRONGPASS ")
    assert bench.transport.closed


def test_where_a_password_is_set_nothing_is_said_before_it(bench: Bench) -> None:
    ask(bench, "SET", "k", "v")
    ask(bench, "CONFIG", "SET", "requirepass", "sesame")
    pair = bench.connect()
    refused = b"-NOAUTH Authentication required.\r\n"
    for words in (("GET", "k"), ("SET", "k", "w"), ("SUBSCRIBE", "x"), ("INFO",), ("MULTI",)):
        assert ask_on(pair, bench, *words) == refused
    assert ask_on(pair, bench, "AUTH", "sesame") == b"+OK\r\n"
    assert ask_on(pair, bench, "GET", "k") == b"$1\r\nv\r\n"
    assert pair[0].client.plain


# --- what is measured ---------------------------------------------------------------------------


def test_commands_are_counted_the_plain_ones_included(bench: Bench) -> None:
    for words in (("SET", "k", "v"), ("GET", "k"), ("GET", "j"), ("SET", "k"), ("MGET", "k")):
        ask(bench, *words)
    for words in (("MULTI",), ("GET", "k"), ("SET", "k", "w", "FOO"), ("EXEC",), ("NOSUCH",)):
        ask(bench, *words)
    told = ask(bench, "INFO", "commandstats", "errorstats", "stats").decode()
    assert "cmdstat_get:calls=3," in told
    assert "cmdstat_set:calls=2," in told
    assert "rejected_calls=1,failed_calls=1" in told
    assert "cmdstat_mget:calls=1," in told
    assert "errorstat_ERR:count=3" in told
    assert "total_commands_processed:11" in told
    ask(bench, "CONFIG", "RESETSTAT")
    told = ask(bench, "INFO", "commandstats").decode()
    assert "cmdstat_get" not in told
    assert "cmdstat_config|resetstat:calls=1," in told


def test_slow_commands_are_kept_in_short(bench: Bench) -> None:
    ask(bench, "CONFIG", "SET", "slowlog-log-slower-than", "0")
    ask(bench, "MGET", *["x" * 200] * 40)
    ask(bench, "AUTH", "secret")
    ask(bench, "SLOWLOG", "GET")
    slow = bench.server.measures.slow
    assert [one.args[0] for one in slow][:3] == [b"CONFIG", b"MGET", b"AUTH"]
    assert len(slow[1].args) == 32
    assert slow[1].args[1] == b"x" * 128 + b"... (72 more bytes)"
    assert slow[1].args[-1] == b"... (10 more arguments)"
    assert slow[2].args == [b"AUTH", b"(redacted)"]


def test_slow_moments_are_kept_where_they_are_watched_for(bench: Bench) -> None:
    measures = bench.server.measures
    measures.moment("command", 7)
    measures.moment("command", 5)
    reply = ask(bench, "LATENCY", "LATEST")
    assert reply.startswith(b"*1\r\n*4\r\n$7\r\ncommand\r\n:")
    assert reply.endswith(b":7\r\n")
    assert ask(bench, "LATENCY", "RESET") == b":1\r\n"
    assert ask(bench, "LATENCY", "LATEST") == b"*0\r\n"
