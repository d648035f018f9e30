"""A batch: puts and deletes that happen together. Made by callers, written by the database."""

from __future__ import annotations

from kveik.engine.transaction import PREFIXES
from kveik.format.keys import encode_key
from kveik.format.values import encode_value
from kveik.model import Cell, Writes


class Batch:
    """Puts and deletes that happen together: all or none, whatever crashes."""

    def __init__(self) -> None:
        self.writes = Writes()

    def put(self, key: object, value: object) -> None:
        """Add a put; key and value as for Database.put."""
        kind, data = encode_value(value)
        self.writes.put(PREFIXES[0] + encode_key(key), Cell(kind, data))

    def delete(self, key: object) -> None:
        """Add a delete; it need not exist."""
        self.writes.delete(PREFIXES[0] + encode_key(key))

    def __len__(self) -> int:
        return self.writes.count
