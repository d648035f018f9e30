"""Kveik: durability "none", or "always" for synced writes; the memory is its `memory=`.

What is still to come in its interface is an ability only where it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import kveik
from kveik.bench.engines.base import Engine, Pair, Setting, numbers

_LATER = frozenset({"flush", "compact"})


class Kveik(Engine):
    name = "kveik"
    package = "kveik"
    abilities = frozenset({"range", "scan", "sync"}) | {
        name for name in _LATER if hasattr(kveik.Database, name)
    }

    def __init__(self, setting: Setting) -> None:
        durability = setting.durability or ("always" if setting.sync else "none")
        # As Any: flush, compact and stats are not there in every version.
        self._db: Any = kveik.open(setting.path, durability=durability, memory=setting.memory)
        self.get = self._db.get
        self.put = self._db.put
        self.delete = self._db.delete

    def write(self, pairs: Sequence[Pair]) -> None:
        batch = kveik.Batch()
        put = batch.put
        for key, value in pairs:
            put(key, value)
        self._db.write(batch)

    def range(self, start: bytes, count: int) -> Sequence[object]:
        return list(self._db.range(start, limit=count))

    def scan(self, reverse: bool) -> Iterator[object]:
        found: Iterator[object] = self._db.range(reverse=reverse)
        return found

    def flush(self) -> None:
        self._db.flush()

    def compact(self) -> None:
        self._db.compact(None, None)

    def stats(self) -> dict[str, float]:
        stats = getattr(self._db, "stats", None)
        return numbers(stats()) if stats is not None else {}

    def close(self) -> None:
        self._db.close()

    @classmethod
    def version(cls) -> str:
        from kveik.version import VERSION, flavour

        return f"{VERSION} ({flavour()})"
