"""Databases as a program has them: opened small, filled, and looked into."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import kveik
from kveik.engine.database import Database
from kveik.engine.store import Store

SMALL = "8MB"  # the least memory: segments of 1 MiB, a cache of 2 MiB
VALUE = b"0123456789" * 10


def opened(path: Path, durability: str = "none") -> Database:
    return kveik.open(path, memory=SMALL, durability=durability)


def store_of(db: Database) -> Store:
    return db._shared.store


def fill(db: Database, start: int, stop: int, mark: bytes = b"") -> None:
    """Keys (b"k", number) with 100 bytes and a mark."""
    for low in range(start, stop, 1000):
        high = min(low + 1000, stop)
        db.put_many({("k", number): VALUE + mark for number in range(low, high)})


def layered(db: Database, count: int) -> dict[object, bytes]:
    """Tables of level 1, of level 0, and memtables, that overlap; what they hold."""
    fill(db, 0, count)
    db.flush()
    db.compact()
    expected: dict[object, bytes] = {("k", number): VALUE for number in range(count)}
    for step, mark in ((3, b"a"), (7, b"b")):
        changed = {("k", number): VALUE + mark for number in range(0, count, step)}
        db.put_many(changed)
        expected.update(changed)
        db.flush()
    db.delete_range(("k", count // 3), ("k", count // 2))
    for number in range(count // 3, count // 2):
        del expected["k", number]
    changed = {("k", number): VALUE + b"c" for number in range(5, count, 1000)}
    db.put_many(changed)
    expected.update(changed)
    return {
        ("k", number): expected["k", number] for number in range(count) if ("k", number) in expected
    }


def holders(db: Database) -> int:
    """How many snapshots hold on to something, after those let go of were freed."""
    store = store_of(db)
    store.fold()
    return sum(memtable.holders for memtable in store.view.memtables)


def in_child(work: Callable[[], str]) -> str:
    """What a function returns, or the error it raises, in a process forked off this one."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said
