"""Tables for jobs: made from plain dicts, looked up in, and modelled."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from kveik.disk.api import Disk
from kveik.engine.builder import TableBuilder
from kveik.engine.output import is_buried
from kveik.engine.ranges import Ranges
from kveik.engine.sequential import SequentialTable
from kveik.format.filter import BITS_PER_KEY
from kveik.format.jobs import CompactJob, half_made_end
from kveik.format.table import TableInfo, table_name

NOW = 1_000_000
ENDING = "feed"
Clear = tuple[bytes, bytes]
Entries = dict[bytes, bytes]  # stored key -> stored value

ABSENT = b"absent"  # somebody says that there is no value
UNKNOWN = b"unknown"  # nobody says anything: whoever is older decides


def plain(data: bytes) -> bytes:
    """A stored value that never expires."""
    return b"\x01" + data


def expiring(data: bytes, expires: int) -> bytes:
    return b"\x81" + expires.to_bytes(8, "little") + data


class Level:
    """What one source holds: entries, and ranges deleted in every older source."""

    def __init__(self, entries: Entries, clears: Iterable[Clear] = ()) -> None:
        self.entries = entries
        self.clears = list(clears)

    def look(self, key: bytes) -> bytes:
        if key in self.entries:
            value = self.entries[key]
            return ABSENT if is_buried(value, NOW) else value
        hidden = any(start <= key < stop for start, stop in self.clears)
        return ABSENT if hidden else UNKNOWN


def look(levels: list[Level], key: bytes) -> bytes:
    """What levels, the newest first, say of a key."""
    for level in levels:
        found = level.look(key)
        if found != UNKNOWN:
            return found
    return UNKNOWN


def make_table(
    disk: Disk,
    number: int,
    entries: Entries,
    clears: Iterable[Clear] = (),
    *,
    block_size: int = 8192,
    filter_bits: int = BITS_PER_KEY,
) -> TableInfo:
    file = disk.create(table_name(number))
    builder = TableBuilder(file, number, block_size=block_size, filter_bits=filter_bits)
    for key in sorted(entries):
        builder.add(key, entries[key])
    builder.clears = list(clears)
    return builder.finish()


def make_source(
    disk: Disk, number: int, level: Level, cuts: Iterable[bytes] = (), *, block_size: int = 8192
) -> list[TableInfo]:
    """The level as disjoint tables, cut at some keys; numbers from `number` on."""
    borders = [b"", *sorted(set(cuts)), b"\xff" * 8]
    tables = []
    for low, high in itertools.pairwise(borders):
        entries = {key: level.entries[key] for key in level.entries if low <= key < high}
        clipped = [(max(start, low), min(stop, high)) for start, stop in level.clears]
        clears = [(start, stop) for start, stop in clipped if start < stop]
        if entries or clears:
            made = make_table(disk, number + len(tables), entries, clears, block_size=block_size)
            tables.append(made)
    return tables


def read_table(disk: Disk, info: TableInfo) -> Level:
    """What stands in a table, under its half-made name if it has no other."""
    name = table_name(info.number)
    if name not in disk.names():
        disk.rename(name + half_made_end(ENDING), name)
    table = SequentialTable(disk, info)
    entries: Entries = {}
    while (block := table.next()) is not None:
        assert entries == {} or max(entries) < block.key(0)
        entries.update(zip(block.keys(), block.values(), strict=True))
    table.close()
    assert len(entries) == info.entries
    return Level(entries, table.clears)


def read_tables(disk: Disk, tables: list[TableInfo]) -> Level:
    """Disjoint tables in order, which is checked, as one level."""
    entries: Entries = {}
    clears: list[Clear] = []
    for before, info in zip([None, *tables], tables, strict=False):
        assert before is None or before.high <= info.low
        level = read_table(disk, info)
        assert all(info.low <= key < info.high for key in level.entries)
        assert all(info.low <= start and stop <= info.high for start, stop in level.clears)
        assert info.clears == len(level.clears)
        entries.update(level.entries)
        clears += level.clears
    return Level(entries, clears)


def compact_job(
    sources: list[list[TableInfo]],
    *,
    first: int = 1000,
    reserved: int = 1000,
    table_size: int = 1 << 20,
    bottom: bool = False,
    block_size: int = 8192,
    codec: int = 0,
) -> CompactJob:
    return CompactJob(
        sources,
        first,
        reserved,
        table_size,
        token=ENDING,
        bottom=bottom,
        now=NOW,
        block_size=block_size,
        codec=codec,
    )


def ranges_of(clears: Iterable[Clear]) -> Ranges:
    ranges = Ranges()
    for start, stop in clears:
        ranges.add(start, stop)
    return ranges
