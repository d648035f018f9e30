"""What a check, or a repair, has to say of a directory. Called by both; the command line prints it.

Pure values. A finding is damage, or a leftover: what is there and should not be, and does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kveik.format.shown import show_range
from kveik.native import i64

DAMAGE: Final = "damage"
LEFTOVER: Final = "leftover"
READING_STEP: Final = 1 << 20  # bytes between two calls of a Progress

Progress = Callable[[int, int], None]  # (bytes done, bytes in all)


class Finding:
    """file, offset: where. what: in words. low, high: stored keys that it is about, if known."""

    __slots__ = ("file", "high", "low", "offset", "severity", "what")

    def __init__(
        self,
        severity: str,
        file: str,
        offset: i64,
        what: str,
        low: bytes = b"",
        high: bytes = b"",
    ) -> None:
        self.severity = severity
        self.file = file
        self.offset = offset
        self.what = what
        self.low = low
        self.high = high

    def __str__(self) -> str:
        place = f"{self.file}: offset {self.offset}: {self.what}"
        return f"{place} ({show_range(self.low, self.high)})" if self.high else place


def commits(first: i64, last: i64) -> str:
    """Their LSNs in words."""
    return f"commit {first}" if first == last else f"commits {first} to {last}"


class Findings:
    """A list of them that grows."""

    def __init__(self) -> None:
        self.items: list[Finding] = []

    def damage(
        self, file: str, offset: i64, what: str, low: bytes = b"", high: bytes = b""
    ) -> None:
        self.items.append(Finding(DAMAGE, file, offset, what, low, high))

    def leftover(self, file: str, what: str) -> None:
        self.items.append(Finding(LEFTOVER, file, 0, what))

    def damaged(self) -> list[Finding]:
        return [finding for finding in self.items if finding.severity == DAMAGE]

    def leftovers(self) -> list[Finding]:
        return [finding for finding in self.items if finding.severity == LEFTOVER]


class Tally:
    """Counts bytes, and tells a Progress now and then."""

    def __init__(self, total: i64, progress: Progress | None) -> None:
        self.done: i64 = 0
        self.total = total
        self._progress = progress
        self._told: i64 = 0

    def add(self, count: i64) -> None:
        self.done += count
        if self._progress is not None and self.done - self._told >= READING_STEP:
            self._told = self.done
            self._progress(self.done, max(self.total, self.done))

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(self.total, self.total)
