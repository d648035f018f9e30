"""What /proc tells of a session of processes: CPU time and resident memory."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Stat:
    session: int
    own: int  # ticks, user and system
    reaped: int  # ticks of children that ended and were waited for
    resident: int  # bytes


def stat_of(pid: int) -> Stat | None:
    """None for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in brackets and may hold anything.
    fields = text.rpartition(")")[2].split()
    times = [int(f) for f in fields[11:15]]
    return Stat(int(fields[3]), times[0] + times[1], times[2] + times[3], int(fields[21]) * PAGE)


def peak_of(pid: int) -> int:
    """The most bytes that a process has had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def session_of(leader: int) -> dict[int, Stat]:
    """The processes of the session that `leader` leads, itself included."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    stats = ((pid, stat_of(pid)) for pid in pids)
    return {pid: s for pid, s in stats if s is not None and s.session == leader}


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
