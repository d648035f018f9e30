"""A store driven by hand: commits, groups, reopening and what it holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import TypeVar

from kveik.disk.api import Disk
from kveik.disk.faulty import FaultyDisk
from kveik.disk.memory import MemoryDisk
from kveik.engine.database import Database
from kveik.engine.lanes import ThreadLane
from kveik.engine.log import Segment, Spawn
from kveik.engine.opening import open_store
from kveik.engine.shape import Shape
from kveik.engine.shared import Shared
from kveik.engine.store import Clock, Store
from kveik.engine.table import Fault
from kveik.engine.transaction import Transaction
from kveik.engine.upkeep import Upkeep
from kveik.engine.view import Viewpoint
from kveik.limits import MIB, MIN_SEGMENT
from kveik.model import BYTES, Cell, Writes

MEMORY = 8 * MIB  # the least there may be: segments of 1 MiB
SEGMENT = MIN_SEGMENT

Result = TypeVar("Result")
Contents = dict[bytes, bytes]
Op = tuple[str, bytes, bytes]
Trace = list[tuple[str, str]]  # (operation, file name)


def put(key: bytes, value: bytes) -> Op:
    return ("put", key, value)


def delete(key: bytes) -> Op:
    return ("delete", key, b"")


def clear() -> Op:
    """Everything in database 0."""
    return ("clear", b"", b"")


def after(contents: Contents, ops: tuple[Op, ...]) -> Contents:
    """What the contents are once the ops have been done."""
    left = dict(contents)
    for kind, key, value in ops:
        if kind == "put":
            left[key] = value
        elif kind == "delete":
            left.pop(key, None)
        else:
            left.clear()
    return left


def writes_of(ops: tuple[Op, ...], database: int = 0) -> Writes:
    writes = Writes()
    prefix = bytes((database,))
    for kind, key, value in ops:
        if kind == "put":
            writes.put(prefix + key, Cell(BYTES, value))
        elif kind == "delete":
            writes.delete(prefix + key)
        else:
            writes.clear(prefix, bytes((database + 1,)))
    return writes


def commit(store: Store, *ops: Op) -> int:
    """One commit, not yet written; its LSN."""
    return store.commit(writes_of(ops))


def flush(store: Store, *, sync: bool = True) -> None:
    """Write what has gathered; a failure is told to the store, and raised."""
    group = store.take(sync)
    if group is None:
        return
    try:
        group.perform()
    except OSError as error:
        store.fail(error)
        raise
    store.settle(group)


def save(store: Store, *ops: Op) -> None:
    """One commit, acknowledged."""
    commit(store, *ops)
    flush(store)


def reader(point: Viewpoint, database: int = 0) -> Transaction:
    txn = Transaction(point)
    txn.begin(database)
    return txn


def answered(store: Store, ask: Callable[[], Result]) -> Result:
    """The answer of what may miss blocks, which are loaded for it."""
    faults: list[Fault] = []
    try:
        while True:
            try:
                return ask()
            except Fault as fault:
                fault.load(False)
                fault.settle(store.cache)
                faults.append(fault)
    finally:
        for fault in faults:
            fault.release()


def contents(store: Store, database: int = 0, *, point: Viewpoint | None = None) -> Contents:
    """Every live key with its value, also of a snapshot."""
    rows = answered(store, lambda: reader(point or store, database).scan(b"", None))
    return {key: rows.data(at) for at, key in enumerate(rows.keys)}


def at_once(job: Callable[[], Segment]) -> Future[Segment]:
    """A spawn function that does the job before it returns."""
    future: Future[Segment] = Future()
    try:
        future.set_result(job())
    except OSError as error:
        future.set_exception(error)
    return future


def reopen(
    disk: Disk,
    *,
    spawn: Spawn | None = None,
    clock: Clock = lambda: 1_000_000.0,
    read_only: bool = False,
    create: bool = True,
    shape: Shape | None = None,
) -> Store:
    return open_store(
        disk,
        memory=MEMORY,
        spawn=spawn,
        clock=clock,
        read_only=read_only,
        create=create,
        shape=shape,
    )


def database(store: Store, durability: str = "always") -> Database:
    """The embedded database of a store; its upkeep is done by whoever writes."""
    lanes = ThreadLane(store.disk), ThreadLane(store.disk)
    upkeep = None if store.manifest is None else Upkeep(store, *lanes)
    return Database(Shared(store, durability, upkeep), lambda path: MemoryDisk())


def traced(disk: Disk) -> tuple[FaultyDisk, Trace]:
    """The disk with a list that grows by (operation, file name) with each operation."""
    trace: Trace = []
    return FaultyDisk(disk, lambda number, kind, name: trace.append((kind, name))), trace


def stored(disk: Disk) -> dict[str, bytes]:
    """Every file of a disk with its bytes."""
    found = {}
    for name in disk.names():
        file = disk.open(name)
        found[name] = file.read(0, file.size())
        file.close()
    return found


def disk_with(files: dict[str, bytes]) -> MemoryDisk:
    """A disk that holds these files, durably."""
    disk = MemoryDisk()
    for name, data in files.items():
        file = disk.create(name)
        file.write(0, [data])
        file.sync()
    disk.sync_names()
    return disk


def overwrite(disk: Disk, name: str, offset: int, data: bytes) -> None:
    """Change bytes of a file behind the back of whoever wrote it."""
    file = disk.open(name, writable=True)
    file.write(offset, [data])
    file.sync()
    file.close()


def flip(disk: Disk, name: str, offset: int, mask: int = 0xFF) -> None:
    file = disk.open(name)
    byte = file.read(offset, 1)[0]
    file.close()
    overwrite(disk, name, offset, bytes((byte ^ mask,)))


@cache
def value(size: int, seed: int = 0) -> bytes:
    """Bytes that differ from sector to sector and from seed to seed."""
    words = (b"%08x" % (seed * 1_000_003 + number) for number in itertools.count())
    return b"".join(itertools.islice(words, size // 8 + 1))[:size]
