"""How far a long step is, on stderr: nothing in the first two seconds, then a bar or plain lines.

The one place that knows rich, which is optional; without it, and where nobody looks, lines are
plain.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from kveik.sizes import show_size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 2.0  # seconds without a word
PLAIN_STEP = 5.0  # seconds between two plain lines
HAS_RICH = importlib.util.find_spec("rich") is not None


class Meter:
    """A context manager; `show` is a Progress of the engine."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._begin = time.monotonic()
        self._told = self._begin + PATIENCE - PLAIN_STEP
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._begin < PATIENCE:
            return
        if HAS_RICH and sys.stderr.isatty():
            self._show_bar(done, total)
        elif now - self._told >= PLAIN_STEP:
            self._told = now
            share = 100 * done // max(total, 1)
            line = f"{self._what}: {show_size(done)} of {show_size(total)}, {share} %"
            print(line, file=sys.stderr, flush=True)

    def _show_bar(self, done: int, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

        if self._bar is None:
            columns = (f"{self._what}:", BarColumn(), DownloadColumn(True), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=total)
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total)

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
