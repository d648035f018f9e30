"""Files that are of no use any more. Called by whoever made them, on any thread."""

from __future__ import annotations

from kveik.disk.api import Disk


def remove_quietly(disk: Disk, name: str) -> None:
    """Take a file away; what is left, if that fails, goes when the directory is next opened."""
    try:
        disk.remove(name)
    except OSError:
        pass
