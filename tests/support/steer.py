"""Steers the disk of a server that runs steered_disk.py."""

from __future__ import annotations

from pathlib import Path

from tests.support.server import STEERED, Server, StartServer
from tests.support.tools import environment, until
from tests.support.wire import Connection, frame

SLOW = 0.002  # seconds; more than the gate takes for cheap


def slow_disk(start_server: StartServer, folder: Path, *options: str) -> Server:
    """A server whose disk has several syncs under way."""
    return SteeredServer(start_server, folder, *options).server


class SteeredServer:
    """A server and the switches of its disk."""

    def __init__(self, start_server: StartServer, folder: Path, *options: str) -> None:
        self._folder = folder
        (folder / "slow").write_text(str(SLOW))
        environ = environment(KVEIK_TEST_STEER=str(folder))
        self.server: Server = start_server(*options, program=STEERED, environ=environ)

    def hold(self) -> None:
        """Let syncs wait from now on."""
        (self._folder / "hold").touch()

    def release(self) -> None:
        (self._folder / "hold").unlink()

    def switch(self, name: str, on: bool = True) -> None:
        """Turn `fail` or `full` on or off."""
        if on:
            (self._folder / name).touch()
        else:
            (self._folder / name).unlink()

    def hang(self) -> None:
        """Let reads of tables wait from now on."""
        (self._folder / "hang").touch()

    def go_on(self) -> None:
        (self._folder / "hang").unlink()

    def await_read(self) -> None:
        until((self._folder / "hanging").exists, "a read is under way")

    def holding(self) -> bool:
        """Whether a sync waits."""
        return (self._folder / "held").exists()

    def await_sync(self) -> None:
        until(self.holding, "a sync is under way")

    def send_held(self, connection: Connection, *words: str | int) -> None:
        """Send a write, and come back once its sync waits."""
        connection.send(frame(*words))
        self.await_sync()
