"""The engines by name. An engine's library is imported when the engine is asked for."""

from __future__ import annotations

from importlib import import_module

from kveik.bench.engines.base import Engine

OURS = "kveik"
# Kveik first: it is what the others are compared with.
ENGINES = {
    OURS: "kveik.bench.engines.kveik:Kveik",
    "rocksdict": "kveik.bench.engines.rocksdict:RocksDict",
    "plyvel": "kveik.bench.engines.plyvel:Plyvel",
    "lmdb": "kveik.bench.engines.lmdb:Lmdb",
    "sqlite3": "kveik.bench.engines.sqlite:Sqlite",
    "diskcache": "kveik.bench.engines.disk_cache:DiskCache",
}
NOOP = "noop"  # does nothing; what the loops themselves cost
_HOMES = {**ENGINES, NOOP: "kveik.bench.engines.noop:Noop"}


def find_engine(name: str) -> type[Engine]:
    """The adapter; ImportError if its library is not installed."""
    module, _, attribute = _HOMES[name].partition(":")
    found: type[Engine] = getattr(import_module(module), attribute)
    return found
