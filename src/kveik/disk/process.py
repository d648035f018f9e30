"""What a process asks the system about itself and about its parent.

Job: how a worker steps back behind everybody else, and how it learns that nobody waits for it any
more; how a process learns that it was forked off. Invariant: nothing here raises. Who may call: the
engine.
"""

from __future__ import annotations

import os
from typing import Final

NICE: Final = 10  # of 19: clearly behind whoever serves, and not behind every idle job


def be_nice() -> None:
    """Let others have the processor first; quietly not, where the system refuses."""
    try:
        os.nice(NICE)
    except OSError:
        pass


def parent_alive(pid: int) -> bool:
    """Whether the process `pid`, which started this one, still is its parent.

    The system hands a child over to another parent when its own ends, so this cannot be fooled by
    a pid that is used again.
    """
    return os.getppid() == pid


class Forks:
    """count: how many forks lie between the first Python process and this one."""

    def __init__(self) -> None:
        self.count = 0

    def note(self) -> None:
        self.count += 1


forks: Final = Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forks.note)
