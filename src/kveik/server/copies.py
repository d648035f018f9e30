"""Where SNAPSHOT makes its copies: new directories, named by the time. Called by the app."""

from __future__ import annotations

import itertools
import os
import time

from kveik.disk.posix import PosixDisk
from kveik.errors import OpenError
from kveik.server.config import Config


class Places:
    def __init__(self, config: Config) -> None:
        data_dir = os.path.abspath(config.data_dir)
        self.folder = os.path.abspath(config.snapshot_dir or f"{data_dir}-snapshots")

    def new(self) -> PosixDisk:
        """An empty directory of its own; OpenError if there can be none. On any thread."""
        begun = os.path.join(self.folder, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
        try:
            os.makedirs(self.folder, exist_ok=True)
            for number in itertools.count(1):
                path = begun if number == 1 else f"{begun}-{number}"
                try:
                    os.mkdir(path)
                    return PosixDisk(path)
                except FileExistsError:
                    pass
        except OSError as error:
            raise OpenError(f"no snapshot can be made in {self.folder}: {error.strerror}") from None
        raise AssertionError("numbers do not end")
