"""How a copy of entries gets on, on stderr: nothing in the first two seconds, then a bar or lines.

Called by `kveik dump`, `load` and `import`; `progress` has the rules.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from kveik.cli.progress import HAS_RICH, PATIENCE, PLAIN_STEP
from kveik.cli.told import count
from kveik.sizes import show_size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BAR_STEP = 0.1  # seconds between two looks at the bar


class Traffic:
    """A context manager; `add` what was copied. total: of what `done` counts, 0 if not known."""

    def __init__(self, what: str, total: int = 0) -> None:
        self.entries = 0
        self.bytes = 0
        self._what = what
        self._total = total
        self._begin = time.monotonic()
        self._next = self._begin + PATIENCE
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def add(self, entries: int, size: int, done: int) -> None:
        """done: how far it is, in the unit of the total."""
        self.entries += entries
        self.bytes += size
        now = time.monotonic()
        if now >= self._next:
            bar = HAS_RICH and sys.stderr.isatty()
            self._next = now + (BAR_STEP if bar else PLAIN_STEP)
            if bar:
                self._show_bar(done)
            else:
                print(f"{self._what}: {self._told(done)}", file=sys.stderr, flush=True)

    def summary(self, verb: str) -> str:
        """The closing line: dumped 2,000 entries, 1.5 MB, in 0.3 s."""
        seconds = time.monotonic() - self._begin
        what = count(self.entries, "entry")
        return f"{verb} {what}, {show_size(self.bytes)}, in {seconds:.1f} s"

    def _told(self, done: int) -> str:
        seconds = max(time.monotonic() - self._begin, 1e-3)
        told = f"{count(self.entries, 'entry')}, {show_size(self.bytes)}"
        told += f", {self.entries / seconds:,.0f} entries/s"
        if self._total:
            told += f", {min(100 * done // self._total, 100)} %"
        return told

    def _show_bar(self, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            left = (BarColumn(), TimeRemainingColumn()) if self._total else ()
            columns = (TextColumn("{task.description}"), *left)
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=self._total or None)
            self._bar.start()
        assert self._task is not None
        described = f"{self._what}: {self._told(done)}"
        self._bar.update(self._task, completed=done, description=described)

    def __enter__(self) -> Traffic:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
