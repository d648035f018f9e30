"""What commands know of a connection and of the server. Plain state: no sockets, no asyncio.

The session keeps one Client each, the host one Server; both layers change them.
"""

from __future__ import annotations

from kveik.engine.store import Store
from kveik.limits import MAX_CONNECTIONS
from kveik.native import i64


class Client:
    """One connection. protocol: RESP's version; closing: the reply being made is the last."""

    def __init__(self, number: i64, address: str) -> None:
        self.number = number
        self.address = address
        self.database: i64 = 0
        self.protocol: i64 = 2
        self.name = b""
        self.library = b""
        self.library_version = b""
        self.closing = False

    def reset(self) -> None:
        """As if newly connected."""
        self.database = 0
        self.protocol = 2
        self.name = b""


class Server:
    """The whole server. started: Unix seconds; configuration: what CONFIG GET shows."""

    def __init__(self, store: Store, configuration: dict[str, str], started: float) -> None:
        self.store = store
        self.configuration = configuration
        self.started = started
        self.facts: dict[str, str] = {}  # of this installation: loop, flavour, pid, port
        self.most_connections: i64 = MAX_CONNECTIONS
        self.connections: i64 = 0  # now open
        self.connections_ever: i64 = 0
        self.commands: i64 = 0
        self.stopping = False
        self.used_memory = 0  # bytes resident; the app refreshes it
        self.peak_memory = 0
        self.cpu_user = 0.0
        self.cpu_system = 0.0
        self.now = started
