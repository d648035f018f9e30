"""Opening a database in this process: the disk, the store and the lock put together.

The public face (`kveik.open`) and the command line call it.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from kveik.disk.posix import PosixDisk
from kveik.engine.database import Database
from kveik.engine.forks import forks
from kveik.engine.lanes import ProcessLane
from kveik.engine.opening import open_store
from kveik.engine.shape import codec_of
from kveik.engine.shared import Shared
from kveik.engine.upkeep import Upkeep
from kveik.limits import MIN_MEMORY
from kveik.model import DURABILITIES
from kveik.sizes import parse_size, show_size

# threads: one waits for a flush, one for a compaction, one removes files
UPKEEP_THREADS: Final = 3

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forks.note)


def open_database(
    path: str | os.PathLike[str],
    *,
    durability: str = "always",
    memory: str | int = "256MB",
    compression: str = "none",
    create: bool = True,
    read_only: bool = False,
) -> Database:
    """Open the database in directory `path`, making it if it is not there (and create says so).

    durability: "always": a write returns once it is on the disk. "interval": at once, and synced
    every second. "none": at once, and the operating system decides.
    memory: a size such as "256MB", for memtables and cache; the process needs about 100 MB more.
    compression: of what compaction writes: "zstd" (needs the package zstandard), "zlib", "auto"
    (the better one that is there) or "none". Tables that exist are read whatever it says.
    Raises OpenError (NotKveikError, LockedError, NewerFormatError), CorruptionError, ValueError.
    """
    if durability not in DURABILITIES:
        raise ValueError(f"durability is one of {', '.join(DURABILITIES)}, not {durability!r}")
    codec_of(compression)
    budget = parse_size(memory)
    if budget < MIN_MEMORY:
        raise ValueError(f"memory is at least {show_size(MIN_MEMORY)}, not {show_size(budget)}")
    disk = PosixDisk(os.fspath(path), create=create and not read_only, read_only=read_only)
    threads = Threads()
    store = open_store(
        disk,
        memory=budget,
        compression=compression,
        create=create,
        read_only=read_only,
        spawn=threads.ahead.submit,
    )
    if read_only:
        return Database(Shared(store, durability), PosixDisk)
    upkeep = Upkeep(store, ProcessLane(disk), ProcessLane(disk))
    shared = Shared(store, durability, upkeep, threads.upkeep.submit, threads.end)
    return Database(shared, PosixDisk)


class Threads:
    """The threads of one open database, which end when it is closed."""

    def __init__(self) -> None:
        # of its own: a writer waits for it with the lock that upkeep's threads need to end
        self.ahead = ThreadPoolExecutor(1, thread_name_prefix="kveik-ahead")
        self.upkeep = ThreadPoolExecutor(UPKEEP_THREADS, thread_name_prefix="kveik-upkeep")

    def end(self) -> None:
        self.ahead.shutdown()
        self.upkeep.shutdown()
