"""KeyValueDB: the five operations of the JSON lines protocol in this process, without a network.

Part of the public face; built on the embedded database.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType

from kveik.embedded import open_database
from kveik.engine.batch import Batch
from kveik.format.keys import encode_bound, encode_key
from kveik.format.values import key_as_text


class KeyValueDB:
    """A directory of keys (str) and values (anything JSON can say), safe for several threads."""

    def __init__(self, data_dir: str | os.PathLike[str] = "data") -> None:
        self._db = open_database(data_dir)

    def put(self, key: str, value: object) -> bool:
        """Write a value; True once it is on the disk."""
        self._db.put(_text(key), value)
        return True

    def read(self, key: str) -> object:
        """The value, or None."""
        return self._db.get(_text(key))

    def read_key_range(self, start_key: str, end_key: str) -> dict[str, object]:
        """The entries from start_key to end_key, both included, in key order."""
        end = encode_bound(_text(end_key)) + b"\x00"
        rows = self._db.range(_text(start_key), end)
        return {
            key_as_text(key if isinstance(key, bytes) else encode_key(key)): value
            for key, value in rows
        }

    def batch_put(self, keys: Sequence[str], values: Sequence[object]) -> bool:
        """Write all of them, or none; ValueError if there are not as many keys as values."""
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys for {len(values)} values")
        batch = Batch()
        for key, value in zip(keys, values, strict=True):
            batch.put(_text(key), value)
        self._db.write(batch)
        return True

    def delete(self, key: str) -> bool:
        """Delete a key; whether there was one."""
        return self._db.delete(_text(key))

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> KeyValueDB:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _text(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is a str, not {type(key).__name__}")
    return key
