"""The worker process: reads jobs, does them, answers. Started by `engine.lanes`.

It holds no lock and needs none: it reads files that never change and makes files under names that
only its job has.
"""

from __future__ import annotations

import sys
import traceback
from typing import Final

from kveik.disk.api import Disk
from kveik.disk.posix import PosixDisk
from kveik.disk.worker import Desk
from kveik.engine.job import perform
from kveik.errors import KveikError, StorageError
from kveik.format.jobs import decode_job, encode_error, encode_outcome
from kveik.version import VERSION

GREETING: Final = f"kveik compactor {VERSION}\n".encode()


def answer(disk: Disk, line: bytes) -> bytes:
    """The line that answers a job's line."""
    try:
        return encode_outcome(perform(disk, decode_job(line)))
    except KveikError as error:
        return encode_error(error)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return encode_error(StorageError(f"a worker failed: {error!r}"))


def main(directory: str) -> None:
    """Does not return: the process ends with its parent."""
    disk = PosixDisk(directory, create=False)
    desk = Desk(GREETING)
    while True:
        desk.answer(answer(disk, desk.next()))
