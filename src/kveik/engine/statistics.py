"""What the engine holds and has done, as a dict of plain values. Called by the database."""

from __future__ import annotations

from typing import Any

from kveik.engine.store import Store
from kveik.engine.upkeep import Upkeep
from kveik.format.table import TableInfo
from kveik.native import i64


def statistics(store: Store, upkeep: Upkeep | None) -> dict[str, Any]:
    """Sizes in bytes, times in seconds, counts since the database was opened."""
    hit = store.hit
    memtables = store.view.memtables
    found: dict[str, Any] = {
        "levels": _levels(store),
        "memtables": len(memtables),
        "memtable_entries": sum([len(memtable) for memtable in memtables]),
        "last_lsn": store.lsn(),
        "synced_lsn": store.synced(),
        "flushed_lsn": store.flushed,
        "cache_hits": hit.blocks - hit.missed,
        "cache_misses": hit.missed,
        "cache_bytes": store.cache.size,
        "cache_capacity": store.cache.capacity,
        "cache_loads": store.cache.misses,
        "cache_evictions": store.cache.evictions,
        "table_searches": hit.searches,
        "blocks_searched": hit.blocks,
        "read_amplification": _ratio(hit.blocks, hit.searches),
        "stalled_seconds": store.stalled,
        "replayed_bytes": store.replayed,
        "failure": store.failure,
        "full": store.full,
    }
    found.update(_upkeep(upkeep))
    return found


def _ratio(one: i64, other: i64) -> float:
    return float(one) / float(other) if other else 0.0


def _levels(store: Store) -> list[dict[str, int]]:
    levels = [_level(infos) for infos in store.view.version.infos()]
    while len(levels) > 1 and levels[-1]["tables"] == 0:
        levels.pop()
    return levels


def _level(infos: list[TableInfo]) -> dict[str, int]:
    return {
        "tables": len(infos),
        "bytes": sum([info.size for info in infos]),
        "entries": sum([info.entries for info in infos]),
        "tombstones": sum([info.tombstones for info in infos]),
    }


def _upkeep(upkeep: Upkeep | None) -> dict[str, Any]:
    if upkeep is None:  # read-only
        return {
            "debt": 0.0,
            "flushes": 0,
            "flushed_bytes": 0,
            "compactions": 0,
            "compacting": 0,
            "compaction_read_bytes": 0,
            "compaction_written_bytes": 0,
            "compaction_seconds": 0.0,
            "write_amplification": 0.0,
        }
    written = upkeep.flushed + upkeep.rewritten
    return {
        "debt": upkeep.debt(),
        "flushes": upkeep.flushes,
        "flushed_bytes": upkeep.flushed,
        "compactions": upkeep.compactions,
        "compacting": int(upkeep.compacts()),
        "compaction_read_bytes": upkeep.compacted,
        "compaction_written_bytes": upkeep.rewritten,
        "compaction_seconds": upkeep.compacting_seconds,
        "write_amplification": _ratio(written, upkeep.flushed),
    }
