"""What every engine under test can be asked, in the same words, and with the same means.

Invariants: the bound methods `get`, `put` and `delete` are set while opening, as direct as the
engine's own interface allows, so that an adapter adds no call to what is timed. Fair settings:
nobody compresses, everybody has the same memory (what that means for an engine stands in its file),
writes go to the operating system at once or when the engine likes unless `sync` is asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

Pair = tuple[bytes, bytes]

BLOOM_BITS = 12  # a key; for the engines that have filters, the same as Kveik's


@dataclass(frozen=True)
class Setting:
    """How a database is opened."""

    path: Path  # a directory that exists
    memory: int  # bytes for caches and buffers together
    sync: bool = False  # every write is on the disk before it returns
    durability: str = ""  # of Kveik, in place of what `sync` says
    layered: bool = False  # flushed tables shall stay as they are: no compaction by itself
    counted: bool = False  # count blocks, where that has to be asked for and costs time


class Engine(ABC):
    """An open database."""

    name: ClassVar[str]
    package: ClassVar[str] = ""  # its distribution, where it has one
    # What it can do beside get, put, delete and write:
    #   range: read from a key on     scan: read all in order      sync: durable writes
    #   flush: make a table of what is in memory                   compact: tidy up when told
    abilities: ClassVar[frozenset[str]] = frozenset()

    get: Callable[[bytes], Any]
    put: Callable[[bytes, bytes], Any]
    delete: Callable[[bytes], Any]

    @abstractmethod
    def __init__(self, setting: Setting) -> None: ...

    @abstractmethod
    def write(self, pairs: Sequence[Pair]) -> None:
        """Put all of them as one batch: all or none."""

    @abstractmethod
    def close(self) -> None: ...

    def range(self, start: bytes, count: int) -> Sequence[object]:
        """The next `count` entries from `start` on, read to the end."""
        raise NotImplementedError

    def scan(self, reverse: bool) -> Iterator[object]:
        """All entries in order."""
        raise NotImplementedError

    def flush(self) -> None:
        raise NotImplementedError

    def compact(self) -> None:
        raise NotImplementedError

    def stats(self) -> dict[str, float]:
        """The engine's own counters, as far as it has some."""
        return {}

    @classmethod
    def version(cls) -> str:
        from importlib.metadata import version

        return version(cls.package)


def numbers(found: object, prefix: str = "") -> dict[str, float]:
    """The numbers in a nested document, each under its dotted path."""
    if isinstance(found, bool) or found is None:
        return {}
    if isinstance(found, int | float):
        return {prefix: found}
    if isinstance(found, dict):
        items = [(str(key), value) for key, value in found.items()]
    elif isinstance(found, list | tuple):
        items = [(str(index), value) for index, value in enumerate(found)]
    else:
        return {}
    flat: dict[str, float] = {}
    for name, value in items:
        flat.update(numbers(value, f"{prefix}.{name}" if prefix else name))
    return flat
