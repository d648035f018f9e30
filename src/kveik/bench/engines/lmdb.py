"""LMDB: each get, put and range is a transaction of its own, as for the others.

The memory: LMDB has no cache but the operating system's, which nothing bounds here. Unsynced is its
`sync=False`: a crash of the machine may take the whole database, less than the others promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import lmdb

from kveik.bench.engines.base import Engine, Pair, Setting

MAP_SIZE = 64 << 30  # bytes of address space; the file grows as it is needed


class Lmdb(Engine):
    name = "lmdb"
    package = "lmdb"
    abilities = frozenset({"range", "scan", "sync"})

    def __init__(self, setting: Setting) -> None:
        self._env: Any = lmdb.open(
            str(setting.path / "db"),
            map_size=MAP_SIZE,
            sync=setting.sync,
            metasync=setting.sync,
        )
        begin = self._env.begin

        def get(key: bytes) -> Any:
            with begin() as txn:
                return txn.get(key)

        def put(key: bytes, value: bytes) -> None:
            with begin(write=True) as txn:
                txn.put(key, value)

        def delete(key: bytes) -> None:
            with begin(write=True) as txn:
                txn.delete(key)

        self.get, self.put, self.delete = get, put, delete

    def write(self, pairs: Sequence[Pair]) -> None:
        with self._env.begin(write=True) as txn:
            put = txn.put
            for key, value in pairs:
                put(key, value)

    def range(self, start: bytes, count: int) -> Sequence[object]:
        with self._env.begin() as txn, txn.cursor() as cursor:
            return list(islice(cursor, count)) if cursor.set_range(start) else []

    def scan(self, reverse: bool) -> Iterator[object]:
        with self._env.begin() as txn, txn.cursor() as cursor:
            yield from cursor.iterprev() if reverse else cursor

    def close(self) -> None:
        self._env.close()
