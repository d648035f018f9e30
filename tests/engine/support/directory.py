"""A directory with several levels and a log, made table by table, and what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tests.engine.support.made import DATABASE_ID, make_segment
from tests.engine.support.sources import UNKNOWN, Entries, Level, look, make_table, plain
from tests.engine.support.stores import Contents, reopen, stored
from tests.format.records import Commit

from kveik.disk.memory import MemoryDisk
from kveik.engine.database import Database
from kveik.engine.manifest import create_manifest
from kveik.engine.opening import write_identity
from kveik.engine.sequential import SequentialTable
from kveik.engine.shared import Shared
from kveik.format.edit import Edit
from kveik.format.entry import TOMBSTONE
from kveik.format.table import TableInfo
from kveik.model import BYTES, CLEARED, DELETED

BLOCK = 256  # bytes; so small that a table of a few hundred entries has several partitions
LSN = 100  # the last commit that is in tables
Files = dict[str, bytes]


def key(number: int) -> bytes:
    return b"\x00key%04d" % number


def entries(numbers: Sequence[int], age: str) -> Entries:
    return {key(number): plain(b"%s-%d" % (age.encode(), number) * 2) for number in numbers}


@cache
def tables() -> list[tuple[int, int, Level]]:
    """(level, table number, content), the newest first. Numbers do not tell the age."""
    newest = entries(range(0, 900, 7), "newest")
    newest[key(14)] = TOMBSTONE
    second = entries(range(3, 900, 5), "second")
    second[key(8)] = TOMBSTONE
    return [
        (0, 9, Level(newest)),
        (0, 5, Level(second, [(key(40), key(60))])),
        (1, 7, Level(entries(range(0, 400, 3), "upper"))),
        (1, 8, Level(entries(range(401, 900, 3), "upper"), [(key(700), key(720))])),
        (2, 2, Level(entries(range(450), "lower"))),
        (2, 3, Level(entries(range(450, 900), "lower"))),
    ]


def put(number: int, value: bytes) -> tuple[bytes, int, bytes, int]:
    return key(number), BYTES, value, 0


COMMITS: list[Commit] = [
    [put(1, b"log 101"), put(2, b"log 101")],
    [(key(3), DELETED, b"", 0)],
    [put(4, b"log 103")],
    [(key(100), CLEARED, key(110), 0)],
    [put(105, b"log 105")],
    [put(1, b"log 106")],
    [put(2000, b"log 107")],
    [put(5, b"log 108")],
]
SEGMENTS = (COMMITS[:3], COMMITS[3:6], COMMITS[6:])


def make_directory() -> MemoryDisk:
    disk = MemoryDisk()
    manifest = create_manifest(disk, DATABASE_ID)
    write_identity(disk, DATABASE_ID)
    for level, number, content in reversed(tables()):
        info = make_table(disk, number, content.entries, content.clears, block_size=BLOCK)
        manifest.append(Edit([(level, info)], [], next_table=10))
    manifest.append(Edit([], [], log=4, lsn=LSN))
    manifest.close()
    lsn = LSN
    for number, commits in enumerate(SEGMENTS, 4):
        lsn = make_segment(disk, number, lsn + 1, [[commit] for commit in commits], size=2048)
    disk.sync_names()
    return disk


def files() -> Files:
    return stored(make_directory())


@cache
def _in_tables() -> Contents:
    levels = [content for _, _, content in tables()]
    held: Contents = {}
    for number in range(900):
        found = look(levels, key(number))
        if found[:1] == b"\x01":
            held[key(number)[1:]] = found[1:]
    return held


def truth(left_out: frozenset[int] | set[int] = frozenset(), commits: int = 99) -> Contents:
    """What the directory holds; left_out: LSNs of commits that are lost; the first commits only."""
    held = dict(_in_tables())
    for lsn, commit in enumerate(COMMITS[:commits], LSN + 1):
        if lsn in left_out:
            continue
        for changed, kind, data, _ in commit:
            if kind == CLEARED:
                held = {k: v for k, v in held.items() if not changed[1:] <= k < data[1:]}
            elif kind == DELETED:
                held.pop(changed[1:], None)
            else:
                held[changed[1:]] = data
    return held


@cache
def ever(number: int) -> set[bytes]:
    """Every value that a key ever had."""
    found = {c.entries[key(number)][1:] for _, _, c in tables() if key(number) in c.entries}
    for commit in COMMITS:
        found |= {
            data for changed, kind, data, _ in commit if changed == key(number) and kind == BYTES
        }
    return found


def blocks(disk: MemoryDisk, info: TableInfo) -> list[tuple[int, int, list[bytes]]]:
    """(offset, size, keys) of a table's data blocks."""
    table = SequentialTable(disk, info)
    found = []
    while (block := table.next()) is not None:
        found.append((int(table.offset), int(table.size), block.keys()))
    table.close()
    return found


def infos(disk: MemoryDisk) -> dict[int, TableInfo]:
    store = reopen(disk, read_only=True)
    found = {
        table.info.number: table.info for level in store.view.version.levels for table in level
    }
    store.close()
    return found


def held_by(disk: MemoryDisk) -> Contents:
    """What the engine reads in a directory."""
    with Database(Shared(reopen(disk, read_only=True), "none"), MemoryDisk) as database:
        return dict(database.items())  # type: ignore[arg-type]


def survivors(lost: set[bytes], number: int) -> Contents:
    """The truth without the entries whose newest version was one of these keys of a table."""
    held = truth()
    newer = [content for _, other, content in tables()]
    at = [other for _, other, _ in tables()].index(number)
    for stored_key in lost:
        in_log = any(stored_key == changed for commit in COMMITS for changed, _, _, _ in commit)
        if look(newer[:at], stored_key) == UNKNOWN and not in_log:
            held.pop(stored_key[1:], None)
    return held
