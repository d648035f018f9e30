"""What a run shows while it works: a live bar on a terminal, a line now and then elsewhere.

Also what all benches share at their end: writing a file, exit codes, leaving on a signal in order.
"""

from __future__ import annotations

from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def make_progress(console: Console) -> Progress:
    done, text = MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    parts = (BarColumn(), done, TimeElapsedColumn(), text)
    return Progress(*parts, console=console, transient=True, disable=not console.is_terminal)


class Screen:
    """How far a run is: steps that are done of those that are planned, and what is being done."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self.console = console
        self._progress = progress
        self._task = progress.add_task("starting", total=None)
        self._done = self._planned = 0

    @property
    def live(self) -> bool:
        """Whether there is a bar that somebody looks at."""
        return not self._progress.disable

    def plan(self, steps: int) -> None:
        """So many more steps are to come."""
        self._planned += steps
        self._progress.update(self._task, total=self._planned)

    def step(self, text: str) -> None:
        """What begins now."""
        self._progress.update(self._task, description=text)

    def at(self, share: float) -> None:
        """How much of the step is done."""
        self._progress.update(self._task, completed=self._done + min(share, 1))

    def advance(self) -> None:
        self._done += 1
        self._progress.update(self._task, completed=self._done)

    def say(self, text: str) -> None:
        """On a terminal the bar tells; elsewhere a line now and then."""
        self.step(text)
        if not self.live:
            self.tell(text)

    def tell(self, text: str) -> None:
        """What is to be read in any case."""
        self.console.print(text, soft_wrap=True)


def write(path: Path, text: str, console: Console) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    console.print(f"written: {path}", soft_wrap=True)


def leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # unwinds, so the servers are stopped
