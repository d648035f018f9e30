"""Kveik: a persistent, ordered key-value database.

    import kveik

    with kveik.open("data") as db:              # a MutableMapping, on the disk
        db["user:1"] = {"name": "Ada"}
        db.get("user:1")                        # {'name': 'Ada'}
        list(db.scan("user:"))                  # in key order

Also `put(ttl=, if_equal=, if_absent=)`, `batch()`, `transaction()`, `snapshot()`, `checkpoint()`:
docs/embedded.md. `Snapshot` and `Transaction` are for annotations; `kveik.errors` has the errors.

`kveik.Client` and `kveik.AsyncClient` have the same calls for a server (`kveik serve`):
docs/python-clients.md. `kveik.KeyValueDB` is the same behind the five operations of the JSON lines
protocol; `kveik.KVDBClient` speaks that protocol, `kveik.KVClient` the length-prefixed one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kveik.errors import Conflict, KveikError
from kveik.version import VERSION as __version__

if TYPE_CHECKING:
    from kveik.client.asynchronous import AsyncClient
    from kveik.client.blocking import Client
    from kveik.client.framed import KVClient
    from kveik.client.jsonlines import KVDBClient
    from kveik.embedded import open_database as open
    from kveik.engine.batch import Batch
    from kveik.engine.database import Database
    from kveik.engine.frozen import FrozenDatabase as Snapshot
    from kveik.engine.optimistic import OptimisticTransaction as Transaction
    from kveik.keyvaluedb import KeyValueDB

__all__ = [
    "AsyncClient",
    "Batch",
    "Client",
    "Conflict",
    "Database",
    "KVClient",
    "KVDBClient",
    "KeyValueDB",
    "KveikError",
    "Snapshot",
    "Transaction",
    "__version__",
    "open",
]

_HOMES = {
    "AsyncClient": ("kveik.client.asynchronous", "AsyncClient"),
    "Batch": ("kveik.engine.batch", "Batch"),
    "Client": ("kveik.client.blocking", "Client"),
    "Database": ("kveik.engine.database", "Database"),
    "KVClient": ("kveik.client.framed", "KVClient"),
    "KVDBClient": ("kveik.client.jsonlines", "KVDBClient"),
    "KeyValueDB": ("kveik.keyvaluedb", "KeyValueDB"),
    "Snapshot": ("kveik.engine.frozen", "FrozenDatabase"),
    "Transaction": ("kveik.engine.optimistic", "OptimisticTransaction"),
    "open": ("kveik.embedded", "open_database"),
}


def __getattr__(name: str) -> object:
    """Load a part of the public face when it is first used: a client needs no engine."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kveik' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value
