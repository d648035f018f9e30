"""How far the load of a file is: a small file beside it. docs/formats/dump-lines.md.

Invariant: what it says is loaded is durable. Called by `kveik load`.
"""

from __future__ import annotations

import json
import os
import zlib
from typing import NamedTuple

from kveik.errors import UseError

VERSION = 1
BEFORE = 4096  # bytes before the offset that are compared
SUFFIX = ".kveik-load"


class Place(NamedTuple):
    """offset: behind the last line that is loaded; lines: how many stand before it."""

    offset: int
    lines: int


class State:
    def __init__(self, path: str, target: str) -> None:
        self.path = path + SUFFIX
        self._input = path
        self._target = target

    def read(self) -> Place | None:
        """Where to go on; None if there is nothing to go on with. UseError, OSError."""
        try:
            with open(self.path, encoding="utf-8") as file:
                said = json.load(file)
        except FileNotFoundError:
            return None
        except ValueError:
            raise UseError(f"{self.path} is damaged: remove it to begin anew") from None
        if not isinstance(said, dict) or said.get("version") != VERSION:
            raise UseError(f"{self.path} is not of this version of kveik")
        if said.get("target") != self._target:
            raise UseError(f"{self.path} is of a load into {said.get('target')}")
        place = Place(int(said.get("offset", 0)), int(said.get("line", 0)))
        if said.get("before") != self._before(place.offset):
            raise UseError(f"{self._input} is not the file whose load broke off ({self.path})")
        return place

    def write(self, place: Place) -> None:
        said = {
            "version": VERSION,
            "target": self._target,
            "offset": place.offset,
            "line": place.lines,
            "before": self._before(place.offset),
        }
        new = self.path + ".new"
        with open(new, "w", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)

    def remove(self) -> None:
        if os.path.exists(self.path):
            os.remove(self.path)

    def _before(self, offset: int) -> int:
        """A sum over what stands before the offset; -1 where the file is shorter."""
        start = max(offset - BEFORE, 0)
        with open(self._input, "rb") as file:
            file.seek(start)
            data = file.read(offset - start)
        return zlib.crc32(data) if len(data) == offset - start else -1
