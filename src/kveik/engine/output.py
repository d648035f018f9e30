"""The tables that a job makes: named, cut, filled in key order. Called by `flush` and `merge`.

Invariants: until somebody else renames it a table has a half-made name; whatever fails, `discard`
leaves nothing behind. Tables are disjoint, the range tombstones carried into them included: each
takes what of them lies between its own cuts.
"""

from __future__ import annotations

from kveik.disk.api import Disk, File
from kveik.engine.builder import TableBuilder
from kveik.engine.leftovers import remove_quietly
from kveik.engine.ranges import Ranges
from kveik.format.coding import read_i64_le
from kveik.format.entry import TOMBSTONE
from kveik.format.gather import FAR
from kveik.format.jobs import Job, half_made_end
from kveik.format.record import EXPIRES_BIT
from kveik.format.table import TableInfo, table_name
from kveik.native import i64

SLICES: i64 = 16  # into which a chunk is cut where a table is about to be full


class Far:
    """A large value that is not held in memory."""

    def load(self) -> bytes:
        """The stored value."""
        raise NotImplementedError


class Output:
    """clears: range tombstones, to be complete before anything behind their start is added."""

    def __init__(
        self,
        disk: Disk,
        job: Job,
        first: i64,
        reserved: i64,
        *,
        table_size: i64,
        filter_bits: i64,
    ) -> None:
        """table_size: bytes after which a table is cut, 0 for never. filter_bits: a key."""
        self._disk = disk
        self._job = job
        self._next = first
        self._stop = first + reserved
        self._table_size = table_size
        self._filter_bits = filter_bits
        self._builder: TableBuilder | None = None
        self._file: File | None = None  # that it writes
        self._low = b""  # where the table in the making begins
        self._names: list[str] = []
        self.clears = Ranges()
        self.tables: list[TableInfo] = []

    def add(self, keys: list[bytes], values: list[bytes], far: dict[bytes, Far]) -> None:
        """Entries behind all that were added before. Where values has FAR, far has the value."""
        if not far or FAR not in values:
            self._add_held(keys, values)
            return
        done: i64 = 0
        at: i64 = 0
        while at < len(keys):
            if not values[at]:
                self._add_held(keys[done:at], values[done:at])
                self._add_far(keys[at], far.pop(keys[at]).load())
                done = at + 1
            at += 1
        self._add_held(keys[done:], values[done:])

    def _add_far(self, key: bytes, value: bytes) -> None:
        keys, values = [key], [value]
        if is_buried(value, self._job.now):
            keys, values = bury_expired(keys, values, self._job.now, self._job.bottom)
        self._add_held(keys, values)

    def _add_held(self, keys: list[bytes], values: list[bytes]) -> None:
        count: i64 = len(keys)
        size = total_size(keys, values) if self._table_size > 0 else 0
        step: i64 = count
        at: i64 = 0
        while at < count:
            builder = self._current()
            if self._table_size > 0 and builder.size + size > self._table_size:
                step = count // SLICES + 1
            if step >= count:
                builder.add_many(keys, values)
            else:
                builder.add_many(keys[at : at + step], values[at : at + step])
            at += step
            if 0 < self._table_size <= builder.size:
                self._finish(keys[min(at, count) - 1] + b"\x00")

    def _current(self) -> TableBuilder:
        builder = self._builder
        if builder is None:
            if self._next >= self._stop:
                raise RuntimeError("more tables than numbers were reserved")
            name = table_name(self._next) + half_made_end(self._job.token)
            file = self._disk.create(name)
            self._names.append(name)
            self._file = file
            builder = TableBuilder(
                file,
                self._next,
                block_size=self._job.block_size,
                codec=self._job.codec,
                filter_bits=self._filter_bits,
            )
            self._builder = builder
            self._next += 1
        return builder

    def _finish(self, high: bytes | None) -> None:
        """End the table in the making; the next begins at high (None: there is none)."""
        clears = [] if self._job.bottom else self.clears.within(self._low, high)
        if self._builder is None and not clears:
            return
        builder = self._current()
        builder.clears = clears
        self.tables.append(builder.finish())
        self._close()
        if high is not None:
            self._low = high

    def finish(self) -> None:
        """Nothing more will be added. All tables are on the disk then, but for their names."""
        self._finish(None)

    def discard(self) -> None:
        """The job has failed: remove what it made."""
        self._close()
        for name in self._names:
            remove_quietly(self._disk, name)

    def _close(self) -> None:
        self._builder = None
        file, self._file = self._file, None
        if file is not None:
            file.close()


def total_size(keys: list[bytes], values: list[bytes]) -> i64:
    """Bytes of all keys and values."""
    size: i64 = 0
    at: i64 = 0
    while at < len(keys):
        size += len(keys[at]) + len(values[at])
        at += 1
    return size


def is_buried(value: bytes, now: i64) -> bool:
    """Whether a stored value is a tombstone, or one from now on since it has expired."""
    kind: i64 = value[0]
    return kind == 0 or (kind >= EXPIRES_BIT and read_i64_le(value, 1) <= now)


def bury_expired(
    keys: list[bytes], values: list[bytes], now: i64, bottom: bool
) -> tuple[list[bytes], list[bytes]]:
    """Expired entries become tombstones; at the bottom, where they would hide nothing, both go."""
    kept_keys: list[bytes] = []
    kept: list[bytes] = []
    at: i64 = 0
    while at < len(keys):
        value = values[at]
        if not value or not is_buried(value, now):  # a far value is looked at when it is loaded
            kept_keys.append(keys[at])
            kept.append(value)
        elif not bottom:
            kept_keys.append(keys[at])
            kept.append(TOMBSTONE)
        at += 1
    return kept_keys, kept
