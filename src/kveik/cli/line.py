"""A line of `kveik inspect`, for people and for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kveik.disk.api import Disk
from kveik.format.shown import show_cell, show_key
from kveik.model import Cell


class Line:
    """text is for people; what, with fields, for machines. counts: --limit counts it."""

    def __init__(
        self,
        what: str,
        text: str,
        fields: dict[str, object],
        *,
        counts: bool = False,
        damaged: bool = False,
    ) -> None:
        self.what = what
        self.text = text
        self.fields = fields
        self.counts = counts
        self.damaged = damaged


# (disk, file name, whether to show keys, whether to show values)
Look = Callable[[Disk, str, bool, bool], Iterator[Line]]


def damage(offset: int, what: str) -> Line:
    fields: dict[str, object] = {"offset": offset, "error": what}
    return Line("damage", f"{offset:>10}  DAMAGED: {what}", fields, damaged=True)


def entry(key: bytes, cell: Cell, values: bool) -> Line:
    """An entry of a record or of a block."""
    fields: dict[str, object] = {"key": key.hex(), "kind": int(cell.kind), "size": len(cell.data)}
    if cell.expires:
        fields["expires"] = int(cell.expires)
    if values:
        fields["value"] = cell.data.hex()
    shown = f"  {show_cell(cell)}" if values else ""
    return Line("entry", f"              {show_key(key)}{shown}", fields, counts=True)
