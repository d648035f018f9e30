"""Log records -> what they leave: of each key the newest stored value. Called by `engine.flush`.

The same records as in `record`, read in bulk straight into a dict and without an object per entry
beyond key and value.

Invariants: a stored value is never empty, so FAR (empty) in its place says that the value is too
large to be held and stands in `far`. A range tombstone begins a new epoch: it hides what stands in
the epochs before it and nothing behind it.
"""

from __future__ import annotations

from typing import Final

from kveik.format.coding import read_varint
from kveik.format.entry import TOMBSTONE
from kveik.format.record import EXPIRES_BIT, HEADER
from kveik.limits import DATABASES, MAX_HELD
from kveik.model import CLEARED, DELETED, KINDS
from kveik.native import i64

FAR: Final = b""  # in the place of a value that is not held
HEADS: Final = [bytes((kind,)) for kind in range(EXPIRES_BIT)]  # of stored values that never expire
LARGEST_PLAIN: Final = 4  # content types from 1 to here are values; see model.py


class Place:
    """Where the data of a large value stands: which file, offset and bytes in it; head: before."""

    __slots__ = ("file", "head", "offset", "size")

    def __init__(self, file: i64, offset: i64, size: i64, head: bytes) -> None:
        self.file = file
        self.offset = offset
        self.size = size
        self.head = head


class Epoch:
    """Values, and the range tombstones (start, stop) that followed them."""

    __slots__ = ("clears", "values")

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.values = values
        self.clears: list[tuple[bytes, bytes]] = []


class Gathered:
    """What the commits so far leave.

    values: since the last range tombstone; epochs: before, oldest first. special: whether there may
    be a tombstone or an expiry. file: the number that `far` is to give for what is read now.
    """

    def __init__(self, newer: Gathered | None = None) -> None:
        """newer: what later commits left, gathered before: what they wrote anew is left out."""
        self.values: dict[bytes, bytes] = {}
        self.epochs: list[Epoch] = []
        self.far: dict[bytes, Place] = {}
        self.special = False
        self.file: i64 = 0
        self.known: dict[bytes, bytes] = {} if newer is None else newer.first()

    def first(self) -> dict[bytes, bytes]:
        """The values of the oldest epoch."""
        return self.epochs[0].values if self.epochs else self.values

    def join(self, newer: Gathered) -> None:
        """Later commits, which left `newer`, follow. It is used up."""
        if newer.values or newer.epochs:
            first = newer.first()
            for key, value in self.values.items():
                first.setdefault(key, value)
            self.values = newer.values
            self.epochs += newer.epochs
        self.far.update(newer.far)
        self.special = self.special or newer.special

    def clear(self, start: bytes, stop: bytes) -> None:
        """A range tombstone."""
        if self.values or not self.epochs:
            self.epochs.append(Epoch(self.values))
            self.values = {}
        self.epochs[len(self.epochs) - 1].clears.append((start, stop))


def gather(data: bytes, at: i64, end: i64, base: i64, skip: i64, take: i64, into: Gathered) -> i64:
    """Take in the commits of the valid record from `at` to `end`; how many it holds in all.

    The first `skip` and those from `take` on are left out. base: where data begins in its file.
    ValueError if they make no sense.
    """
    if end <= at + HEADER + 1:
        raise ValueError("no commit")
    position: i64 = at + HEADER + 1
    number: i64 = 0
    nowhere = Gathered()
    while position < end:
        count: i64 = data[position]
        if count > 127:
            count, position = read_varint(data, position, end)
        else:
            position += 1
        if count < 1:
            raise ValueError("bad entry count")
        wanted = skip <= number < take
        position = _gather_commit(data, position, end, base, count, into if wanted else nowhere)
        number += 1
    return number


def _gather_commit(
    data: bytes, position: i64, end: i64, base: i64, count: i64, into: Gathered
) -> i64:
    """Take in so many entries; the position behind them."""
    values = into.values
    known = into.known
    while count > 0:
        count -= 1
        if position + 4 > end:  # no entry is shorter
            raise ValueError("a commit breaks off")
        kind: i64 = data[position]
        key_size: i64 = data[position + 1]
        start: i64 = position + 2
        if key_size > 127:
            key_size, start = read_varint(data, position + 1, end)
        stop: i64 = start + key_size
        if key_size < 1 or stop >= end or data[start] >= DATABASES:
            _check_kind(kind)
            raise ValueError("bad key")
        size: i64 = data[stop]
        if not 0 < kind <= LARGEST_PLAIN or size > 127:
            position = _gather_rare(data, position, start, stop, end, base, into)
            values = into.values
            continue
        position = stop + 1 + size
        if position > end:
            raise ValueError("bad data length")
        key = data[start:stop]
        if key not in known:
            values[key] = HEADS[kind] + data[stop + 1 : position]
    return position


def _gather_rare(
    data: bytes, position: i64, start: i64, stop: i64, end: i64, base: i64, into: Gathered
) -> i64:
    """Take in the entry at position, whose key is from start to stop; the position behind it."""
    kind: i64 = data[position]
    _check_kind(kind)
    head = data[position : position + 1]
    at: i64 = stop
    if kind >= EXPIRES_BIT:
        if at + 8 > end:
            raise ValueError("an entry breaks off")
        head += data[at : at + 8]
        at += 8
        into.special = True  # or might, if it is not written anew
    size, at = read_varint(data, at, end)
    behind: i64 = at + size
    if size < 0 or behind > end:
        raise ValueError("bad data length")
    key = data[start:stop]
    if kind & 127 == CLEARED:
        into.clear(key, data[at:behind])
    elif key in into.known:
        return behind
    elif kind & 127 == DELETED:
        into.special = True
        into.values[key] = TOMBSTONE
    elif size > MAX_HELD:
        into.far[key] = Place(into.file, base + at, size, head)
        into.values[key] = FAR
    else:
        into.values[key] = head + data[at:behind]
    return behind


def _check_kind(kind: i64) -> None:
    if kind & 127 not in KINDS:
        raise ValueError(f"unknown content type {kind & 127}")
