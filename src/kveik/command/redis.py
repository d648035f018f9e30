"""What one request of Redis' protocol does. Called by the host."""

from __future__ import annotations

from kveik.command.command import Command
from kveik.command.registry import Finder
from kveik.command.request import Request
from kveik.command.state import Client
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError, StorageError
from kveik.model import Failure


class RedisRequest(Request):
    """args: the name of the command, and what stands behind it."""

    def __init__(self, client: Client, finder: Finder) -> None:
        self.args: list[bytes] = []
        self._client = client
        self._finder = finder

    def perform(self, txn: Transaction) -> object:
        args = self.args
        return run(self._finder.find(args), self._client, txn, args)

    def name(self) -> str:
        return repr(self.args[0])

    def failure(self, error: Exception) -> Failure:
        if isinstance(error, CommandError):
            return Failure(str(error))
        code = "MISCONF" if isinstance(error, StorageError) else "ERR"
        return Failure(f"{code} {super().failure(error).text}")


def run(command: Command, client: Client, txn: Transaction, args: list[bytes]) -> object:
    """Call a command's function."""
    on_data = command.on_data
    if on_data is not None:
        return on_data(txn, args)
    on_client = command.on_client
    if on_client is not None:
        return on_client(client, args)
    on_both = command.on_both
    assert on_both is not None
    return on_both(txn, client, args)
