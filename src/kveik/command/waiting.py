"""Commands that wait: for time to pass, or for what was written to be on the disk.

SAVE BGSAVE BGREWRITEAOF LASTSAVE WAIT WAITAOF DEBUG SLEEP. Only the connection that asked
waits, and CLIENT UNBLOCK ends it. Called through the registry.
"""

from __future__ import annotations

import time
from typing import Final

from kveik.command.arguments import SYNTAX, integer, shown, wrong_member
from kveik.command.clients import timeout
from kveik.command.command import Command, on_client
from kveik.command.job import Job
from kveik.command.state import Client, Waiting
from kveik.errors import CommandError
from kveik.limits import MAX_SLEEP
from kveik.model import OK, Simple
from kveik.native import i64

LOOK_AGAIN: Final = 0.002  # seconds between two looks whether a sync is done


class Wait(Job):
    """Waits so many seconds, 0 for ever, and then has the reply that was given."""

    def __init__(self, client: Client, seconds: float, reply: object) -> None:
        super().__init__()
        self._client = client
        self._until = time.monotonic() + (seconds or MAX_SLEEP)
        self._reply = reply
        self._waiting = Waiting()
        client.waiting = self._waiting

    def step(self) -> bool:
        if self._waiting.unblocked:
            if self._waiting.error:
                self.end()
                raise CommandError("UNBLOCKED client unblocked via CLIENT UNBLOCK")
            return False
        return self.wait()

    def wait(self) -> bool:
        """Whether to go on waiting, for `delay`."""
        self.delay = self._until - time.monotonic()
        return self.delay > 0.0

    def reply(self) -> object:
        return self._reply

    def end(self) -> None:
        self._client.waiting = None

    def at_once(self) -> object:
        """In a transaction nobody waits."""
        self.end()
        return self.reply()


class Sync(Wait):
    """Waits until everything that was committed by then is on the disk."""

    def __init__(self, client: Client, seconds: float, reply: object) -> None:
        super().__init__(client, seconds, reply)
        self.lsn = client.server.store.lsn()

    def wait(self) -> bool:
        store = self._client.server.store
        if store.broken:
            raise CommandError(f"ERR {store.failure}")
        if store.synced() >= self.lsn or not super().wait():
            return False
        self._client.server.sync()
        self.delay = min(self.delay, LOOK_AGAIN)
        return True


class SyncOrNot(Sync):
    """WAITAOF: how many disks have it, this one, and how many replicas."""

    def __init__(self, client: Client, seconds: float, copies: i64) -> None:
        super().__init__(client, seconds, None)
        self._copies = copies  # that are wanted and will never be

    def wait(self) -> bool:
        if self._client.server.store.synced() >= self.lsn and self._copies > 0:
            return Wait.wait(self)
        return super().wait()

    def reply(self) -> object:
        return [int(self._client.server.store.synced() >= self.lsn), 0]


def _started(job: Wait) -> object:
    """The job, or its reply if there is nothing to wait for."""
    try:
        if job.step():
            return job
    except CommandError:
        job.end()
        raise
    job.end()
    return job.reply()


def save(client: Client, args: list[bytes]) -> object:
    return _started(Sync(client, 0.0, OK))


def bgsave(client: Client, args: list[bytes]) -> object:
    """BGSAVE [SCHEDULE]: everything that is acknowledged is on the disk, or will be at once."""
    if len(args) > 2 or (len(args) == 2 and args[1].upper() != b"SCHEDULE"):
        raise CommandError(SYNTAX)
    client.server.sync()
    return Simple(b"Background saving started")


def bgrewriteaof(client: Client, args: list[bytes]) -> object:
    """The log is kept short all the time."""
    client.server.sync()
    return Simple(b"Background append only file rewriting started")


def lastsave(client: Client, args: list[bytes]) -> object:
    return int(client.server.last_sync)


def wait(client: Client, args: list[bytes]) -> object:
    """WAIT replicas milliseconds: there are no replicas."""
    wanted = integer(args[1])
    seconds = timeout(args[2])
    return 0 if wanted <= 0 else _started(Wait(client, seconds, 0))


def waitaof(client: Client, args: list[bytes]) -> object:
    """WAITAOF local replicas milliseconds"""
    local = integer(args[1])
    copies = integer(args[2])
    seconds = timeout(args[3])
    if not 0 <= local <= 1:
        raise CommandError("ERR value is out of range, must be between 0 and 1")
    if copies < 0:
        raise CommandError("ERR value is out of range, must be positive")
    if local == 0 and copies == 0:
        return [int(client.server.store.synced() >= client.server.store.lsn()), 0]
    return _started(SyncOrNot(client, seconds, copies))


def debug(client: Client, args: list[bytes]) -> object:
    """DEBUG SLEEP seconds: of this connection alone."""
    if args[1].upper() != b"SLEEP":
        raise CommandError(f"ERR DEBUG {shown(args[1])} is not supported: there is DEBUG SLEEP")
    if len(args) != 3:
        raise CommandError(wrong_member("DEBUG", args))
    try:
        seconds = float(args[2])
    except ValueError:
        seconds = 0.0  # as in Redis
    if not seconds > 0.0:
        return OK
    return _started(Wait(client, min(seconds, MAX_SLEEP), OK))


_SAVING: Final = "admin noscript no_async_loading"
COMMANDS: Final[list[Command]] = [
    on_client(
        bgrewriteaof,
        "BGREWRITEAOF",
        1,
        _SAVING,
        "server",
        "Syncs the log, which is kept short all the time.",
    ),
    on_client(bgsave, "BGSAVE", -1, _SAVING, "server", "Syncs what is not on the disk yet."),
    on_client(
        debug,
        "DEBUG",
        -2,
        "admin noscript loading stale no_multi",
        "server",
        "Lets the connection wait (SLEEP).",
    ),
    on_client(
        lastsave, "LASTSAVE", 1, "loading stale fast", "server", "Returns when was last synced."
    ),
    on_client(
        save, "SAVE", 1, f"{_SAVING} no_multi", "server", "Waits until everything is on the disk."
    ),
    on_client(
        wait,
        "WAIT",
        3,
        "noscript",
        "generic",
        "Waits for replicas, of which there are none.",
        since="3.0.0",
    ),
    on_client(
        waitaof,
        "WAITAOF",
        4,
        "noscript",
        "generic",
        "Waits until what was written is on the disk.",
        since="7.2.0",
    ),
]
