"""The views that keys(), values() and items() of a mapping give: live and in key order.

Python's own views look each key up again; these read the range. Made by the readers; not compiled.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any


class Keys(KeysView[object]):
    def __reversed__(self) -> Iterator[object]:
        yield from reversed(_source(self))


class Values(ValuesView[object]):
    def __iter__(self) -> Iterator[object]:
        for _, value in _source(self).range():
            yield value

    def __reversed__(self) -> Iterator[object]:
        for _, value in _source(self).range(reverse=True):
            yield value

    def __contains__(self, value: object) -> bool:
        return any(found == value for found in self)


class Items(ItemsView[object, object]):
    def __iter__(self) -> Iterator[tuple[object, object]]:
        yield from _source(self).range()

    def __reversed__(self) -> Iterator[tuple[object, object]]:
        yield from _source(self).range(reverse=True)


def _source(view: Any) -> Any:  # a Reader, which imports this module
    return view._mapping
