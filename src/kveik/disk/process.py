"""What a process asks the system about itself and about its parent.

Job: how a worker steps back behind everybody else, and how it learns that nobody waits for it any
more. Invariant: nothing here raises. Who may call: the worker that makes tables.
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
