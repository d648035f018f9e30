"""Every exception of Kveik, in one tree.

    KveikError
    |-- OpenError                     opening a directory
    |   |-- NotKveikError             it holds something else, or nothing and create=False
    |   |-- NewerFormatError          a newer Kveik wrote it
    |   `-- LockedError               another opener holds it (its pid is named)
    |-- CorruptionError               bytes on disk are not what was written (file and offset)
    |-- UseError                      the caller's fault
    |   |-- ClosedError               use after close
    |   |-- Conflict                  an optimistic transaction lost a race: do it again
    |   |-- ReadOnlyError             a write to a database opened read-only
    |   |-- LimitError (ValueError)   a key, value or batch past its bound
    |   `-- UnsafeError (ValueError)  a pickle that may hold more than plain data
    |-- StorageError                  the disk's fault
    |   |-- DiskFullError             refused before it was applied; try again when there is room
    |   `-- FailStopError             a write or sync failed: no more writes until reopened
    |-- ProtocolError                 a peer's bytes do not follow its protocol; the connection ends
    |-- CommandError                  a request was understood and refused; the connection goes on
    `-- ClientError                   raised by the clients
        |-- ServerError               the server answered with an error
        `-- ConnectionError (builtins.ConnectionError)  nobody answers, or the answer broke off
            `-- TimeoutError (builtins.TimeoutError)    nobody answers in time

Imports nothing of ours; anybody may import it.
"""

from __future__ import annotations

import builtins


class KveikError(Exception):
    """The root of everything Kveik raises on purpose."""


class OpenError(KveikError):
    """A directory could not be opened as a database."""


class NotKveikError(OpenError):
    """The directory holds no Kveik database."""


class NewerFormatError(OpenError):
    """The directory was written by a newer Kveik."""


class LockedError(OpenError):
    """Another opener holds the directory."""


class CorruptionError(KveikError):
    """Bytes on disk are not what was written."""

    def __init__(self, file: str, offset: int, what: str) -> None:
        super().__init__(f"{file}: offset {offset}: {what}")
        self.file = file
        self.offset = offset
        self.what = what


class UseError(KveikError):
    """The caller's fault."""


class ClosedError(UseError):
    """The database has been closed."""


class ReadOnlyError(UseError):
    """A write to a database that was opened read-only."""


class Conflict(UseError):
    """What an optimistic transaction had read has been changed meanwhile; nothing was written."""


class LimitError(UseError, ValueError):
    """A key, a value or a batch is past its bound (see limits.py)."""


class UnsafeError(UseError, ValueError):
    """A pickle may hold more than plain data; nothing of it was run."""


class StorageError(KveikError):
    """The disk's fault."""


class DiskFullError(StorageError):
    """There is no room; the write was refused before it was applied."""


class FailStopError(StorageError):
    """A write or a sync failed; the database takes no more writes until it is reopened."""


class ProtocolError(KveikError):
    """A peer's bytes do not follow its protocol."""


class CommandError(KveikError):
    """A request that was understood and refused; the text starts with its code, as in Redis."""


class ClientError(KveikError):
    """Raised by the clients."""


class ServerError(ClientError):
    """The server answered with an error; the text is the server's, code its word for it, or ""."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class ConnectionError(ClientError, builtins.ConnectionError):
    """Nobody answers, or the answer broke off."""


class TimeoutError(ConnectionError, builtins.TimeoutError):
    """Nobody answers in time."""
