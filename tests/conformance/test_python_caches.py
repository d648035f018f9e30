"""Caches and sessions of Python's web frameworks, with Kveik where they expect Redis."""

from __future__ import annotations

import asyncio
import sys

import pytest
import redis
from tests.support.server import Server
from tests.support.tools import library, run

DJANGO = """
import sys
import django
from django.conf import settings

BACKEND = "django.core.cache.backends.redis.RedisCache"
settings.configure(CACHES={"default": {"BACKEND": BACKEND, "LOCATION": sys.argv[1]}})
django.setup()

from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache

cache.set("a", {"x": [1, 2]}, 1000)
assert cache.get("a") == {"x": [1, 2]}
assert cache.get("b", 5) == 5
assert cache.add("n", 1) and not cache.add("n", 2)
assert (cache.incr("n"), cache.incr("n", 5), cache.decr("n")) == (2, 7, 6)
try:
    cache.incr("nothing")
except ValueError:
    pass
else:
    raise AssertionError("it counted up what is not there")
assert cache.set_many({"p": 1, "q": "t"}, timeout=1000) == []
assert cache.get_many(["p", "q", "z"]) == {"p": 1, "q": "t"}
assert "p" in cache and "z" not in cache
assert cache.touch("p", 100) and not cache.touch("z", 100)
cache.delete_many(["p", "q"])
assert cache.delete("a") and not cache.delete("a")
assert cache.get_or_set("g", lambda: 7) == 7
assert cache.incr_version("g") == 2 and cache.get("g", version=2) == 7
cache.set("gone", 1, timeout=0)
assert cache.get("gone") is None
cache.set("for_ever", 1, timeout=None)
session = SessionStore()
session["user"] = "Ada"
session.save()
assert SessionStore(session.session_key)["user"] == "Ada"
assert cache.get("for_ever") == 1
cache.clear()
assert cache.get("for_ever") is None
print("done")
"""


def url(server: Server) -> str:
    return f"redis://127.0.0.1:{server.port}/1"


def test_django(shared_server: Server) -> None:
    library("django")
    # its settings are one to a process
    assert run(sys.executable, "-c", DJANGO, url(shared_server)) == "done\n"


def test_flask_caching(shared_server: Server) -> None:
    flask = library("flask")
    caching = library("flask_caching")
    app = flask.Flask("tested")
    settings = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url(shared_server)}
    cache = caching.Cache(app, config={**settings, "CACHE_DEFAULT_TIMEOUT": 1000})
    calls: list[str] = []

    @app.route("/")
    @cache.cached()
    def page() -> str:
        calls.append("page")
        return "hello"

    @cache.memoize()
    def add(a: int, b: int) -> int:
        calls.append("add")
        return a + b

    browser = app.test_client()
    assert [browser.get("/").data for _ in range(2)] == [b"hello"] * 2
    with app.app_context():
        assert [add(1, 2) for _ in range(2)] == [3, 3]
        assert calls == ["page", "add"]
        cache.delete_memoized(add)
        assert add(1, 2) == 3
        assert calls == ["page", "add", "add"]
        cache.set_many({"a": 1, "b": [2]})
        assert cache.get_many("a", "b", "c") == [1, [2], None]
        assert cache.has("a")
        cache.delete_many("a", "b")
        assert cache.get("a") is None
        assert cache.clear()
    browser.get("/")
    assert calls[-1] == "page"


def test_cachelib(shared_server: Server) -> None:
    cachelib = library("cachelib")
    with redis.Redis(port=shared_server.port, db=2) as client:
        client.set("foreign", 1)
        cache = cachelib.RedisCache(client, key_prefix="cache:", default_timeout=1000)
        assert cache.set("a", [1])
        assert cache.get("a") == [1]
        assert cache.add("b", 1)
        assert not cache.add("b", 2)
        assert (cache.inc("n"), cache.inc("n", 2), cache.dec("n")) == (1, 3, 2)
        assert cache.set_many({"x": 1, "y": 2})
        assert cache.get_many("x", "y", "z") == [1, 2, None]
        assert cache.has("x")
        cache.delete_many("x", "y")
        assert not cache.has("x")
        assert cache.clear()
        assert cache.get("a") is None
        assert client.get("foreign") == b"1"


def test_aiocache(shared_server: Server) -> None:
    aiocache = library("aiocache")

    async def work() -> None:
        place = {"endpoint": "127.0.0.1", "port": shared_server.port, "namespace": "m"}
        async with aiocache.Cache(aiocache.Cache.REDIS, **place) as cache:
            assert await cache.set("a", "one", ttl=1000)
            assert await cache.get("a") == "one"
            assert await cache.add("b", "1")
            with pytest.raises(ValueError, match="already exists"):
                await cache.add("b", "1")
            await cache.multi_set([("x", "1"), ("y", "2")], ttl=1000)
            assert await cache.multi_get(["x", "y", "z"]) == ["1", "2", None]
            assert await cache.exists("x")
            assert await cache.expire("x", 100)
            assert await cache.increment("n", 3) == 3
            assert await cache.delete("x") == 1
            assert await cache.clear()
            assert await cache.get("a") is None

    asyncio.run(work())
