"""Is a table whole, and what the manifest says of it? Called by check and repair.

Reads every byte that counts: footer, root, partitions, blocks; the order of all keys, the filters,
the counts. A block's inside is verified by writing it anew: there is one way to write it.
"""

from __future__ import annotations

from kveik.disk.api import Disk
from kveik.engine.findings import Findings, Tally
from kveik.engine.survey_table import Part, Place, TableSurvey
from kveik.format.block import Block
from kveik.format.block_writer import BlockWriter
from kveik.format.entry import expires_at
from kveik.format.filter import BITS_PER_KEY, LINE, filter_lines, hash_key, may_contain
from kveik.format.record import EXPIRES_BIT
from kveik.format.table import FOOTER_SIZE, TableInfo, bounds, coalesce, table_number
from kveik.limits import DATABASES, MAX_HELD
from kveik.model import DELETED, PICKLE
from kveik.native import i64


class TableCheck:
    """One check. After `run`: measured is what was counted; survey is what was found, open."""

    def __init__(
        self, disk: Disk, name: str, info: TableInfo | None, findings: Findings, tally: Tally
    ) -> None:
        """info: what the manifest says of it, None if nobody knows. OSError: there is no file."""
        self.name = name
        self.survey = TableSurvey(disk, name, info, tally)
        self._info = info
        self._findings = findings
        self._entries: i64 = 0
        self._tombstones: i64 = 0
        self._expires: i64 = 0
        self._low = b""
        self._last = b""
        self._behind: i64 = 0  # where the next block must begin
        self._parts: i64 = 0  # passed so far
        self._in_part: i64 = 0  # entries since the last partition
        self._lost = False  # a block could not be read: the counts say nothing

    def run(self) -> None:
        survey = self.survey
        for offset, what in survey.problems:
            self._damage(offset, what)
        self._check_footer()
        for at, place in enumerate(survey.places):
            self._check_place(place)
            self._end_part(at + 1)
        if survey.root is not None and not survey.problems:
            self._check_order_of(survey.root, survey.root_offset, "the root's index")
            self._check_end()
        self._check_clears()
        if self._info is not None and not self._lost and survey.root is not None:
            self._compare(self._info)

    def measured(self) -> TableInfo:
        """What the manifest should say of it."""
        survey = self.survey
        clears = survey.clears or []
        low, high = bounds(self._low, self._last, self._entries, clears)
        return TableInfo(
            survey.number,
            survey.size,
            self._entries,
            self._tombstones,
            low,
            high,
            survey.root_offset,
            survey.root_size,
            len(clears),
            self._expires,
        )

    def _damage(self, offset: i64, what: str, low: bytes = b"", high: bytes = b"") -> None:
        self._findings.damage(self.name, offset, what, low, high)

    # --- footer, root, partitions ---------------------------------------------------------------

    def _check_footer(self) -> None:
        survey = self.survey
        footer = survey.footer
        info = self._info
        at = survey.size - FOOTER_SIZE
        if info is not None and info.size != survey.size:
            what = f"the file has {survey.size} bytes, the manifest says {info.size}"
            self._damage(min(survey.size, info.size), what)
        if footer is None:
            return
        if footer.number != table_number(self.name):
            self._damage(at, f"the footer says that this is table {footer.number}")
            self._info = None
        elif info is not None:
            if (footer.root_offset, footer.root_size) != (info.root_offset, info.root_size):
                what = f"the root is at {footer.root_offset}, the manifest says {info.root_offset}"
                self._damage(at, f"by the footer {what}")
            if footer.entries != info.entries:
                what = f"{footer.entries} entries, the manifest says {info.entries}"
                self._damage(at, f"by the footer it has {what}")

    def _end_part(self, passed: i64) -> None:
        """If the partition ends here, check it."""
        survey = self.survey
        if self._parts == len(survey.parts):
            return
        part = survey.parts[self._parts]
        if passed < len(survey.places) and survey.places[passed].offset < part.offset:
            return
        self._parts += 1
        if part.offset != self._behind and not survey.problems:
            self._damage(part.offset, f"a partition that should begin at {self._behind}")
        self._behind = part.offset + part.size
        self._check_order_of(part.index, part.offset, "the partition's index")
        self._check_filter_size(part)
        self._in_part = 0

    def _check_filter_size(self, part: Part) -> None:
        """Whole lines, of which only version 1 says how many; no key may be denied by them."""
        size: i64 = len(part.bloom)
        footer = self.survey.footer
        wrong = size % LINE != 0 or (size == 0) != (self._in_part == 0)
        if footer is not None and footer.version == 1:
            wrong = size != LINE * filter_lines(self._in_part, BITS_PER_KEY)
        if wrong and not self._lost:
            self._damage(part.offset, f"a filter of {size} bytes for {self._in_part} keys")

    def _check_order_of(self, index: Block, offset: i64, what: str) -> None:
        if not _is_exact(index, _keys(index)):
            self._damage(offset, f"{what} is not in order")

    def _check_end(self) -> None:
        survey = self.survey
        if survey.root_offset != self._behind:
            self._damage(survey.root_offset, f"the root should begin at {self._behind}")
        if survey.root_offset + survey.root_size + FOOTER_SIZE != survey.size:
            self._damage(survey.root_offset, "the file does not end behind root and footer")

    def _check_clears(self) -> None:
        clears = self.survey.clears
        if clears is not None and coalesce(clears) != clears:
            self._damage(self.survey.root_offset, "cleared ranges are not in order")

    # --- blocks ---------------------------------------------------------------------------------

    def _check_place(self, place: Place) -> None:
        try:
            block = self.survey.load(place)
        except ValueError as error:
            self._lost = True
            self._damage(place.offset, str(error), place.low, place.high)
            self._behind = place.offset + place.size
            return
        if place.offset != self._behind and not self.survey.problems:
            self._damage(place.offset, f"a block that should begin at {self._behind}")
        self._behind = place.offset + place.size
        keys = _keys(block)
        if keys is None or not _is_exact(block, keys):
            self._damage(place.offset, "the entries of a block are not in order")
            keys = None
        if not keys:
            self._lost = True
            return
        self._check_keys(place, keys)
        self._check_values(place, block, keys)
        self._entries += len(keys)
        self._in_part += len(keys)
        self._last = keys[-1]

    def _check_keys(self, place: Place, keys: list[bytes]) -> None:
        first, last = keys[0], keys[-1]
        if self._entries == 0:
            self._low = first
        if self._entries > 0 and first <= self._last:
            self._damage(place.offset, "a block begins before the last one ends", first, self._last)
        if first < place.low:
            self._damage(place.offset, "a block begins before its index says", first, place.low)
        if last >= place.high:
            self._damage(place.offset, "a block goes on past its separator", place.high, last)
        if not first or first[0] >= DATABASES:
            self._damage(place.offset, "a key of no database")
        bloom = place.filter
        if not bloom:
            return
        for key in keys:
            if not may_contain(bloom, hash_key(key)):
                self._damage(place.offset, "the filter denies a key", key, key + b"\x00")

    def _check_values(self, place: Place, block: Block, keys: list[bytes]) -> None:
        data = block.data
        at: i64 = 0
        while at < block.count:
            start = block.start(at)
            end = block.end(at)
            kind: i64 = data[start] if start < end else 127
            if kind == DELETED and end == start + 1:
                self._tombstones += 1
            elif kind >= EXPIRES_BIT and end >= start + 9 and 0 < kind - EXPIRES_BIT <= PICKLE:
                expires = expires_at(data, start)
                if self._expires == 0 or expires < self._expires:
                    self._expires = expires
            elif not 0 < kind <= PICKLE:
                key = keys[at]
                self._damage(place.offset, "a value that makes no sense", key, key + b"\x00")
            at += 1

    # --- what the manifest says -----------------------------------------------------------------

    def _compare(self, info: TableInfo) -> None:
        found = self.measured()
        counts = (
            ("entries", found.entries, info.entries),
            ("deleted entries", found.tombstones, info.tombstones),
            ("cleared ranges", found.clears, info.clears),
        )
        at = info.root_offset
        for what, counted, told in counts:
            if counted != told:
                self._damage(at, f"it has {counted} {what}, the manifest says {told}")
        if found.expires != info.expires:
            what = f"its first expiry is {found.expires}, the manifest says {info.expires}"
            self._damage(at, what)
        if found.low < info.low:
            self._damage(at, "it begins before the manifest says", found.low, info.low)
        if found.high > info.high:
            self._damage(at, "it goes on past what the manifest says", info.high, found.high)


def _keys(block: Block) -> list[bytes] | None:
    """All keys; None where the entries cannot even be told apart."""
    try:
        return block.keys()
    except (ValueError, IndexError):
        return None


def _is_exact(block: Block, keys: list[bytes] | None) -> bool:
    """Whether the block is what a writer makes of its entries."""
    if keys is None:
        return False
    if block.count == 1 and len(block.data) > MAX_HELD:
        return True  # not worth another copy
    writer = BlockWriter()
    try:
        writer.fill(keys, block.values(), 0, 1 << 62)
    except ValueError:
        return False
    return b"".join(writer.finish()) == block.data
