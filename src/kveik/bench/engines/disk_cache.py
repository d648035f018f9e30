"""diskcache, told to evict nothing. It stands on SQLite: memory and syncs as in sqlite.py.

It reads keys in order but not from a given key on, so it has no range; a scan is its ordered keys
and a get of each, as its users do it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import diskcache

from kveik.bench.engines.base import Engine, Pair, Setting

NORMAL, FULL = 1, 2  # SQLite's synchronous


class DiskCache(Engine):
    name = "diskcache"
    package = "diskcache"
    abilities = frozenset({"scan", "sync"})

    def __init__(self, setting: Setting) -> None:
        self._cache: Any = diskcache.Cache(
            str(setting.path / "db"),
            eviction_policy="none",
            cull_limit=0,
            size_limit=1 << 50,
            sqlite_synchronous=FULL if setting.sync else NORMAL,
            sqlite_cache_size=-setting.memory // 1024,  # KiB
            sqlite_mmap_size=0,
        )
        self.get = self._cache.get
        self.put = self._cache.set
        self.delete = self._cache.delete

    def write(self, pairs: Sequence[Pair]) -> None:
        put = self._cache.set
        with self._cache.transact(retry=True):
            for key, value in pairs:
                put(key, value)

    def scan(self, reverse: bool) -> Iterator[object]:
        get = self._cache.get
        for key in self._cache.iterkeys(reverse=reverse):
            yield key, get(key)

    def close(self) -> None:
        self._cache.close()
