"""AsyncClient: Client's calls with await; many tasks at once, lost connections, cancelled calls."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.plain import typed
from tests.support.server import Server

import kveik
from kveik import AsyncClient, Client
from kveik.client import asynchronous, calls
from kveik.client.changes import Commit
from kveik.errors import ClosedError, ConnectionError, LimitError, ServerError, TimeoutError
from kveik.limits import PAGE_ROWS

Work = Callable[[AsyncClient], Awaitable[None]]


def url(server: Server) -> str:
    return f"redis://127.0.0.1:{server.port}"


def run(server: Server, work: Work, **options: Any) -> None:
    async def main() -> None:
        async with AsyncClient(url(server), **options) as client:
            await client.clear()
            await asyncio.wait_for(work(client), 60)

    asyncio.run(main())


def test_the_calls_of_client_with_await(shared_server: Server) -> None:
    async def work(client: AsyncClient) -> None:
        for value in (b"\xff", "caf\u00e9", 1.5, None, {"a": [1]}, True):
            assert await client.put("k", value) is True
            assert typed(await client.get("k")) == typed(value)
        assert await client.get("nothing", "default") == "default"
        assert await client.put("k", 1, if_absent=True) is False
        assert await client.put("k", 1, if_equal=True) is True
        assert await client.cas("k", 1, 2) is True
        assert await client.cas("k", 1) is False
        assert await client.exists("k") is True
        assert await client.delete("k") is True
        assert await client.delete("k") is False
        assert await client.setdefault(("t", 1), [1]) == [1]
        assert await client.setdefault(("t", 1), 2) == [1]
        assert await client.pop(("t", 1)) == [1]
        assert await client.pop("k", None) is None
        with pytest.raises(KeyError):
            await client.pop("k")
        await client.put_many({"a": 1, "b": "2"})
        await client.put_many({})
        assert await client.get_many(["b", "x", "a"], 0) == ["2", 0, 1]
        assert await client.get_many([]) == []
        await client.delete_range("a", "b")
        assert await client.count() == 1
        await client.put("t", 1, ttl=100)
        assert 0 < await client.redis.ttl("t") <= 100
        assert await client.ping() is True
        await client.sync()
        assert (await client.stats())["levels"]
        assert (await client.info("server"))["tcp_port"] == shared_server.port
        with pytest.raises(LimitError):
            await client.put("", 1)

    run(shared_server, work)


def test_it_has_the_calls_of_client() -> None:
    own = {"items", "popitem", "update", "values"}
    names = {name for name in dir(Client) if not name.startswith("_")}
    assert names - own <= set(dir(AsyncClient))


@pytest.mark.parametrize("protocol", [2, 3])
def test_ranges_batches_and_changes(shared_server: Server, protocol: int) -> None:
    async def work(client: AsyncClient) -> None:
        count = PAGE_ROWS + 500
        async with client.batch() as batch:
            for number in range(count):
                batch.put(f"k{number:05}", number)
            batch.delete("nothing")
        assert [value async for _, value in client.range()] == list(range(count))
        found = [value async for _, value in client.scan("k", reverse=True, limit=1200)]
        assert found == list(range(count))[::-1][:1200]
        assert [key async for key in client] == [b"k%05d" % number for number in range(count)]
        entries = client.range("k", "l")
        assert await anext(entries) == (b"k00000", 0)
        await entries.aclose()
        assert [entry async for entry in entries] == []
        await client.clear()
        with pytest.raises(ZeroDivisionError):
            async with client.batch() as batch:
                batch.put("c", 1 // 0)
        async with client.watch("w") as watch:
            await client.put("w", {"a": 1})
            await client.put_many({"w1": "x", "other": 1})
            (first,) = await anext(watch)
            assert (first.kind, first.key, first.value) == ("put", b"w", {"a": 1})
            (second,) = await anext(watch)
            assert second.value == "x"
            assert await watch.poll(0.01) is None
            assert await watch.poll(0.01) is None
            await client.delete("w")
            commit = await watch.poll(20)
            assert commit is not None
            assert commit.changes[0].kind == "delete"
            lsn = watch.lsn
        with pytest.raises(ClosedError):
            await anext(watch)
        await client.put("w", "later")
        watch = client.watch("w", from_lsn=lsn)  # begins with the first that is asked for
        assert (await anext(watch)).changes[0].value == "later"
        await watch.close()
        batch = kveik.Batch()
        batch.put("e", 1, ttl=100)
        await client.write(batch)
        assert await client.redis.ttl("e") > 0

    run(shared_server, work, protocol=protocol)


def test_many_tasks_share_a_client(shared_server: Server) -> None:
    async def work(client: AsyncClient) -> None:
        async def one(number: int) -> None:
            for turn in range(5):
                await client.put((number, turn), turn)
                assert await client.get((number, turn)) == turn

        await asyncio.gather(*(one(number) for number in range(100)))
        assert await client.count() == 500

    run(shared_server, work, max_connections=10)


def test_retries_carry_tasks_over_a_kill_and_a_restart(server: Server) -> None:
    server.command += ["--port", str(server.port)]

    async def work(client: AsyncClient) -> None:
        commits: list[Commit] = []
        written = [0] * 5
        done = asyncio.Event()

        async def write(number: int) -> None:
            while not done.is_set():
                await client.put((number, written[number]), written[number])
                written[number] += 1

        async def follow() -> None:
            async for commit in watch:
                commits.append(commit)  # noqa: PERF401

        watch = client.watch()
        await watch.__aenter__()
        tasks = [asyncio.create_task(write(number)) for number in range(5)]
        following = asyncio.create_task(follow())
        for turn in range(2):
            before = sum(written)
            while sum(written) < before + 30:
                await asyncio.sleep(0.002)
            if turn == 0:
                await asyncio.to_thread(server.restart)
        done.set()
        await asyncio.gather(*tasks)
        for number in range(5):
            values = [value async for _, value in client.scan((number,))]
            assert values == list(range(written[number]))
        told: set[object] = set()
        while len(told) < sum(written):
            await asyncio.sleep(0.002)
            told = {change.key for commit in commits for change in commit}
        following.cancel()
        await watch.close()
        assert [commit.lsn for commit in commits] == sorted({commit.lsn for commit in commits})

    run(server, work, max_retries=20)


def test_errors(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: AsyncClient) -> None:
        with pytest.raises(ServerError, match="syntax"):
            await client._do(calls.Call([("SET", "k", "v", "FOO")], calls.nothing))
        with pytest.raises(ServerError, match="FROM is an LSN"):
            await anext(client.watch(from_lsn=1 << 60))
        await client.put("k", 1)
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await client.get("k")
        task = asyncio.create_task(client.get("k"))
        await asyncio.sleep(0.05)
        task.cancel()  # its answer, late, must not be the next one's
        server.process.send_signal(signal.SIGCONT)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await client.get("other", "none") == "none"
        lost = monkeypatch.context()
        with lost as patch:
            exchange = asynchronous._exchange

            async def losing(connection: Any, call: calls.Call) -> list[Any]:
                await exchange(connection, call)
                raise asynchronous.link.redis.ConnectionError("lost")

            patch.setattr(asynchronous, "_exchange", losing)
            with pytest.raises(ConnectionError, match="lost"):
                await client.put("k", 2, if_equal=1)
        assert await client.get("k") == 2
        await client.close()
        with pytest.raises(ClosedError):
            await client.get("k")

    run(server, work, socket_timeout=0.2, max_retries=1)

    async def nobody() -> None:
        client = AsyncClient("redis://127.0.0.1:1", max_retries=1)
        assert repr(client) == "<kveik async client redis://127.0.0.1:1>"
        with pytest.raises(ConnectionError):
            await client.get("k")
        with pytest.raises(ConnectionError):
            await anext(client.watch())

    asyncio.run(nobody())


def test_an_idle_connection_that_has_ended_is_seen_before_it_is_used(server: Server) -> None:
    server.command += ["--port", str(server.port)]

    async def work(client: AsyncClient) -> None:
        await client.put("k", 1)
        await asyncio.to_thread(server.restart)
        assert await client.put("k", 2, if_equal=1) is True

    run(server, work, max_retries=0)


def test_a_watch_that_another_task_closes_ends(shared_server: Server) -> None:
    async def work(client: AsyncClient) -> None:
        watch = client.watch("nothing")
        waiting = asyncio.create_task(watch.poll(None))
        await asyncio.sleep(0.05)
        await watch.close()
        with pytest.raises(ClosedError):
            await waiting

    run(shared_server, work)


def test_a_silent_server_is_asked_whether_it_is_there(
    shared_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kveik.client.async_changes.QUIET", 0.05)

    async def work(client: AsyncClient) -> None:
        async with client.watch() as watch:
            asyncio.get_running_loop().call_later(
                0.4, lambda: asyncio.ensure_future(client.put("late", 1))
            )
            assert (await anext(watch)).changes[0].key == b"late"

    run(shared_server, work)
