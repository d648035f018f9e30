"""What tables cost: building one, finding keys with every block in memory, scanning.

python -m bench.table_time [entries]
"""

from __future__ import annotations

import random
import sys
import tempfile
import time

from kveik.disk.posix import PosixDisk
from kveik.engine.builder import TableBuilder
from kveik.engine.cache import Cache
from kveik.engine.cursor import TableCursor
from kveik.engine.files import TableFiles
from kveik.engine.table import Fault, Hit, Table
from kveik.format.filter import hash_key, may_contain
from kveik.format.table import table_name
from kveik.version import flavour

FINDS = 200_000
CHUNK = 4096  # entries handed to the builder at once


def build(disk: PosixDisk, keys: list[bytes], values: list[bytes]) -> tuple[Table, float]:
    file = disk.create(table_name(1))
    builder = TableBuilder(file, 1)
    start = time.perf_counter()
    for at in range(0, len(keys), CHUNK):
        builder.add_many(keys[at : at + CHUNK], values[at : at + CHUNK])
    spent = time.perf_counter() - start  # without the sync
    return Table(TableFiles(disk), builder.finish()), spent


def fault_in(fault: Fault, cache: Cache) -> None:
    fault.load(False)
    fault.settle(cache)
    fault.release()


def scan(table: Table, cache: Cache, *, reverse: bool = False) -> tuple[int, float]:
    """Entries of the whole table, and seconds."""
    cursor = TableCursor(table, b"", b"\xff", reverse)
    count = 0
    start = time.perf_counter()
    while True:
        try:
            if not cursor.chunk(1000):
                return count, time.perf_counter() - start
        except Fault as fault:
            fault_in(fault, cache)
            continue
        count += len(cursor.keys)


def find(table: Table, keys: list[bytes]) -> tuple[int, float]:
    """Keys found, and seconds; hashes are made as a reader makes them."""
    hit = Hit()
    count = 0
    start = time.perf_counter()
    for key in keys:
        count += table.find(key, hash_key(key), hit)
    return count, time.perf_counter() - start


def overhead(keys: list[bytes]) -> float:
    start = time.perf_counter()
    for key in keys:
        hash_key(key)
    return time.perf_counter() - start


def false_positives(table: Table, keys: list[bytes]) -> float:
    filters = [partition.filter for partition in table.partitions]  # type: ignore[union-attr]
    passed = sum(may_contain(filters[n % len(filters)], hash_key(k)) for n, k in enumerate(keys))
    return passed / len(keys)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    chance = random.Random(1)
    drawn = {b"\0" + chance.randbytes(15) for _ in range(count)}
    keys = sorted(drawn)
    values = [b"\x01" + chance.randbytes(99) for _ in keys]
    with tempfile.TemporaryDirectory() as folder:
        table, spent = build(PosixDisk(folder), keys, values)
        size = int(table.info.size)
        print(f"{flavour()}, {count:,} entries of 16 B and 100 B, {size / 1e6:.1f} MB")
        print(f"build        {count / spent / 1e6:6.2f} M entries/s, {size / spent / 1e6:.0f} MB/s")
        cache = Cache(4 * size)
        _, spent = scan(table, cache)
        print(f"scan, cold   {count / spent / 1e6:6.2f} M entries/s")
        for reverse in (False, True):
            _, spent = scan(table, cache, reverse=reverse)
            print(f"scan, cached {count / spent / 1e6:6.2f} M entries/s, reverse={reverse}")
        some = chance.choices(keys, k=FINDS)
        absent = [b"\0" + chance.randbytes(15) for _ in range(FINDS)]
        near = some[:100] * (FINDS // 100)
        for what, asked in (("random", some), ("absent", absent), ("few keys", near)):
            base = min(overhead(asked) for _ in range(3))
            _, spent = min(find(table, asked) for _ in range(3))
            each = (spent - base) / FINDS * 1e9
            print(f"find {what:8}{each:6.0f} ns beyond {base / FINDS * 1e9:.0f} for loop and hash")
        print(f"false positives {100 * false_positives(table, absent):.2f} %")


if __name__ == "__main__":
    main()
