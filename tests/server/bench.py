"""Sessions between transports that only note what is done to them and a disk in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kveik.command.state import Server
from kveik.disk.memory import MemoryDisk
from kveik.engine.log import Group
from kveik.engine.opening import open_store
from kveik.engine.store import Store
from kveik.server.gate import Gate
from kveik.server.host import Host, Parked
from kveik.server.session import Session


class Loop:
    """Keeps what is to be called soon until `turn`."""

    def __init__(self) -> None:
        self._soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[..., None], /, *args: object) -> object:
        self._soon.append(partial(callback, *args))
        return callback

    def call_later(self, seconds: float, callback: Callable[..., None], /, *args: object) -> object:
        return self.call_soon(callback, *args)

    def turn(self) -> None:
        while self._soon:
            soon, self._soon = self._soon, []
            for callback in soon:
                callback()


class Transport:
    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.reading = True
        self.unsent = 0  # bytes that the peer has not taken

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_extra_info(self, name: str) -> object:
        return None


class Bench:
    """Sessions and what surrounds them. `session` is the first, `transport` its transport."""

    def __init__(self, store: Store | None = None, protocol: str = "redis") -> None:
        self.loop = Loop()
        self.store = store or open_store(MemoryDisk(), memory=8 << 20)
        server = Server(self.store, {}, 0.0, lambda: None)
        server.connections = 1
        gate = Gate(server, self.loop, "always", self._perform)
        self._host = Host(server, gate)
        self.loads: list[tuple[Parked, Callable[[Parked], None]]] = []  # that commands wait for
        self.session, self.transport = self.connect(protocol)

    def connect(self, protocol: str = "redis") -> tuple[Session, Transport]:
        session = Session(self._host, self.loop, 1, protocol, lambda session: None, self._load)
        transport = Transport()
        session.connection_made(transport)
        return session, transport

    def _load(self, parked: Parked, done: Callable[[Parked], None]) -> None:
        self.loads.append((parked, done))

    def load(self) -> None:
        """Load what a command waits for, the longest one first, and take note of it."""
        parked, done = self.loads.pop(0)
        parked.load()
        done(parked)
        self.loop.turn()

    def load_all(self) -> int:
        """Until nobody waits any more; how many loads that took."""
        count = 0
        while self.loads:
            self.load()
            count += 1
        return count

    def _perform(self, group: Group, done: object) -> None:
        raise AssertionError("one lone connection syncs on the loop")
