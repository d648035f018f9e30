"""SQLite from the standard library: one table WITHOUT ROWID, the key its primary key, in WAL mode.

Each put is a transaction. Synced is `synchronous=FULL`; unsynced is NORMAL, which syncs when the
WAL is checkpointed, as the others sync what they merge. The memory is its page cache; each thread
has a connection, and so a cache, of its own, as SQLite wants it. `compact` is VACUUM.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence

from kveik.bench.engines.base import Engine, Pair, Setting

BUSY_S = 60.0  # a writer waits that long for the others
PUT = "REPLACE INTO kv VALUES (?, ?)"


class Sqlite(Engine):
    name = "sqlite3"
    abilities = frozenset({"range", "scan", "sync", "compact"})

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._own = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._connection().execute(
            "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"
        )
        connection = self._connection

        def get(key: bytes) -> object:
            row = connection().execute("SELECT v FROM kv WHERE k = ?", (key,)).fetchone()
            return None if row is None else row[0]

        def put(key: bytes, value: bytes) -> None:
            connection().execute(PUT, (key, value))

        def delete(key: bytes) -> None:
            connection().execute("DELETE FROM kv WHERE k = ?", (key,))

        self.get, self.put, self.delete = get, put, delete

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = self._own.connection = self._connect()
        return found

    def _connect(self) -> sqlite3.Connection:
        with self._lock:  # opening for the first time changes the file
            opened = sqlite3.connect(
                self._setting.path / "db.sqlite",
                timeout=BUSY_S,
                isolation_level=None,
                check_same_thread=False,
            )
            opened.execute("PRAGMA journal_mode = WAL")
            opened.execute(f"PRAGMA synchronous = {'FULL' if self._setting.sync else 'NORMAL'}")
            opened.execute(f"PRAGMA cache_size = {-self._setting.memory // 1024}")  # KiB
            self._connections.append(opened)
        return opened

    def write(self, pairs: Sequence[Pair]) -> None:
        connection = self._connection()
        connection.execute("BEGIN")
        connection.executemany(PUT, pairs)
        connection.execute("COMMIT")

    def range(self, start: bytes, count: int) -> Sequence[object]:
        query = "SELECT k, v FROM kv WHERE k >= ? ORDER BY k LIMIT ?"
        return self._connection().execute(query, (start, count)).fetchall()

    def scan(self, reverse: bool) -> Iterator[object]:
        order = "DESC" if reverse else "ASC"
        return self._connection().execute(f"SELECT k, v FROM kv ORDER BY k {order}")  # noqa: S608

    def compact(self) -> None:
        self._connection().execute("VACUUM")

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    @classmethod
    def version(cls) -> str:
        return sqlite3.sqlite_version
