"""What every sub-command is to those who run it: a section that fills while it works.

An interrupted or failed run leaves what it has found so far in its section.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

from kveik.bench.results import Section
from kveik.bench.screen import Screen


class Measurement(ABC):
    section: Section
    failed = False  # it ended, and found what must not be
    versions: Mapping[str, str] = MappingProxyType({})  # of what it compares Kveik with

    @abstractmethod
    def steps(self) -> int:
        """How many steps it will tell the screen of."""

    @abstractmethod
    def run(self, screen: Screen) -> None:
        """Measure. Raises BenchError where it cannot go on."""
