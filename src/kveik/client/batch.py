"""A batch for a server: puts and deletes that happen together. Made by Client and AsyncClient.

They travel as one MULTI and EXEC, which the server writes as one record.
"""

from __future__ import annotations

from typing import Any

from kveik.client.calls import (
    NAMES,
    Call,
    Command,
    delete_command,
    delete_range_command,
    nothing,
    put_command,
)
from kveik.model import CLEARED, DELETED, Cell


class Batch:
    """As the embedded database's. Not for two threads at once."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def put(self, key: object, value: object, *, ttl: float | None = None) -> None:
        """Add a put; with ttl, in seconds from when the batch is written."""
        self.commands.append(put_command(key, value, ttl))

    def delete(self, key: object) -> None:
        """Add a delete; it need not exist."""
        self.commands.append(delete_command(key))

    def delete_range(self, start: object = None, end: object = None) -> None:
        """Add a delete of every key from start (included) to end (excluded); None is no bound."""
        command = delete_range_command(start, end)
        if command is not None:
            self.commands.append(command)

    def __len__(self) -> int:
        """How many puts and deletes there are."""
        return len(self.commands)


def write(batch: Any) -> Call:
    """A batch of this module's, or a `kveik.Batch`. The batch is empty afterwards."""
    if isinstance(batch, Batch):
        return Call(batch.commands, nothing)
    writes = batch.writes
    pairs = zip(writes.keys[: writes.count], writes.cells[: writes.count], strict=True)
    return Call([_command(key[1:], cell, cell.data[1:]) for key, cell in pairs], nothing)


def emptied(batch: Any) -> None:
    """It has been written."""
    if isinstance(batch, Batch):
        batch.commands = []
    else:
        batch.writes = type(batch.writes)()


def _command(key: bytes, cell: Cell, stop: bytes) -> Command:
    """stop: the end of the range that is deleted, without its database."""
    if cell.kind == DELETED:
        return "DEL", key
    if cell.kind == CLEARED:
        return "KV.DELRANGE", b"[" + key if key else b"-", b"(" + stop if stop else b"+"
    until: Command = ("PXAT", cell.expires) if cell.expires else ()
    return ("KV.PUT", key, NAMES[cell.kind], cell.data, *until)
