"""A damaged table -> a new one of all that is left of it. Called by repair.

Where a block is lost, older tables may have older versions of its keys. The filter of the block's
partition tells which keys were in it: those are deleted in the new table, so that nothing outdated
comes back. Without a filter they are in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence

from kveik.disk.api import Disk
from kveik.engine.arrangement import Known
from kveik.engine.builder import TableBuilder
from kveik.engine.findings import Findings, Tally
from kveik.engine.segment import NEW_SUFFIX
from kveik.engine.survey_table import Place, TableSurvey
from kveik.format.block import Block
from kveik.format.entry import TOMBSTONE, decode_cell, kind_at
from kveik.format.filter import hash_key, may_contain
from kveik.format.table import TableInfo, table_name
from kveik.limits import DATABASES
from kveik.model import CLEARED, DELETED
from kveik.native import i64

CERTAIN = 0  # nothing that may be outdated comes back
DEFAULT = 1  # nothing that is known to be outdated does
OLDER = 2  # whatever can be read does


class Older:
    """The tables that are older than one; None stands for an empty one."""

    def __init__(self, disk: Disk, tables: Sequence[Known]) -> None:
        self._disk = disk
        self._tables = tables

    def keys(self, place: Place) -> list[bytes]:
        """Those with a value, within the place, that its partition's filter does not deny."""
        found: set[bytes] = set()
        for known in self._tables:
            info = known.info
            if known.name and (info is None or (info.low < place.high and place.low < info.high)):
                self._add_keys(known, place, found)
        return sorted(found)

    def _add_keys(self, known: Known, place: Place, found: set[bytes]) -> None:
        try:
            survey = TableSurvey(self._disk, known.name, known.info, Tally(0, None))
        except OSError:
            return
        try:
            for other in survey.places:
                if other.low < place.high and place.low < other.high and not other.error:
                    try:
                        block = survey.load(other)
                        _add_block(block, place, found)
                    except (ValueError, IndexError):
                        continue  # it is lost, too
        finally:
            survey.close()


def _add_block(block: Block, place: Place, found: set[bytes]) -> None:
    at = block.lower_bound(place.low)
    while at < block.count:
        key = block.key(at)
        if key >= place.high:
            break
        live = kind_at(block.data, block.start(at)) != DELETED
        if live and may_contain(place.filter, hash_key(key)):
            found.add(key)
        at += 1


class TableSalvage:
    """One table. After `run`: losses in findings; hidden: older versions that were left out.

    doubtful: ranges in which something outdated may have come back.
    """

    def __init__(
        self, survey: TableSurvey, info: TableInfo | None, older: Older, mode: int, losses: Findings
    ) -> None:
        self.hidden: i64 = 0
        self.doubtful: list[tuple[bytes, bytes]] = []
        self._survey = survey
        self._info = info
        self._older = older
        self._mode = mode
        self._losses = losses
        self._clears: list[tuple[bytes, bytes]] = []
        self._last = b""

    def run(self, target: Disk, number: i64) -> TableInfo | None:
        """Make the new table; None if nothing is left. OSError."""
        name = table_name(number)
        file = target.create(name + NEW_SUFFIX)
        info: TableInfo | None = None
        try:
            builder = TableBuilder(file, number)
            for place in self._survey.places:
                self._take(place, builder)
            self._take_clears()
            builder.clears = self._clears
            info = builder.finish()
        finally:
            file.close()
        if info.entries + info.clears == 0:
            target.remove(name + NEW_SUFFIX)
            return None
        target.rename(name + NEW_SUFFIX, name)
        return info

    def _take(self, place: Place, builder: TableBuilder) -> None:
        keys: list[bytes] = []
        values: list[bytes] = []
        try:
            block = self._survey.load(place)
            block.copy(0, block.count, keys, values)
        except (ValueError, IndexError) as error:
            self._lose(place, str(error), builder)
            return
        if not self._are_sound(keys, values):
            keys, values = self._sound(place, keys, values)
        if keys:
            builder.add_many(keys, values)
            self._last = keys[-1]

    def _are_sound(self, keys: list[bytes], values: list[bytes]) -> bool:
        last = self._last
        for at, key in enumerate(keys):
            if key <= last or not _is_entry(key, values[at]):
                return False
            last = key
        return True

    def _sound(
        self, place: Place, keys: list[bytes], values: list[bytes]
    ) -> tuple[list[bytes], list[bytes]]:
        """Only the entries that make sense, although the checksum is valid."""
        kept: list[bytes] = []
        kept_values: list[bytes] = []
        last = self._last
        for at, key in enumerate(keys):
            if key > last and _is_entry(key, values[at]):
                kept.append(key)
                kept_values.append(values[at])
                last = key
        name = self._survey.name
        what = f"{len(keys) - len(kept)} entries of a block make no sense"
        self._losses.damage(name, place.offset, what, place.low, place.high)
        self.doubtful.append((place.low, place.high))
        return kept, kept_values

    def _lose(self, place: Place, what: str, builder: TableBuilder) -> None:
        low = max(place.low, self._last + b"\x00" if self._last else b"")
        if low >= place.high:
            return  # there is no room for a key
        self._losses.damage(self._survey.name, place.offset, what, low, place.high)
        if self._mode == OLDER:
            self.doubtful.append((low, place.high))
        elif place.filter:
            self._hide(Place(0, 0, low, place.high, place.filter), builder)
        elif self._mode == CERTAIN:
            self._clears.append((low, place.high))
        else:
            self.doubtful.append((low, place.high))

    def _hide(self, place: Place, builder: TableBuilder) -> None:
        """Delete the keys that were in a lost block and have an older version."""
        keys = self._older.keys(place)
        if keys:
            builder.add_many(keys, [TOMBSTONE] * len(keys))
            self.hidden += len(keys)
            self._last = keys[-1]

    def _take_clears(self) -> None:
        clears = self._survey.clears
        info = self._info
        if clears is not None:
            self._clears += [(low, high) for low, high in clears if low < high]
            return
        if info is None:
            what = "the root, with its cleared ranges if it had any"
            self._losses.damage(self._survey.name, self._survey.root_offset, what)
            return
        if info.clears == 0:
            return
        what = f"its cleared ranges ({info.clears}): what they deleted may be in older tables"
        self._losses.damage(self._survey.name, info.root_offset, what, info.low, info.high)
        if self._mode == CERTAIN:
            self._clears.append((info.low, info.high))
        else:
            self.doubtful.append((info.low, info.high))


def _is_entry(key: bytes, value: bytes) -> bool:
    if not key or key[0] >= DATABASES:
        return False
    try:
        return decode_cell(value, 0, len(value)).kind != CLEARED
    except ValueError:
        return False
