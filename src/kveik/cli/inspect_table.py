"""The lines of a table: one a block, with --keys one an entry."""

from __future__ import annotations

from collections.abc import Iterator

from kveik.cli.line import Line, damage, entry
from kveik.cli.told import count
from kveik.disk.api import Disk
from kveik.engine.findings import Tally
from kveik.engine.survey_table import Place, TableSurvey
from kveik.format.block import Block
from kveik.format.entry import decode_cell
from kveik.format.shown import show_key, show_range


def lines(disk: Disk, name: str, keys: bool, values: bool) -> Iterator[Line]:
    survey = TableSurvey(disk, name, None, Tally(0, None))
    try:
        yield from _frame(survey)
        part = 0
        for place in survey.places:
            while part < len(survey.parts) and survey.parts[part].offset < place.offset:
                yield _partition(survey, part)
                part += 1
            yield from _place(survey, place, keys, values)
        while part < len(survey.parts):
            yield _partition(survey, part)
            part += 1
    finally:
        survey.close()


def _frame(survey: TableSurvey) -> Iterator[Line]:
    """Footer, root and clears, and what is damaged beside the data blocks."""
    footer = survey.footer
    text = f"table {survey.number}, {survey.size:,} bytes"
    fields: dict[str, object] = {"number": survey.number, "size": survey.size}
    if footer is not None:
        text += f", {count(footer.entries, 'entry')}"
        fields["entries"] = footer.entries
    yield Line("table", text, fields)
    for offset, what in survey.problems:
        yield damage(offset, what)
    if survey.root is not None:
        what = f"root: {count(survey.root.count, 'partition')}"
        fields = {"offset": survey.root_offset, "partitions": survey.root.count}
        yield Line("root", f"{survey.root_offset:>10}  {what}", fields)
    for low, high in survey.clears or []:
        shown = f"              clears {show_range(low, high)} in older tables"
        yield Line("clear", shown, {"low": low.hex(), "high": high.hex()})


def _partition(survey: TableSurvey, number: int) -> Line:
    part = survey.parts[number]
    what = f"partition of {count(part.index.count, 'block')}, filter {len(part.bloom):,} bytes"
    fields: dict[str, object] = {
        "offset": part.offset,
        "size": part.size,
        "blocks": part.index.count,
        "filter": len(part.bloom),
    }
    return Line("partition", f"{part.offset:>10}  {what}", fields, counts=True)


def _place(survey: TableSurvey, place: Place, keys: bool, values: bool) -> Iterator[Line]:
    try:
        block = survey.load(place)
        first, last = block.key(0), block.key(block.count - 1)
    except (ValueError, IndexError) as error:
        yield damage(place.offset, f"{error}: {show_range(place.low, place.high)}")
        return
    what = f"{count(block.count, 'entry')}, {place.size:,} bytes"
    text = f"{place.offset:>10}  block: {what}, {show_key(first)} to {show_key(last)}"
    fields: dict[str, object] = {
        "offset": place.offset,
        "size": place.size,
        "entries": block.count,
        "first": first.hex(),
        "last": last.hex(),
    }
    yield Line("block", text, fields, counts=not keys)
    if keys:
        yield from _entries(block, place, values)


def _entries(block: Block, place: Place, values: bool) -> Iterator[Line]:
    for at in range(block.count):
        try:
            yield entry(
                block.key(at), decode_cell(block.data, block.start(at), block.end(at)), values
            )
        except (ValueError, IndexError) as error:
            yield damage(place.offset, f"entry {at} of the block: {error}")
