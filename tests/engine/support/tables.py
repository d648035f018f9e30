"""Tables for tests, and a reader that fetches whatever is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st
from tests.format.blocks import KEYS

from kveik.disk.api import Disk
from kveik.disk.memory import MemoryDisk
from kveik.engine.builder import TableBuilder
from kveik.engine.cache import Cache
from kveik.engine.cursor import TableCursor
from kveik.engine.files import TableFiles
from kveik.engine.table import Fault, Hit, Table
from kveik.format.codec import NONE
from kveik.format.entry import encode_value_of
from kveik.format.filter import hash_key
from kveik.format.table import BLOCK_SIZE, TableInfo, table_name
from kveik.model import BYTES

Entries = dict[bytes, bytes]
Ranges = list[tuple[bytes, bytes]]
Result = TypeVar("Result")

VALUES = st.builds(bytes.__add__, st.sampled_from([b"\x01", b"\x02"]), st.binary(max_size=300))
ENTRIES = st.dictionaries(KEYS, VALUES, max_size=60)
TOP = b"\xff" * 9  # above every key that tests draw for whole scans
PLENTY = 1 << 30  # bytes of a cache that never evicts


def shown(stored: bytes) -> bytes:
    """What a cursor gives for a stored value: a plain one's bytes; others stay as they are here."""
    return stored[1:] if stored[0] == BYTES else stored


def rows_of(entries: Entries) -> list[tuple[bytes, bytes]]:
    """What a scan gives for entries, forwards."""
    return [(key[1:], shown(value)) for key, value in sorted(entries.items())]


def build(
    disk: Disk,
    entries: Entries,
    *,
    number: int = 12,
    block_size: int = BLOCK_SIZE,
    codec: int = NONE,
    clears: Ranges | None = None,
) -> TableInfo:
    builder = TableBuilder(
        disk.create(table_name(number)), number, block_size=block_size, codec=codec
    )
    keys = sorted(entries)
    builder.add_many(keys, [entries[key] for key in keys])
    builder.clears = clears or []
    return builder.finish()


def table_of(
    entries: Entries, *, block_size: int = BLOCK_SIZE, clears: Ranges | None = None
) -> Table:
    disk = MemoryDisk()
    return Table(TableFiles(disk), build(disk, entries, block_size=block_size, clears=clears))


class Reader:
    """Runs what may fault until it does not, and counts the faults; pins end with each run."""

    def __init__(self, capacity: int = PLENTY) -> None:
        self.cache = Cache(capacity)
        self.faults = 0

    def run(self, function: Callable[[], Result]) -> Result:
        faults: list[Fault] = []
        try:
            while True:
                try:
                    return function()
                except Fault as fault:
                    self.faults += 1
                    faults.append(fault)
                    fault.load(False)
                    fault.settle(self.cache)
        finally:
            for fault in faults:
                fault.release()

    def find(self, table: Table, key: bytes) -> bytes | None:
        """The stored value of a key."""
        hit = Hit()
        found = self.run(lambda: table.find(key, hash_key(key), hit))
        return hit.data[hit.start : hit.end] if found else None

    def hidden(self, table: Table, key: bytes) -> bool:
        return self.run(lambda: table.hidden(key))

    def scan(
        self,
        table: Table,
        start: bytes = b"",
        stop: bytes = TOP,
        *,
        reverse: bool = False,
        count: int = 100,
    ) -> list[tuple[bytes, object]]:
        """Keys without their first byte, and values as `shown` gives them."""
        cursor = TableCursor(table, start, stop, reverse)
        entries: list[tuple[bytes, object]] = []
        while self.run(lambda: cursor.chunk(count)):
            assert 0 < len(cursor.keys) <= count
            values = [v if isinstance(v, bytes) else encode_value_of(v) for v in cursor.values]
            entries.extend(zip(cursor.keys, values, strict=True))
        assert cursor.keys == cursor.values == []
        return entries
