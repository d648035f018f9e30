"""How a process learns that it was forked off: what its parent had open is not its own.

The public face has the system call `note`; whoever shares something between threads looks.
"""

from __future__ import annotations

from typing import Final

from kveik.native import i64


class Forks:
    """count: how many forks lie between the first process and this one."""

    def __init__(self) -> None:
        self.count: i64 = 0

    def note(self) -> None:
        """In the child, once."""
        self.count += 1


forks: Final = Forks()
