"""`kveik` on a disk that is steered by files in the directory that KVEIK_TEST_STEER names.

slow     each sync takes so many seconds longer
hold     syncs wait as long as it is there; `held` is there while one waits
fail     syncs fail
full     there is no room to allocate
hang     reads of tables wait as long as it is there; `hanging` is there while one waits
"""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from kveik.cli.main import main
from kveik.disk.posix import PosixFile

STEER = Path(os.environ["KVEIK_TEST_STEER"])
_sync = PosixFile.sync
_allocate = PosixFile.allocate
_read = PosixFile.read


def sync(self: PosixFile) -> None:
    if (STEER / "slow").exists():
        time.sleep(float((STEER / "slow").read_text()))
    if (STEER / "hold").exists():
        (STEER / "held").touch()
        while (STEER / "hold").exists():
            time.sleep(0.002)
        (STEER / "held").unlink(missing_ok=True)
    if (STEER / "fail").exists():
        raise OSError(errno.EIO, os.strerror(errno.EIO), self.name)
    _sync(self)


def allocate(self: PosixFile, size: int) -> None:
    if (STEER / "full").exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
    _allocate(self, size)


def read(self: PosixFile, offset: int, length: int) -> bytes:
    if self.name.endswith(".tbl") and (STEER / "hang").exists():
        (STEER / "hanging").touch()
        while (STEER / "hang").exists():
            time.sleep(0.002)
        (STEER / "hanging").unlink(missing_ok=True)
    return _read(self, offset, length)


def read_now(self: PosixFile, offset: int, length: int) -> bytes | None:
    """The system has nothing in memory."""
    return None


if __name__ == "__main__":
    PosixFile.sync = sync  # type: ignore[method-assign]
    PosixFile.allocate = allocate  # type: ignore[method-assign]
    PosixFile.read = read  # type: ignore[method-assign]
    PosixFile.read_now = read_now  # type: ignore[method-assign]
    sys.exit(main())
