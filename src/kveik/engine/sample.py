"""Any key of a range: one source is drawn by how many entries it has, then one entry of it.

A number leads to the same key as long as nothing changes, so that what raised a Fault can be done
again. The key may have been deleted or overwritten elsewhere: the caller looks on from there.
Called by the transaction, on the thread of truth.
"""

from __future__ import annotations

from kveik.engine.table import BlockFault, Table
from kveik.engine.view import View, entries
from kveik.format.block import Block
from kveik.native import i64


def sample(view: View, low: bytes, high: bytes, number: i64) -> bytes | None:
    """The key that a large number leads to from low (included) to high; None if nothing is there.

    low: of a database. It may stand a little outside of the range. Fault.
    """
    database = low[0]
    tables = [table for level in view.version.levels for table in level]
    weights = [memtable.live(database) for memtable in view.memtables]
    weights += [entries(table, database) for table in tables]
    total: i64 = sum(weights)
    if total == 0:
        return None
    left: i64 = number % total
    at: i64 = 0
    while left >= weights[at]:
        left -= weights[at]
        at += 1
    rest: i64 = number // total
    count: i64 = len(view.memtables)
    if at < count:
        return view.memtables[at].sample(low, high, rest)
    return _in_table(tables[at - count], low, high, rest)


def _in_table(table: Table, low: bytes, high: bytes, number: i64) -> bytes:
    root = table.get_root()
    place, number = _draw(root, low, high, number)
    partition = table.get_partition(place)
    place, number = _draw(partition, low, high, number)
    block = partition.blocks[place]
    if block is None:
        raise BlockFault(table, partition, place, place, place)
    place, number = _draw(block, low, high, number)
    return block.key(place)


def _draw(block: Block, low: bytes, high: bytes, number: i64) -> tuple[i64, i64]:
    """The place of an entry that may be in the range, and what is left of the number."""
    last: i64 = block.count - 1
    first: i64 = min(block.lower_bound(low), last)
    last = max(first, min(block.lower_bound(high), last))
    count: i64 = last - first + 1
    return first + number % count, number // count
