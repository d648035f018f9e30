"""A request as the host knows it: what it does to a transaction, and how its failure is told.

Each protocol has its own kind; the dialect fills one in, the host performs it, from the start again
where a block was missing.
"""

from __future__ import annotations

import logging

from kveik.engine.transaction import Transaction
from kveik.errors import CommandError, KveikError, StorageError
from kveik.model import Failure

log = logging.getLogger("kveik")

INTERNAL = "internal error; the server's log has the details"


class Request:
    def perform(self, txn: Transaction) -> object:
        """The reply, or a Job. Fault, CommandError and its kin: nothing has changed."""
        raise NotImplementedError

    def name(self) -> str:
        """What it asks for, for the server's log."""
        raise NotImplementedError

    def pauses(self, reads: bool) -> bool:
        """Whether a CLIENT PAUSE holds it back, one of reads too or of writes only."""
        return True

    def failure(self, error: Exception) -> Failure:
        """What the client is told of an error."""
        return Failure(told(error, self.name()))

    def done(self, reply: object, seconds: float) -> None:
        """It has been answered, and took so long."""


def told(error: Exception, name: str) -> str:
    """What a client is told of an error; our own bugs go to the log with their trace."""
    if isinstance(error, KveikError):
        return str(error)
    if isinstance(error, OSError):
        return f"the data could not be read: {error}"
    log.error("internal error in %s", name[:64], exc_info=error)
    return INTERNAL


def told_to_redis(error: Exception, name: str) -> str:
    """As told, led by a code as Redis' errors are."""
    if isinstance(error, CommandError):
        return str(error)
    code = "MISCONF" if isinstance(error, StorageError) else "ERR"
    return f"{code} {told(error, name)}"
