"""A table's file read as far as it goes, damaged or not. Called by check, repair and inspect.

Where the root or a partition is damaged the blocks that it led to are searched for: a block tells
its own size, and its checksum knows the table and the place, so that nothing else is taken for one.
Invariant: `places` are in file order, and cover every data block that could be found and every
stretch in which one may have been lost.
"""

from __future__ import annotations

import re
from typing import Final

from kveik.disk.api import Disk
from kveik.engine.findings import Tally
from kveik.format.block import FIXED, PER_ENTRY, Block
from kveik.format.codec import TRAILER, compressed_size, seed, unseal
from kveik.format.coding import read_i32_le
from kveik.format.table import (
    FOOTER_SIZE,
    VERSION,
    Footer,
    TableInfo,
    block_offset,
    block_size,
    decode_footer,
    decode_partition,
    decode_root,
    table_number,
)
from kveik.limits import DATABASES, MIB, READ_SIZE
from kveik.native import i64

END: Final = bytes((DATABASES,))  # above every stored key
LARGEST_SHARED: Final = 1 * MIB  # bytes of a data block with several entries; a bound for guesses
# Where a block may begin, as a filter before its checksum is looked at: count and prefix size, or
# the sizes of index and filter; or a size and what zlib or zstd begin with. Zeros are none.
CANDIDATE: Final = re.compile(
    rb"(?!\x00{8})(?=...\x00(?:...\x00|\x78|\x28\xb5\x2f\xfd))", re.DOTALL
)


class Place:
    """A data block, or a stretch of the file in which nothing valid was found (error says why).

    All keys are from low to high (excluded). filter: of its partition, empty if that is damaged.
    """

    __slots__ = ("error", "filter", "high", "low", "offset", "size")

    def __init__(
        self, offset: i64, size: i64, low: bytes, high: bytes, bloom: bytes, error: str = ""
    ) -> None:
        self.offset = offset
        self.size = size
        self.low = low
        self.high = high
        self.filter = bloom
        self.error = error


class Part:
    """A partition whose checksum matches: where it is, and how many blocks it has."""

    __slots__ = ("bloom", "index", "offset", "size")

    def __init__(self, offset: i64, size: i64, index: Block, bloom: bytes) -> None:
        self.offset = offset
        self.size = size
        self.index = index
        self.bloom = bloom


class TableSurvey:
    """footer, root, clears: None if damaged. problems: (offset, what), but for data blocks.

    number: as its footer says, else as its name does.
    """

    def __init__(self, disk: Disk, name: str, info: TableInfo | None, tally: Tally) -> None:
        """info: what the manifest says of it, where that is known. OSError: it cannot be opened."""
        self.name = name
        self.problems: list[tuple[int, str]] = []
        self.footer: Footer | None = None
        self.root: Block | None = None
        self.clears: list[tuple[bytes, bytes]] | None = None
        self.parts: list[Part] = []
        self.places: list[Place] = []
        self.root_offset: i64 = 0
        self.root_size: i64 = 0
        self._tally = tally
        self._file = disk.open(name)
        self._buffer = b""
        self._base: i64 = 0
        self.size: i64 = self._file.size()
        self.number: i64 = info.number if info is not None else table_number(name)
        self._survey(info)

    def _survey(self, info: TableInfo | None) -> None:
        self._read_footer()
        if self.footer is not None and self.footer.number != self.number:
            self.number = self.footer.number
            info = None
        self._read_root(info)
        if self.root is not None:
            self._follow_root(self.root)
        else:
            stop = self.size - FOOTER_SIZE if self.footer is not None else self.size
            if 0 < self.root_offset < stop:
                stop = self.root_offset
            self.places = self._walk(0, max(stop, 0))
            self._note_cut_off(info)
        low = info.low if info is not None else b"\x00"
        self._bound(low, info.high if info is not None else END)

    def close(self) -> None:
        self._file.close()

    # --- bytes ----------------------------------------------------------------------------------

    def _fill(self, offset: i64, size: i64) -> None:
        self._buffer = b""
        self._buffer = self._file.read(offset, size)
        self._base = offset

    def _bytes(self, offset: i64, size: i64) -> bytes:
        """Bytes of the file, fewer where it ends; ValueError if the medium does not give them."""
        start: i64 = offset - self._base
        try:
            if start < 0 or start + size > len(self._buffer):
                return self._file.read(offset, size)
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        return self._buffer[start : start + size]

    def _ahead(self, offset: i64, size: i64) -> None:
        """See that the bytes are in the buffer, with what follows, if they can be read."""
        start: i64 = offset - self._base
        if start < 0 or start + size > len(self._buffer):
            try:
                self._fill(offset, max(size, READ_SIZE))
            except OSError:
                self._buffer = b""  # piece by piece, then

    def _payload(self, offset: i64, size: i64) -> bytes:
        """Of the stored block there; ValueError says what is wrong."""
        if offset < 0 or size < 0:
            raise ValueError("a block at an impossible place")
        if offset + size > self.size:
            raise ValueError(f"the file ends inside a block of {size} bytes")
        return unseal(self._bytes(offset, size), seed(self.number, offset))

    def load(self, place: Place) -> Block:
        """The data block at a place; ValueError says what is wrong with it."""
        if place.error:
            raise ValueError(place.error)
        self._tally.add(place.size)
        if place.size <= READ_SIZE:
            self._ahead(place.offset, place.size)
        return Block(self._payload(place.offset, place.size))

    # --- from the end to the blocks -------------------------------------------------------------

    def _read_footer(self) -> None:
        at: i64 = max(self.size - FOOTER_SIZE, 0)
        try:
            footer = decode_footer(self._bytes(at, FOOTER_SIZE))
        except ValueError as error:
            self.problems.append((at, str(error)))
            return
        if footer.version > VERSION:
            what = f"the table has format {footer.version}; this Kveik knows up to {VERSION}"
            self.problems.append((at, what))
            return
        self.footer = footer

    def _read_root(self, info: TableInfo | None) -> None:
        places: list[tuple[i64, i64]] = []
        if info is not None:
            places.append((info.root_offset, info.root_size))
        footer = self.footer
        if footer is not None:
            place = (footer.root_offset, footer.root_size)
            if place not in places:
                places.append(place)
        for offset, size in places:
            if self._take_root(offset, size):
                break

    def _take_root(self, offset: i64, size: i64) -> bool:
        self.root_offset = offset
        self.root_size = size
        try:
            index, clears = decode_root(self._payload(offset, size))
            self.root = Block(index)
            self.clears = clears
        except ValueError as error:
            self.problems.append((offset, f"root: {error}"))
            return False
        self._tally.add(size)
        return True

    def _note_cut_off(self, info: TableInfo | None) -> None:
        """Without root and footer the file may once have been longer."""
        if self.footer is not None:
            return
        missing: i64 = info.root_offset - self.size if info is not None else 0
        if info is None or missing > 0:
            what = "the file ends here, without a root"
            self.places.append(Place(self.size, missing, b"", b"", b"", what))

    def _follow_root(self, root: Block) -> None:
        low = b""
        behind: i64 = 0
        at: i64 = 0
        while at < root.count:
            offset = block_offset(root, at)
            size = block_size(root, at)
            part: Part | None = None
            try:
                part = self._read_part(offset, size)
            except ValueError as error:
                self.problems.append((offset, f"partition: {error}"))
            high = root.key(at)
            found = self._inside(part, low) if part is not None else self._walk(behind, offset)
            if found and not found[-1].high:
                found[-1].high = high
            if found and not found[0].low:
                found[0].low = low
            if part is not None:
                self.parts.append(part)
            self.places += found
            low = high
            behind = offset + size
            at += 1

    def _read_part(self, offset: i64, size: i64) -> Part:
        index, bloom = decode_partition(self._payload(offset, size))
        self._tally.add(size)
        return Part(offset, size, Block(index), bloom)

    def _inside(self, part: Part, low: bytes) -> list[Place]:
        """The places that a partition's index names."""
        found: list[Place] = []
        index = part.index
        at: i64 = 0
        while at < index.count:
            high = index.key(at)
            found.append(
                Place(block_offset(index, at), block_size(index, at), low, high, part.bloom)
            )
            low = high
            at += 1
        return found

    def _bound(self, low: bytes, high: bytes) -> None:
        """Give every place the bounds that its neighbours leave it."""
        for place in self.places:
            if not place.low:
                place.low = low
            if place.high:
                low = place.high
        for place in reversed(self.places):
            if place.high:
                high = place.low
            else:
                place.high = high  # the same for all stretches that follow one another

    # --- without an index -----------------------------------------------------------------------

    def _walk(self, start: i64, stop: i64) -> list[Place]:
        """What is found between two offsets, where no index says what stands there."""
        found: list[Place] = []
        lost: i64 = start
        at: i64 = self._candidate(start, stop)
        while at >= 0:
            size = self._probe_data(at, stop)
            part = self._probe_part(at, stop) if size == 0 else None
            if part is not None:
                size = part.size
                self.parts.append(part)
                _replace(found, lost, at, self._inside(part, b""))
            elif size > 0:
                _add_lost(found, lost, at)
                block = Block(self._payload(at, size))
                last = block.key(block.count - 1) + b"\x00"
                found.append(Place(at, size, block.key(0), last, b""))
            if size > 0:
                lost = at + size
            at = self._candidate(at + max(size, 1), stop)
        _add_lost(found, lost, stop)
        return found

    def _candidate(self, at: i64, stop: i64) -> i64:
        """The next offset at which a block may begin, -1 for none."""
        while at < stop:
            self._ahead(at, min(FIXED + 8, stop - at))
            start: i64 = at - self._base
            if start < 0 or start >= len(self._buffer):
                at += READ_SIZE  # it cannot be read
                continue
            match = CANDIDATE.search(self._buffer, start, min(len(self._buffer), stop - self._base))
            if match is not None:
                return self._base + match.start()
            if self._base + len(self._buffer) >= stop:
                return -1
            at = max(at + 1, self._base + len(self._buffer) - FIXED)
        return -1

    def _probe_data(self, at: i64, stop: i64) -> i64:
        """The size of the valid data block that stands there, 0 if there is none."""
        try:
            size = self._data_size(at, stop)
            if size > 0 and at + size <= stop and Block(self._payload(at, size)).count > 0:
                return size
        except ValueError:
            pass
        return 0

    def _data_size(self, at: i64, stop: i64) -> i64:
        """How long a data block there would be; 0 if it cannot be one."""
        head = self._bytes(at, FIXED)
        if len(head) < FIXED:
            return 0
        count: i64 = i64(read_i32_le(head, 0))
        prefix: i64 = i64(read_i32_le(head, 4))
        last: i64 = at + FIXED + PER_ENTRY * count - 4
        if count > 0 and prefix >= 0 and last + 4 <= stop:
            end: i64 = i64(read_i32_le(self._bytes(last, 4), 0))
            size = FIXED + PER_ENTRY * count + prefix + end + 8 + TRAILER
            if end >= 0 and at + size <= stop and (count == 1 or size <= LARGEST_SHARED):
                return size
        if head[4] == 0x78 or head[4] == 0x28:
            longest = 2 * max(count, 0) + LARGEST_SHARED
            return compressed_size(self._bytes(at, min(stop - at, longest)))
        return 0

    def _probe_part(self, at: i64, stop: i64) -> Part | None:
        """The valid partition that stands there."""
        try:
            head = self._bytes(at, FIXED)
            index: i64 = i64(read_i32_le(head, 0))
            bloom: i64 = i64(read_i32_le(head, 4))
            size = FIXED + index + bloom + TRAILER
            if len(head) < FIXED or index < 0 or bloom < 0 or at + size > stop:
                return None
            part = self._read_part(at, size)
        except ValueError:
            return None
        return part if part.index.count > 0 else None


def _add_lost(found: list[Place], start: i64, stop: i64) -> None:
    if start < stop:
        what = "neither a valid block nor an index that tells of one"
        found.append(Place(start, stop - start, b"", b"", b"", what))


def _replace(found: list[Place], lost: i64, at: i64, named: list[Place]) -> None:
    """A partition has been found: what its index names takes the place of what was guessed."""
    _add_lost(found, lost, at)
    first = named[0].offset
    while found and found[-1].offset >= first:
        found.pop()
    if found and found[-1].error and found[-1].offset + found[-1].size > first:
        found[-1].size = first - found[-1].offset
    found += named
