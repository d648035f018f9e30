"""Client: the embedded database's calls on a server; what other protocols see; lost connections."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.plain import typed
from tests.support.server import Server, StartServer
from tests.support.tools import environment, until

import kveik
from kveik import Client
from kveik.client import calls
from kveik.errors import ClosedError, ConnectionError, LimitError, ServerError, TimeoutError
from kveik.limits import MAX_KEY, PAGE_BYTES, PAGE_ROWS

NOWHERE = "redis://127.0.0.1:1"


def url(server: Server, password: str = "") -> str:
    return f"redis://{password and ':' + password + '@'}127.0.0.1:{server.port}"


@pytest.fixture
def client(shared_server: Server) -> Iterator[Client]:
    with Client(url(shared_server)) as client:
        client.clear()
        yield client


# --- values and keys ------------------------------------------------------------------------------

VALUES: list[object] = [b"", b"\xff\x00", "", "caf\u00e9", 0, -7, 1.5, True, None, [], {},
                        {"a": [1, {"b": None}]}, "1", "null", 1 << 70]  # fmt: skip
KEYS: list[object] = [b"k", "caf\u00e9", 7, -1.5, None, True, ("a", 1, b"\x00"), (), b"\xff"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_with_its_type(client: Client, value: object) -> None:
    assert client.put("k", value) is True
    assert typed(client.get("k")) == typed(value)
    assert typed(client["k"]) == typed(value)
    client.put("k", value, ttl=100)
    assert typed(client.get_many(["k"])) == typed([value])
    client.put_many({"k": value})
    assert typed([found for _, found in client.range()]) == typed([value])


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_a_key_comes_back_as_the_embedded_database_gives_it(client: Client, key: object) -> None:
    client[key] = 1
    shown = key.encode() if isinstance(key, str) else key
    assert key in client
    assert list(client) == [shown]
    assert list(client.items()) == [(shown, 1)]
    del client[key]
    assert key not in client


def test_a_tuple_comes_back_as_a_list_as_in_the_embedded_database(client: Client) -> None:
    client["k"] = (1, (2,))
    assert client["k"] == [1, [2]]
    assert client.put("k", 1, if_equal=(1, (2,))) is True


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (b"", 1, LimitError),
        ("k" * (MAX_KEY + 1), 1, LimitError),
        ([1], 1, TypeError),
        (bytearray(b"k"), 1, TypeError),
        ("k", {1, 2}, TypeError),
        ("k", float("nan"), LimitError),
        ("k", "\ud800", LimitError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    key: object, value: object, error: type[Exception]
) -> None:
    client = Client(NOWHERE)
    with pytest.raises(error):
        client.put(key, value)
    with pytest.raises(error):
        client.put_many([(key, value)])
    with pytest.raises(error), client.batch() as batch:
        batch.put(key, value)


def test_json_that_a_server_would_refuse_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_JSON", 10)
    with pytest.raises(LimitError, match="a JSON value has at most 10 bytes, not 13"):
        Client(NOWHERE).put("k", [1, 2, 3, 4, 5, 6])


# --- as the embedded database ---------------------------------------------------------------------

SOME_KEYS = st.sampled_from(["a", "b", b"b\xff", ("t", 1), ("t", 2), 3, "c"])
SOME_VALUES = st.sampled_from([b"x", "x", 1, 1.0, True, None, [1], {"a": 2}])
STEPS = st.one_of(
    st.tuples(st.just("put"), SOME_KEYS, SOME_VALUES),
    st.tuples(st.just("put_if"), SOME_KEYS, SOME_VALUES, SOME_VALUES),
    st.tuples(st.just("put_absent"), SOME_KEYS, SOME_VALUES),
    st.tuples(st.just("delete"), SOME_KEYS),
    st.tuples(st.just("pop"), SOME_KEYS, SOME_VALUES),
    st.tuples(st.just("popitem")),
    st.tuples(st.just("setdefault"), SOME_KEYS, SOME_VALUES),
    st.tuples(st.just("get_many"), st.lists(SOME_KEYS, max_size=3)),
    st.tuples(st.just("put_many"), st.dictionaries(SOME_KEYS, SOME_VALUES, max_size=3)),
    st.tuples(st.just("delete_range"), st.none() | SOME_KEYS, st.none() | SOME_KEYS),
    st.tuples(
        st.just("range"), st.none() | SOME_KEYS, st.none() | SOME_KEYS, st.booleans(),
        st.none() | st.integers(0, 3),
    ),
    st.tuples(st.just("scan"), st.sampled_from(["", "b", b"b", ("t",)]), st.booleans()),
    st.tuples(st.just("batch"), SOME_KEYS, SOME_VALUES, SOME_KEYS),
    st.tuples(st.just("in"), SOME_KEYS),
)  # fmt: skip


def done(db: Any, step: tuple[Any, ...]) -> object:
    """What a step gives, with its types; errors by their kind."""
    name, *more = step
    try:
        if name == "put_if":
            result = db.put(more[0], more[1], if_equal=more[2])
        elif name == "put_absent":
            result = db.put(more[0], more[1], if_absent=True)
        elif name == "range":
            result = list(db.range(more[0], more[1], reverse=more[2], limit=more[3]))
        elif name == "scan":
            result = list(db.scan(more[0], reverse=more[1]))
        elif name == "in":
            result = more[0] in db
        elif name == "batch":
            with db.batch() as batch:
                batch.put(more[0], more[1])
                batch.delete(more[2])
                result = len(batch)
        else:
            result = getattr(db, name)(*more)
    except KeyError:
        return KeyError
    return typed(result)


@given(st.lists(STEPS, max_size=12))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_it_does_what_the_embedded_database_does(
    client: Client, both: kveik.Database, steps: list[tuple[Any, ...]]
) -> None:
    client.clear()
    both.clear()
    for step in steps:
        assert done(client, step) == done(both, step), step
    assert list(client.items()) == list(both.items())
    assert list(reversed(client)) == list(reversed(both))
    assert len(client) == len(both)
    assert bool(client) == bool(both)
    assert client == both
    assert both == client


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kveik.Database]:
    with kveik.open(tmp_path_factory.mktemp("embedded"), durability="none") as db:
        yield db


def test_it_has_the_calls_of_the_embedded_database() -> None:
    own = {"snapshot", "transaction", "checkpoint", "compact", "flush", "clock", "cells"}
    names = {name for name in dir(kveik.Database) if not name.startswith("_")}
    assert names - own <= set(dir(Client))


def test_a_value_expires(client: Client) -> None:
    client.put("k", 1, ttl=0.05)
    with client.batch() as batch:
        batch.put("batched", 1, ttl=0.05)
        batch.put("stays", 1)
    assert 0 < client.redis.pttl("k") <= 50
    until(lambda: list(client) == [b"stays"], "both have expired")
    for ttl in (0, -1, float("inf")):
        with pytest.raises(LimitError):
            client.put("k", 1, ttl=ttl)
    client.put("k", 1, ttl=0.0001)
    with pytest.raises(TypeError):
        client.put("k", 1, if_absent=True, if_equal=2)


def test_cas_exchanges_and_deletes(client: Client) -> None:
    client["lock"] = "mine"
    assert client.cas("lock", "yours", "x") is False
    assert client.cas("lock", b"mine", "x") is False
    assert client.cas("lock", "mine", {"n": 1}) is True
    assert client["lock"] == {"n": 1}
    assert client.cas("lock", {"n": 2}) is False
    assert client.cas("lock", {"n": 1}) is True
    assert "lock" not in client
    client.put("k", 1, ttl=100)
    assert client.cas("k", 1, 2, keep_ttl=True)
    assert client.redis.ttl("k") > 0
    assert client.cas("k", 2, 3)
    assert client.redis.ttl("k") == -1


def test_a_batch_is_one_commit_or_none(client: Client) -> None:
    client["a"] = 1
    with client.watch() as watch:
        with client.batch() as batch:
            batch.put("b", 2)
            batch.delete("a")
            batch.delete_range("x", "y")
        with suppress(ZeroDivisionError), client.batch() as batch:
            batch.put("c", 1 // 0)
        with client.batch() as batch:
            batch.delete_range("y", "x")
        assert [change.kind for change in next(watch)] == ["put", "delete", "delete_range"]
        assert watch.poll(0.05) is None
    assert dict(client.items()) == {b"b": 2}


def test_a_batch_that_the_embedded_database_would_write_can_be_written(client: Client) -> None:
    client.put_many({"a": 1, "b": 2, "c": 3, "d": 4})
    batch = kveik.Batch()
    batch.put(("t", 1), [5], ttl=100)
    batch.put("e", "text")
    batch.delete("a")
    batch.delete_range("b", "d")
    client.write(batch)
    assert len(batch) == 0
    assert list(client.items()) == [(b"d", 4), (b"e", "text"), (("t", 1), [5])]
    assert client.redis.ttl(list(client.redis.keys())[-1]) > 0
    batch.delete_range()
    client.write(batch)
    assert not client


# --- ranges ---------------------------------------------------------------------------------------


def test_a_long_range_is_read_page_by_page(client: Client) -> None:
    count = 2 * PAGE_ROWS + 500
    client.put_many((f"k{number:05}", number) for number in range(count))
    assert [value for _, value in client.range()] == list(range(count))
    assert [value for _, value in client.range(reverse=True)] == list(range(count))[::-1]
    assert [value for _, value in client.range("k00100", "k01900")] == list(range(100, 1900))
    assert len(list(client.scan("k", limit=1500))) == 1500
    assert list(client) == [b"k%05d" % number for number in range(count)]
    assert len(client) == client.count() == count
    assert client.count("k00001", "k00003") == 2
    assert client.count("b", "a") == 0


@pytest.mark.parametrize("rows", [0, 1, 3, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1])
def test_as_few_pages_as_possible_are_asked_for(
    client: Client, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put_many((f"k{number:05}", number) for number in range(rows))
    asked: list[calls.Call] = []
    do = Client._do

    def noted(self: Client, call: calls.Call) -> Any:
        asked.append(call)
        return do(self, call)

    monkeypatch.setattr(Client, "_do", noted)
    for reverse in (False, True):
        asked.clear()
        assert len(list(client.range(reverse=reverse))) == rows
        assert len(asked) == 1 + (rows >= PAGE_ROWS)
        asked.clear()
        assert len(list(client.range(reverse=reverse, limit=5))) == min(rows, 5)
        assert len(asked) == 1
    asked.clear()
    assert list(client.range("b", "a")) == list(client.range(limit=0)) == []
    assert asked == []


def test_a_page_is_bounded_in_bytes(client: Client) -> None:
    value = b"x" * (PAGE_BYTES // 4)
    client.put_many((number, value) for number in range(20))
    pages = []
    entries = client.range()
    while (entry := next(entries, None)) is not None:
        pages.append(1 + len(list(entries._page)))
        assert entry[1] == value
    assert pages == [4] * 5
    assert [key for key, _ in client.range(reverse=True)] == list(range(20))[::-1]


def test_a_range_goes_on_behind_what_was_deleted_and_written_meanwhile(client: Client) -> None:
    client.put_many((f"k{number:05}", number) for number in range(PAGE_ROWS + 10))
    entries = client.range()
    assert next(entries) == (b"k00000", 0)
    client.delete_range("k00500", f"k{PAGE_ROWS + 5:05}")
    client["k00000x"] = "too late"
    client["l"] = "in time"
    rest = [key for key, _ in entries]
    assert len(rest) == PAGE_ROWS - 1 + 5 + 1
    assert rest[-1] == b"l"
    entries = client.range()
    next(entries)
    entries.close()
    assert list(entries) == []


def test_a_bad_limit_is_refused_at_once(client: Client) -> None:
    with pytest.raises(LimitError):
        client.range(limit=-1)
    with pytest.raises(TypeError):
        client.scan(7)


# --- changes --------------------------------------------------------------------------------------


def test_changes_are_told_with_their_types(client: Client) -> None:
    with client.watch("w") as watch:
        start = watch.lsn
        client["v"] = "not watched"
        client["w1"] = {"a": 1}
        client.put("w2", b"x", ttl=100)
        client.put_many({"w3": "text", "w4": None})
        del client["w3"]
        client.delete_range("w", "x")
        commits = [next(watch) for _ in range(5)]
        assert watch.poll() is None
    assert [commit.lsn for commit in commits] == list(range(start + 2, start + 7))
    ((json,), (bytes_,), (text, none), (gone,), (cleared,)) = commits
    assert (json.kind, json.key, json.value, json.expires) == ("put", b"w1", {"a": 1}, None)
    assert bytes_.value == b"x"
    assert bytes_.expires is not None
    assert time.time() < bytes_.expires <= time.time() + 100
    assert (text.value, none.value) == ("text", None)
    assert (gone.kind, gone.key) == ("delete", b"w3")
    assert (cleared.kind, cleared.key, cleared.end) == ("delete_range", b"w", b"x")
    with client.watch("w", from_lsn=commits[1].lsn) as watch:
        assert [next(watch) for _ in range(3)] == commits[2:]
    with pytest.raises(ClosedError):
        next(watch)


def test_a_watch_of_tuples_and_of_everything(client: Client) -> None:
    with client.watch(("sensor", 7)) as watch, client.watch() as everything:
        client[("sensor", 8)] = 0
        client[("sensor", 7, 1.5)] = 1
        client.clear()
        assert [change.key for change in next(watch)] == [("sensor", 7, 1.5)]
        assert [commit.changes[0].key for commit in (next(everything), next(everything))] == [
            ("sensor", 8),
            ("sensor", 7, 1.5),
        ]
        ((cleared,)) = next(everything)
        assert (cleared.key, cleared.end) == (None, None)


def test_a_watch_that_cannot_begin_says_why(client: Client) -> None:
    with pytest.raises(ServerError, match="FROM is an LSN from 0 to"):
        client.watch(from_lsn=1 << 60)


def test_a_watch_goes_on_after_a_kill_and_a_restart(server: Server) -> None:
    server.command += ["--port", str(server.port)]
    with Client(url(server), max_retries=20) as client, client.watch("k") as watch:
        found: list[object] = []
        for turn in range(3):
            for number in range(10):
                client[f"k{number}"] = [turn, number]
            if turn < 2:
                server.restart()
            while len(found) < 10 * (turn + 1):
                found += [change.value for change in next(watch)]
    assert found == [[turn, number] for turn in range(3) for number in range(10)]


def test_a_watch_gives_up_where_nobody_comes_back(server: Server) -> None:
    with Client(url(server), max_retries=1) as client:
        watch = client.watch()
        server.kill9()
        with pytest.raises(ConnectionError):
            next(watch)
        watch.close()


def test_a_watch_that_another_thread_closes_ends(client: Client) -> None:
    with ThreadPoolExecutor(1) as threads:
        for pause in (0.0, 0.05):
            watch = client.watch("nothing")
            waiting = threads.submit(watch.poll, None)
            time.sleep(pause)
            watch.close()
            with pytest.raises(ClosedError):
                waiting.result(20)


def test_a_silent_server_is_asked_whether_it_is_there(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kveik.client.changes.QUIET", 0.05)
    with client.watch() as watch:
        late = threading.Timer(0.4, client.put, ["late", 1])
        late.start()
        assert next(watch).changes[0].key == b"late"
        late.join()


# --- other protocols, options ---------------------------------------------------------------------


def test_other_protocols_read_what_it_writes_and_it_reads_theirs(
    client: Client, shared_server: Server
) -> None:
    client.put_many({"b": b"x", "t": "text", "j": {"a": [1]}})
    with shared_server.json() as lines, shared_server.framed() as framed:
        assert [lines.read(key) for key in "btj"] == ["x", "text", {"a": [1]}]
        assert [framed.call("GET", key=key) for key in "btj"] == [b"x", "text", {"a": [1]}]
        lines.call(command="put", key="other", value="json lines")
        framed.call("SET", key=("t", 1), value=[None])
        framed.call("SET", key="pickle", value={1})
    client.redis.set("raw", 7)
    assert client.get_many(["other", ("t", 1), "raw"]) == ["json lines", [None], b"7"]
    assert isinstance(client["pickle"], bytes)  # nothing is unpickled
    assert client.redis.mget("b", "t", "j") == [b"x", b"text", b'{"a":[1]}']


@pytest.mark.parametrize("options", [{"protocol": 2}, {"protocol": 3}, {"db": 5}], ids=repr)
def test_redis_py_s_options_are_passed_on(shared_server: Server, options: dict[str, int]) -> None:
    with Client(url(shared_server), **options) as client:
        client.clear()
        with client.watch() as watch:
            with client.batch() as batch:
                batch.put("a", 1)
                batch.put("b", "2")
            assert len(next(watch).changes) == 2
        assert dict(client.items()) == {b"a": 1, b"b": "2"}
        assert client.info("server")["redis_version"]
        assert client.redis.get("a") == b"1"


def test_a_socket_file_will_do(start_server: StartServer, tmp_path: Path) -> None:
    start_server("--listen", f"unix://{tmp_path}/socket")
    with Client(f"unix://{tmp_path}/socket") as client:
        client["k"] = 1
        with client.watch() as watch:
            client["k"] = 2
            assert next(watch).changes[0].value == 2


def test_passwords_are_given_and_not_shown(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    server = start_server("--password-file", str(tmp_path / "password"))
    with Client(url(server, "secret")) as client:
        client["k"] = 1
        assert "secret" not in repr(client)
        assert f"127.0.0.1:{server.port}" in repr(client)
        with client.watch() as watch:
            client["k"] = 2
            assert next(watch).changes[0].value == 2
    for wrong in ("", "wrong"):
        with Client(url(server, wrong)) as client, pytest.raises(ServerError) as caught:
            client.get("k")
        assert caught.value.code == "NOAUTH"


@pytest.mark.parametrize("name", ["decode_responses", "connection_pool"])
def test_options_that_would_spoil_values_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        Client(**{name: True})
    with pytest.raises(ValueError, match="max_retries"):
        Client(max_retries=-1)


def test_figures(client: Client) -> None:
    assert client.ping() is True
    client.sync()
    client["k"] = 1
    stats = client.stats()
    assert stats["levels"][0]["tables"] >= 0
    assert stats["memtable_entries"] >= 1
    assert client.info()["tcp_port"] > 0


def test_after_close_it_says_so(shared_server: Server) -> None:
    client = Client(url(shared_server))
    client["k"] = 1
    entries = client.range()
    client.close()
    client.close()
    assert repr(client).endswith(", closed>")
    for use in (lambda: client.get("k"), client.batch, client.watch, lambda: next(entries)):
        with pytest.raises(ClosedError):
            use()


def write_until_it_fails(client: Client) -> Exception:
    try:
        while True:
            client.put("k", 1)
    except Exception as error:
        return error


def test_closed_by_another_thread_a_call_gives_its_result_or_says_so(
    shared_server: Server,
) -> None:
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            client = Client(url(shared_server))
            errors = [threads.submit(write_until_it_fails, client) for _ in range(4)]
            time.sleep(0.05)
            client.close()
            assert [type(error.result(20)) for error in errors] == [ClosedError] * 4


# --- what goes wrong ------------------------------------------------------------------------------


def test_nobody_there_is_a_connection_error_of_both_kinds() -> None:
    with pytest.raises(ConnectionError) as caught:
        Client(NOWHERE, max_retries=1).get("k")
    assert isinstance(caught.value, builtins.ConnectionError)
    with pytest.raises(ConnectionError):
        Client(NOWHERE, max_retries=1).watch()


def test_what_the_server_refuses_is_a_server_error(client: Client) -> None:
    with pytest.raises(ServerError, match="a key has 1 to 65536 bytes, not 65537"):
        client._do(calls.Call([("KV.PUT", b"k" * (MAX_KEY + 1), b"text", b"v")], calls.nothing))
    with pytest.raises(ServerError, match="syntax"):
        client._do(calls.Call([("SET", "k", "v"), ("SET", "k", "v", "FOO")], calls.nothing))
    with pytest.raises(ServerError, match="unknown command"):
        client._do(calls.Call([("SET", "k", "v"), ("NOSUCH",)], calls.nothing))
    assert client.get("k") == b"v"


def test_no_answer_in_time_is_a_timeout(server: Server) -> None:
    with Client(url(server), socket_timeout=0.1, max_retries=1) as client:
        client.ping()
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError) as caught:
            client.get("k")
        server.process.send_signal(signal.SIGCONT)
        assert isinstance(caught.value, builtins.TimeoutError)
        assert isinstance(caught.value, ConnectionError)


def test_what_can_be_done_twice_is_sent_again_and_nothing_else(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server does each request, and the answer is lost the first time."""
    from kveik.client import blocking

    with Client(url(server)) as client:
        client.ping()
        lost: list[calls.Call] = []
        exchange = blocking._exchange

        def losing(connection: Any, call: calls.Call) -> list[Any]:
            replies = exchange(connection, call)
            if not lost:
                lost.append(call)
                raise blocking.link.redis.ConnectionError("lost")
            return replies

        monkeypatch.setattr(blocking, "_exchange", losing)
        assert client.put("k", 1) is True
        lost.clear()
        assert client.get("k") == 1
        lost.clear()
        assert client.delete("k") is False  # its first try has done it
        lost.clear()
        with client.batch() as batch:
            batch.put("a", 1)
            batch.put("b", 2)
        lost.clear()
        assert client.setdefault("c", 3) == 3
        for once in (
            lambda: client.put("d", 1, if_absent=True),
            lambda: client.cas("a", 1, 2),
            lambda: client.put("b", 3, if_equal=2),
            lambda: client.pop("c"),
        ):
            lost.clear()
            with pytest.raises(ConnectionError):
                once()
        assert dict(client.items()) == {b"a": 2, b"b": 3, b"d": 1}


@pytest.mark.parametrize("protocol", [2, 3])
def test_an_idle_connection_that_has_ended_is_seen_before_it_is_used(
    server: Server, protocol: int
) -> None:
    server.command += ["--port", str(server.port)]
    with Client(url(server), max_retries=0, protocol=protocol) as client:
        client["k"] = 1
        server.restart()
        assert client.put("k", 2, if_equal=1) is True


def test_an_interrupted_call_does_not_leave_its_answer_to_the_next(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kveik.client import blocking

    client.put_many({"a": 1, "b": 2})

    def interrupted(connection: Any, call: calls.Call) -> list[Any]:
        connection.send_packed_command(blocking.link.packed(connection, call.commands))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(blocking, "_exchange", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.get("a")
    assert client["b"] == 2


def test_threads_share_a_client_over_a_kill_and_a_restart(server: Server) -> None:
    server.command += ["--port", str(server.port)]
    failures: list[BaseException] = []
    written = [0] * 6
    stop = threading.Event()

    def work(number: int) -> None:
        try:
            while not stop.is_set():
                client.put((number, written[number]), written[number])
                written[number] += 1
        except BaseException as error:
            failures.append(error)

    with Client(url(server), max_retries=20, max_connections=4) as client:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            before = sum(written)
            until(lambda before=before: sum(written) > before + 50 or failures, "writes go on")
            server.restart()
        before = sum(written)
        until(lambda: sum(written) > before + 50 or failures, "writes go on")
        stop.set()
        for thread in threads:
            thread.join(30)
        assert not failures
        for number in range(6):
            found = [value for _, value in client.scan((number,))]
            assert found == list(range(written[number]))


def test_a_forked_child_opens_connections_of_its_own(client: Client) -> None:
    client["k"] = "parent"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client["child"] = 1
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert client.get_many(["k", "child"]) == ["parent", 1]


def test_without_redis_py_it_says_what_is_missing() -> None:
    program = """if True:
        import sys
        sys.modules["redis"] = None
        import kveik
        kveik.KVClient, kveik.KVDBClient
        for name in ("Client", "AsyncClient"):
            try:
                getattr(kveik, name)
            except ImportError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True
    )
    assert done.stdout.count("need the package redis: pip install redis") == 2, done.stderr
