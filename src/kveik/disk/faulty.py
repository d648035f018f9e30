"""A disk whose nth operation fails, tears, is late, or never happens.

Job: wrap any disk and put faults where a plan says. Invariants: operations are numbered from 0 in
the order in which they begin, over the disk and all of its files; without a fault an operation is
passed on unchanged. size, names, lock and close are not counted and get no fault of their own.
Who may call: tests.

The operations: create, open, read, write, allocate, sync, rename, remove, link, sync_names. The
plan is told the name of the file: of a rename the old one, of sync_names the empty string.
"""

from __future__ import annotations

import errno as codes
import os
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from kveik.disk.api import Disk, File


class Stopped(BaseException):
    """The history ends here. No Exception, so that no handler on the way takes it for an error."""


class Fault:
    """What happens to one operation, in this order: delay, torn write, stop or failure.

    delay: seconds to wait before it. after: bytes of a write that are written all the same.
    stop: raised in place of this operation and of every later one. errno: of the OSError raised
    in its place. With neither stop nor errno it is performed, late.
    """

    __slots__ = ("after", "delay", "errno", "stop")

    def __init__(
        self,
        *,
        errno: int = 0,
        after: int = 0,
        delay: float = 0.0,
        stop: BaseException | None = None,
    ) -> None:
        if after and not errno and stop is None:
            raise ValueError("a torn write fails or stops: give errno or stop")
        self.errno = errno
        self.after = after
        self.delay = delay
        self.stop = stop


Plan: TypeAlias = Callable[[int, str, str], Fault | None]  # (number, operation, file name)


def no_faults(number: int, operation: str, name: str) -> Fault | None:
    """The plan that only counts."""
    return None


def on_nth(n: int, fault: Fault) -> Plan:
    """The fault at operation n, counted from 0."""
    return lambda number, operation, name: fault if number == n else None


def fail_nth(n: int, errno: int) -> Plan:
    """Operation n fails and does nothing."""
    return on_nth(n, Fault(errno=errno))


def tear_nth(n: int, after: int, errno: int = codes.EIO) -> Plan:
    """Operation n, a write, fails after so many bytes; another operation fails and does nothing."""
    return on_nth(n, Fault(errno=errno, after=after))


def delay_nth(n: int, seconds: float) -> Plan:
    """Operation n is performed late."""
    return on_nth(n, Fault(delay=seconds))


def crash_at(n: int, *, after: int = 0, stop: BaseException | None = None) -> Plan:
    """Neither operation n nor a later one is performed: each raises stop, or else Stopped.

    Of a write at n the first after bytes are performed.
    """
    return on_nth(n, Fault(after=after, stop=stop or Stopped(f"before disk operation {n}")))


def fail_each(operation: str, errno: int, *, prefix: str = "") -> Plan:
    """Every operation of this kind fails, on the files whose names begin so."""
    fault = Fault(errno=errno)
    return lambda number, kind, name: (
        fault if kind == operation and name.startswith(prefix) else None
    )


class FaultyFile(File):
    """A file of the disk within."""

    def __init__(self, disk: FaultyDisk, file: File) -> None:
        self.name = file.name
        self._disk = disk
        self._file = file

    def size(self) -> int:
        self._disk.check_stopped()
        return self._file.size()

    def read(self, offset: int, length: int) -> bytes:
        self._disk.perform("read", self.name)
        return self._file.read(offset, length)

    def read_now(self, offset: int, length: int) -> bytes | None:
        self._disk.perform("read", self.name)
        return self._file.read_now(offset, length)

    def write(self, offset: int, pieces: list[bytes]) -> None:
        fault = self._disk.begin("write", self.name)
        if fault is not None:
            if fault.after:
                self._file.write(offset, [b"".join(pieces)[: fault.after]])
            self._disk.strike(fault, self.name)
        self._file.write(offset, pieces)

    def allocate(self, size: int) -> None:
        self._disk.perform("allocate", self.name)
        self._file.allocate(size)

    def sync(self) -> None:
        self._disk.perform("sync", self.name)
        self._file.sync()

    def close(self) -> None:
        self._file.close()


class FaultyDisk(Disk):
    """The disk within, with the faults of a plan, which may be exchanged at any time.

    count: operations begun so far. After a stop nothing works any more but close().
    """

    def __init__(self, disk: Disk, plan: Plan = no_faults) -> None:
        self.path = disk.path
        self.disk = disk
        self.plan = plan
        self.count = 0
        self._stopped: BaseException | None = None
        self._mutex = threading.Lock()

    def names(self) -> list[str]:
        self.check_stopped()
        return self.disk.names()

    def create(self, name: str) -> File:
        self.perform("create", name)
        return FaultyFile(self, self.disk.create(name))

    def open(self, name: str, *, writable: bool = False) -> File:
        self.perform("open", name)
        return FaultyFile(self, self.disk.open(name, writable=writable))

    def rename(self, old: str, new: str) -> None:
        self.perform("rename", old)
        self.disk.rename(old, new)

    def remove(self, name: str) -> None:
        self.perform("remove", name)
        self.disk.remove(name)

    def link(self, name: str, other: Disk) -> None:
        self.perform("link", name)
        self.disk.link(name, other.disk if isinstance(other, FaultyDisk) else other)

    def sync_names(self) -> None:
        self.perform("sync_names", "")
        self.disk.sync_names()

    def lock(self, *, shared: bool = False) -> None:
        self.check_stopped()
        self.disk.lock(shared=shared)

    def close(self) -> None:
        self.disk.close()

    def check_stopped(self) -> None:
        """Raise what stopped the disk, if anything did."""
        if self._stopped is not None:
            raise self._stopped

    def begin(self, operation: str, name: str) -> Fault | None:
        """Count an operation and wait out its delay; returns its fault."""
        with self._mutex:
            self.check_stopped()
            number = self.count
            self.count += 1
            fault = self.plan(number, operation, name)
            if fault is not None and fault.stop is not None:
                self._stopped = fault.stop  # now, so that no other thread slips in behind
        if fault is not None and fault.delay:
            time.sleep(fault.delay)
        return fault

    def strike(self, fault: Fault, name: str) -> None:
        """Raise what the fault says, if anything."""
        if fault.stop is not None:
            raise fault.stop
        if fault.errno:
            raise OSError(fault.errno, os.strerror(fault.errno), name)

    def perform(self, operation: str, name: str) -> None:
        """Count an operation; returns if it is to be passed on."""
        fault = self.begin(operation, name)
        if fault is not None:
            self.strike(fault, name)
