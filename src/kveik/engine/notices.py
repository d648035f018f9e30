"""What a transaction tells of the keys it meets, for whoever listens: the server's notifications.

The host keeps one, reads it once a command is done, and switches it on and off. Invariant: where
nobody listens nothing gathers.
"""

from __future__ import annotations

from kveik.native import i64


class Event:
    """Something that happened to a key, as Redis names it ("set", "del", "expire")."""

    __slots__ = ("database", "key", "name")

    def __init__(self, database: i64, name: bytes, key: bytes) -> None:
        self.database = database
        self.name = name
        self.key = key


class Notices:
    """on: somebody listens; expired_on: also to the end of values that have expired."""

    def __init__(self) -> None:
        self.on = False
        self.expired_on = False
        self.events: list[Event] = []  # in their order
        self.expired: dict[bytes, None] = {}  # stored keys that were met and have expired

    def forget(self) -> None:
        """The command runs again, or is done."""
        self.events = []
        self.expired = {}
