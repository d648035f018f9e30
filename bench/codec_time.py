"""What compressing tables costs and saves: sizes, building, reading a block that is not cached.

python -m bench.codec_time [entries]
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time

from rich.console import Console
from rich.table import Table as Grid

from kveik.disk.posix import PosixDisk
from kveik.engine.builder import TableBuilder
from kveik.engine.cache import Cache
from kveik.engine.files import TableFiles
from kveik.engine.table import Fault, Hit, Table
from kveik.format.codec import NONE, ZLIB, ZSTD, has_zstd
from kveik.format.filter import hash_key
from kveik.format.table import TableInfo, table_name
from kveik.version import describe

ROUNDS = 5
READS = 5000  # keys read with nothing but indexes cached
CHUNK = 4096  # entries handed to the builder at once
TEXT = "the of a yeast kveik ferments warm and fast on shelves for years then wakes again"
WORDS = TEXT.split()


def records(chance: random.Random, number: int) -> bytes:
    """A value as programs store them: a small JSON object."""
    user = {"id": number, "name": f"user{number % 5000}", "active": chance.random() < 0.7}
    user["mail"] = f"user{number % 5000}@example.org"
    user["score"] = round(chance.random() * 1000, 3)
    return b"\3" + json.dumps(user).encode()


def text(chance: random.Random, number: int) -> bytes:
    return b"\2" + " ".join(chance.choices(WORDS, k=20)).encode()


def noise(chance: random.Random, number: int) -> bytes:
    return b"\1" + chance.randbytes(100)


def build(
    disk: PosixDisk, number: int, codec: int, keys: list[bytes], values: list[bytes]
) -> tuple[TableInfo, float]:
    builder = TableBuilder(disk.create(table_name(number)), number, codec=codec)
    start = time.process_time()
    for at in range(0, len(keys), CHUNK):
        builder.add_many(keys[at : at + CHUNK], values[at : at + CHUNK])
    spent = time.process_time() - start  # without the sync
    return builder.finish(), spent


def read(table: Table, keys: list[bytes]) -> float:
    """Microseconds a read of a key whose block is in the system's cache, but not in ours."""
    cache = Cache(1 << 30)
    hit = Hit()
    spent = 0.0
    loads = 0
    for key in keys:
        while True:
            try:
                table.find(key, hash_key(key), hit)
                break
            except Fault as fault:
                start = time.perf_counter()
                fault.load(False)
                spent += time.perf_counter() - start
                loads += 1
                fault.settle(cache)
                fault.release()
    return spent / loads * 1e6


def main() -> None:
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    codecs = {"none": NONE, "zlib": ZLIB} | ({"zstd": ZSTD} if has_zstd() else {})
    grid = Grid(title=f"{entries:,} entries, medians of {ROUNDS}; {describe()}")
    for head in ("values", "codec", "of their size", "built, MB/s of CPU", "a block's load, us"):
        grid.add_column(head, justify="left" if head in ("values", "codec") else "right")
    for name, make in (("JSON records", records), ("text", text), ("random bytes", noise)):
        chance = random.Random(1)
        keys = [b"\0%015d" % number for number in range(entries)]
        values = [make(chance, number) for number in range(entries)]
        raw = sum(map(len, keys)) + sum(map(len, values))
        asked = chance.sample(keys, min(READS, entries))
        for codec, code in codecs.items():
            rates, loads, size = [], [], 0
            for _ in range(ROUNDS):
                with tempfile.TemporaryDirectory() as folder:
                    disk = PosixDisk(folder)
                    info, spent = build(disk, 1, code, keys, values)
                    size = info.size
                    rates.append(raw / spent / 1e6)
                    loads.append(read(Table(TableFiles(disk), info), asked))
            grid.add_row(
                name,
                codec,
                f"{size / raw:.2f}",
                f"{statistics.median(rates):.0f} ({min(rates):.0f}-{max(rates):.0f})",
                f"{statistics.median(loads):.1f} ({min(loads):.1f}-{max(loads):.1f})",
            )
    Console(width=100).print(grid)


if __name__ == "__main__":
    main()
