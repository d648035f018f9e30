"""The views that keys(), values() and items() of a mapping give: live, in key order.

Python's own views look each key up again; these read the range. Made by the readers; not compiled.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from kveik.errors import LimitError
from kveik.format.keys import encode_key


class Keys(KeysView[Any]):
    def __reversed__(self) -> Iterator[Any]:
        found: Iterator[Any] = reversed(_source(self))
        return found


class Values(ValuesView[Any]):
    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in _source(self).range())

    def __reversed__(self) -> Iterator[Any]:
        return (value for _, value in _source(self).range(reverse=True))

    def __contains__(self, value: object) -> bool:
        return any(found == value for found in self)


class Items(ItemsView[Any, Any]):
    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        found: Iterator[tuple[Any, Any]] = _source(self).range()
        return found

    def __reversed__(self) -> Iterator[tuple[Any, Any]]:
        found: Iterator[tuple[Any, Any]] = _source(self).range(reverse=True)
        return found


def _source(view: Any) -> Any:  # a Reader, which imports this module
    return view._mapping


def same(reader: Any, other: Mapping[Any, Any]) -> bool:
    """Whether a reader and a mapping hold the same entries."""
    reader.check_open()
    try:
        wanted = [(encode_key(key), value) for key, value in other.items()]
    except (LimitError, TypeError):
        return False  # that is no key of any database
    wanted.sort(key=lambda entry: entry[0])
    rows = reader.range()
    for stored, expected in wanted:
        row = next(rows, None)
        if row is None or encode_key(row[0]) != stored or row[1] != expected:
            return False
    return next(rows, None) is None
