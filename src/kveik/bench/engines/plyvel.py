"""LevelDB through plyvel.

The memory: two memtables of an eighth each, the rest is the block cache. Indexes and filters come
on top: LevelDB holds them outside of its cache. No compression, a Bloom filter, otherwise its
defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import plyvel

from kveik.bench.engines.base import BLOOM_BITS, Engine, Pair, Setting


class Plyvel(Engine):
    name = "plyvel"
    package = "plyvel"
    abilities = frozenset({"range", "scan", "sync", "compact"})

    def __init__(self, setting: Setting) -> None:
        self._sync = setting.sync
        self._db = plyvel.DB(
            str(setting.path / "db"),
            create_if_missing=True,
            write_buffer_size=setting.memory // 8,
            lru_cache_size=setting.memory * 3 // 4,
            bloom_filter_bits=BLOOM_BITS,
            compression=None,
        )
        self.get = self._db.get
        self.put = partial(self._db.put, sync=True) if self._sync else self._db.put
        self.delete = partial(self._db.delete, sync=True) if self._sync else self._db.delete

    def write(self, pairs: Sequence[Pair]) -> None:
        with self._db.write_batch(transaction=True, sync=self._sync) as batch:
            put = batch.put
            for key, value in pairs:
                put(key, value)

    def range(self, start: bytes, count: int) -> Sequence[object]:
        with self._db.iterator(start=start) as rows:
            return list(islice(rows, count))

    def scan(self, reverse: bool) -> Iterator[object]:
        rows: Iterator[object] = self._db.iterator(reverse=reverse)
        return rows

    def compact(self) -> None:
        self._db.compact_range()

    def close(self) -> None:
        self._db.close()
