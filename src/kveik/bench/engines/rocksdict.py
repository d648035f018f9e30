"""RocksDB through rocksdict, with raw bytes as keys and values.

The memory: two memtables of an eighth each, the rest is the block cache, which also holds filters
and indexes. Otherwise its own defaults, without compression, with a Bloom filter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import rocksdict

from kveik.bench.engines.base import BLOOM_BITS, Engine, Pair, Setting

MANY = 1000  # level-0 tables; a layered database has a handful
_COUNTER = re.compile(r"^rocksdb\.(\S+) COUNT : (\d+)$", re.MULTILINE)


class RocksDict(Engine):
    name = "rocksdict"
    package = "rocksdict"
    abilities = frozenset({"range", "scan", "sync", "flush", "compact"})

    def __init__(self, setting: Setting) -> None:
        self._options = _options(setting)
        self._counted = setting.counted
        self._db = rocksdict.Rdict(str(setting.path / "db"), self._options)
        if setting.sync:
            synced = rocksdict.WriteOptions()
            synced.sync = True
            self._db.set_write_options(synced)
        self.get = self._db.get
        self.put = self._db.put
        self.delete = self._db.delete

    def write(self, pairs: Sequence[Pair]) -> None:
        batch = rocksdict.WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in pairs:
            put(key, value)
        self._db.write(batch)

    def range(self, start: bytes, count: int) -> Sequence[object]:
        return list(islice(self._db.items(from_key=start), count))

    def scan(self, reverse: bool) -> Iterator[object]:
        return self._db.items(backwards=reverse)

    def flush(self) -> None:
        self._db.flush()

    def compact(self) -> None:
        self._db.compact_range(None, None)

    def stats(self) -> dict[str, float]:
        found: dict[str, float] = {}
        level0 = self._db.property_value("rocksdb.num-files-at-level0")
        if level0 is not None:
            found["level0_tables"] = int(level0)
        told = self._options.get_statistics() if self._counted else None
        if told is not None:
            found.update((name, int(count)) for name, count in _COUNTER.findall(told))
            found["blocks_touched"] = sum(
                found[f"block.cache.{kind}.{end}"]
                for kind in ("data", "index", "filter")
                for end in ("hit", "miss")
            )
        return found

    def close(self) -> None:
        self._db.close()


def _options(setting: Setting) -> rocksdict.Options:
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_block_cache(rocksdict.Cache(setting.memory * 3 // 4))
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    blocks.set_bloom_filter(BLOOM_BITS, False)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(setting.memory // 8)
    options.set_max_write_buffer_number(2)
    options.set_compression_type(rocksdict.DBCompressionType.none())
    if setting.layered:
        options.set_disable_auto_compactions(True)
        options.set_level_zero_slowdown_writes_trigger(MANY)
        options.set_level_zero_stop_writes_trigger(MANY)
    if setting.counted:
        options.enable_statistics()
    return options
