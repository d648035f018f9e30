"""redis-py beyond single commands: transactions, locks, messages, passwords; RESP2 and RESP3."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry
from tests.support.server import Server, StartServer
from tests.support.tools import PATIENCE, ROOT, environment, library, until

SESAME = "open sesame"


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request: pytest.FixtureRequest) -> int:
    version: int = request.param
    return version


@pytest.fixture
def client(shared_server: Server, protocol: int) -> Iterator[Any]:
    with redis.Redis(port=shared_server.port, protocol=protocol) as client:
        client.flushall()
        yield client


@pytest.fixture
def second(shared_server: Server, protocol: int) -> Iterator[Any]:
    with redis.Redis(port=shared_server.port, protocol=protocol) as client:
        yield client


# --- transactions -------------------------------------------------------------------------------


def test_a_pipeline_is_a_transaction(client: Any) -> None:
    pipeline = client.pipeline()
    for number in range(1000):
        pipeline.set(f"k{number}", number)
    pipeline.get("k999").dbsize()
    replies = pipeline.execute()
    assert replies[:1000] == [True] * 1000
    assert replies[1000:] == [b"999", 1000]


def test_an_error_in_a_transaction_leaves_the_rest_done(client: Any) -> None:
    pipeline = client.pipeline()
    pipeline.set("a", 1).execute_command("SET", "b", 1, "FOO").get("a")
    done, refused, found = pipeline.execute(raise_on_error=False)
    assert (done, found) == (True, b"1")
    assert isinstance(refused, redis.ResponseError)
    pipeline = client.pipeline()
    pipeline.set("a", 2).execute_command("NOSUCH")
    with pytest.raises(redis.ResponseError, match="unknown command"):
        pipeline.execute()
    assert client.get("a") == b"1"


def test_watch(client: Any, second: Any) -> None:
    client.set("k", 1)
    with client.pipeline() as pipeline:
        pipeline.watch("k")
        assert pipeline.get("k") == b"1"
        second.set("k", 2)
        pipeline.multi()
        pipeline.set("k", 3)
        with pytest.raises(redis.WatchError):
            pipeline.execute()
    assert client.get("k") == b"2"


def test_counting_up_with_watch_from_many_threads(shared_server: Server, client: Any) -> None:
    client.set("n", 0)

    def count() -> None:
        with redis.Redis(port=shared_server.port) as own:
            for _ in range(25):

                def step(pipeline: Any) -> None:
                    number = int(pipeline.get("n"))
                    pipeline.multi()
                    pipeline.set("n", number + 1)

                own.transaction(step, "n")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert client.get("n") == b"100"


def test_a_transaction_survives_a_kill(start_server: StartServer) -> None:
    server = start_server()
    with redis.Redis(port=server.port) as client:
        client.pipeline().set("a", 1).set("b", 2).execute()
    server.restart()
    with redis.Redis(port=server.port) as client:
        assert client.mget("a", "b") == [b"1", b"2"]


# --- messages -----------------------------------------------------------------------------------


def messages(pubsub: Any, count: int) -> list[tuple[str, bytes, Any]]:
    found: list[tuple[str, bytes, Any]] = []
    while len(found) < count:
        message = pubsub.get_message(timeout=PATIENCE)
        assert message is not None
        found.append((message["type"], message["channel"], message["data"]))
    return found


def test_messages(client: Any, second: Any) -> None:
    with client.pubsub() as pubsub:
        pubsub.subscribe("news")
        pubsub.psubscribe("new*")
        assert messages(pubsub, 2) == [("subscribe", b"news", 1), ("psubscribe", b"new*", 2)]
        assert second.publish("news", "hello") == 2
        assert messages(pubsub, 2) == [
            ("message", b"news", b"hello"),
            ("pmessage", b"news", b"hello"),
        ]
        assert second.pubsub_channels() == [b"news"]
        assert second.pubsub_numsub("news", "x") == [(b"news", 1), (b"x", 0)]
        assert second.pubsub_numpat() == 1
        pubsub.ping()
        assert messages(pubsub, 1)[0][0] == "pong"
        pubsub.unsubscribe()
        pubsub.punsubscribe()
        assert [kind for kind, _, _ in messages(pubsub, 2)] == ["unsubscribe", "punsubscribe"]
    until(lambda: second.publish("news", "gone") == 0, "nobody listens")


def test_ten_thousand_messages_come_in_order(client: Any, second: Any) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("many")
        assert pubsub.get_message(timeout=PATIENCE) is None
        pipeline = second.pipeline(transaction=False)
        for number in range(10_000):
            pipeline.publish("many", number)
        assert set(pipeline.execute()) == {1}
        found = [data for _, _, data in messages(pubsub, 10_000)]
        assert found == [b"%d" % number for number in range(10_000)]


def test_what_happens_to_keys(client: Any, second: Any) -> None:
    second.config_set("notify-keyspace-events", "KEA")
    try:
        with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.psubscribe("__key*@0__:*")
            assert pubsub.get_message(timeout=PATIENCE) is None
            second.set("k", "v", px=1)
            until(lambda: second.get("k") is None, "it has expired")
            second.set("j", "v")
            second.delete("j")
            told = [(channel, data) for _, channel, data in messages(pubsub, 10)]
            assert told[0::2] == [
                (b"__keyspace@0__:k", b"set"),
                (b"__keyspace@0__:k", b"expire"),
                (b"__keyspace@0__:k", b"expired"),
                (b"__keyspace@0__:j", b"set"),
                (b"__keyspace@0__:j", b"del"),
            ]
            assert told[1] == (b"__keyevent@0__:set", b"k")
    finally:
        second.config_set("notify-keyspace-events", "")


# --- the connection and the server --------------------------------------------------------------


def test_connections_are_listed_and_killed(client: Any, second: Any) -> None:
    client.client_setname("first")
    second.client_setname("second")
    listed = {entry["name"]: entry for entry in client.client_list()}
    assert {"first", "second"} <= set(listed)
    assert int(listed["second"]["age"]) >= 0
    assert client.client_info()["name"] == "first"
    assert client.client_kill(listed["second"]["addr"]) is True
    assert client.client_kill_filter(_id=listed["second"]["id"]) == 0
    assert client.client_pause(1) is True
    assert client.client_unpause()
    assert client.client_no_evict("ON")


def test_facts_and_settings(client: Any) -> None:
    assert client.config_set("timeout", 100) is True
    assert client.config_get("timeout") == {"timeout": "100"}
    client.config_set("timeout", 0)
    assert client.config_resetstat() is True
    client.get("k")
    assert client.info("commandstats")["cmdstat_get"]["calls"] == 1
    assert "p50" in client.info("latencystats")["latency_percentiles_usec_info"]
    everything = client.info("everything")
    assert everything["role"] == "master"
    assert everything["cluster_enabled"] == 0
    assert client.time()[0] > 1_700_000_000
    assert client.role()[0] in (b"master", "master")
    assert client.lastsave().year > 2020
    assert client.save() is True
    assert client.bgsave() in (True, b"Background saving started")
    assert client.wait(0, 0) == 0
    assert client.slowlog_reset() is True
    assert client.slowlog_len() == 0
    assert client.slowlog_get() == []
    assert client.latency_latest() == []
    assert client.memory_stats()["keys.count"] == 0
    assert client.memory_purge() is True
    assert client.script_exists("a" * 40) == [False]
    assert client.script_flush() is True
    assert client.function_flush() in (True, b"OK", "OK")
    assert "get" in client.command()
    assert client.command_getkeys("SET", "k", "v") in ([b"k"], ["k"])
    assert client.client_getredir() == -1
    assert client.client_trackinginfo()
    assert client.reset() in ("RESET", b"RESET")


def test_a_monitor(client: Any, second: Any) -> None:
    with client.monitor() as monitor:
        second.set("k", "v with blanks")
        line = monitor.next_command()
        while line["command"].startswith(("CLIENT", "HELLO")):
            line = monitor.next_command()
        assert line["command"] == "SET k v with blanks"
        assert line["db"] == 0


def test_passwords(start_server: StartServer, tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SESAME}\n")
    server = start_server("--password-file", str(file))
    never_again = Retry(NoBackoff(), 0)
    with redis.Redis(port=server.port, protocol=protocol, password=SESAME) as client:
        assert client.set("k", "v") is True
    with redis.Redis(
        port=server.port, protocol=protocol, username="default", password=SESAME
    ) as client:
        assert client.get("k") == b"v"
    with (
        redis.Redis(port=server.port, protocol=protocol, retry=never_again) as client,
        pytest.raises((redis.AuthenticationError, redis.ResponseError)),
    ):
        client.get("k")
    with (
        redis.Redis(
            port=server.port, protocol=protocol, password=SESAME + "x", retry=never_again
        ) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.get("k")


def test_a_password_from_the_environment(start_server: StartServer) -> None:
    server = start_server(environ=environment(KVEIK_PASSWORD=SESAME))
    with redis.Redis(port=server.port, password=SESAME) as client:
        assert client.ping() is True
        client.config_set("requirepass", "")
    with redis.Redis(port=server.port) as client:
        assert client.ping() is True


# --- asyncio ------------------------------------------------------------------------------------


def test_asyncio(shared_server: Server, client: Any, protocol: int) -> None:
    async def work() -> None:
        async with redis.asyncio.Redis(port=shared_server.port, protocol=protocol) as own:
            shared: Any = own
            async with shared.pipeline(transaction=True) as pipeline:
                assert await pipeline.set("a", 1).get("a").execute() == [True, b"1"]
            async with shared.pubsub() as pubsub:
                await pubsub.subscribe("x")
                assert (await pubsub.get_message(timeout=PATIENCE))["type"] == "subscribe"
                assert await shared.publish("x", "hello") == 1
                assert (await pubsub.get_message(timeout=PATIENCE))["data"] == b"hello"
            async with shared.pipeline() as pipeline:
                await pipeline.watch("a")
                await shared.set("a", 2)
                pipeline.multi()
                pipeline.set("a", 3)
                with pytest.raises(redis.WatchError):
                    await pipeline.execute()

    asyncio.run(work())


def test_pushes_reach_their_handler(shared_server: Server, client: Any) -> None:
    got: list[Any] = []
    with redis.Redis(port=shared_server.port, protocol=3) as own:
        pubsub: Any = own.pubsub(push_handler_func=got.append)
        pubsub.subscribe("x")
        pubsub.get_message(timeout=PATIENCE)
        client.publish("x", "hello")
        pubsub.get_message(timeout=PATIENCE)
        assert got[-1] == [b"message", b"x", b"hello"]
        pubsub.close()


def parsers(protocol: int) -> list[Any]:
    """redis-py's parser in Python, and the one in C that it prefers where it is installed."""
    library("hiredis")
    from redis._parsers import _HiredisParser, _RESP2Parser, _RESP3Parser

    return [_HiredisParser, _RESP2Parser if protocol == 2 else _RESP3Parser]


@pytest.mark.parametrize("choice", [0, 1], ids=["C", "Python"])
def test_both_parsers(shared_server: Server, client: Any, protocol: int, choice: int) -> None:
    chosen = parsers(protocol)[choice]
    pool = redis.ConnectionPool(port=shared_server.port, protocol=protocol, parser_class=chosen)
    with redis.Redis(connection_pool=pool) as own:
        shared: Any = own
        assert type(pool.make_connection()._parser) is chosen
        assert shared.pipeline().set("k", 1).get("k").execute() == [True, b"1"]
        large = bytes(range(256)) * 4096
        assert shared.set("large", large)
        assert shared.mget("large", "nothing") == [large, None]
        assert shared.config_get("save") == {"save": ""}
        with pytest.raises(redis.ResponseError, match="unknown command"):
            shared.execute_command("NOSUCH")
        with shared.pubsub() as pubsub:
            pubsub.subscribe("x")
            assert messages(pubsub, 1) == [("subscribe", b"x", 1)]
            client.publish("x", "hello")
            assert messages(pubsub, 1) == [("message", b"x", b"hello")]
    pool.disconnect()


# --- keys, locks, lost connections --------------------------------------------------------------


def test_every_key_by_scanning(client: Any) -> None:
    client.mset({f"user:{number}": number for number in range(3000)})
    client.mset({f"order:{number}": number for number in range(10)})
    found = list(client.scan_iter(match="user:*", count=100))
    assert len(found) == len(set(found)) == 3000
    assert len(list(client.scan_iter())) == 3010
    assert list(client.scan_iter(_type="list")) == []


def test_its_own_lock_cannot_be_given_back(client: Any) -> None:
    lock = client.lock("lock", timeout=1000)
    assert lock.acquire()
    assert not client.lock("lock", timeout=1000).acquire(blocking=False)
    with pytest.raises(redis.ResponseError, match="EVALSHA is for scripts"):
        lock.release()


def test_the_documented_lock(client: Any, second: Any) -> None:
    page = (ROOT / "docs" / "clients.md").read_text()
    example = page.partition("```python\n")[2].partition("\nclient = ")[0]
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102
    lock = client.lock("lock", timeout=1000, lock_class=names["Lock"])
    with lock:
        assert not second.lock("lock", timeout=1, lock_class=names["Lock"]).acquire(blocking=False)
        assert client.pttl("lock") > 0
    assert client.get("lock") is None
    assert lock.acquire()
    second.set("lock", "somebody else")
    with pytest.raises(redis.exceptions.LockNotOwnedError):
        lock.release()
    assert client.get("lock") == b"somebody else"


def test_a_client_that_tries_again(start_server: StartServer, tmp_path: Path) -> None:
    address = tmp_path / "socket"
    server = start_server("--listen", f"unix://{address}")
    again = Retry(ConstantBackoff(0.02), int(PATIENCE / 0.02))
    with redis.Redis(unix_socket_path=str(address), retry=again) as client:
        assert client.set("k", "v") is True
        server.kill9()
        starting = threading.Thread(target=server.start)
        starting.start()
        assert client.get("k") == b"v"  # it waited for the server to come back
        starting.join(PATIENCE)
