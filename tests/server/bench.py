"""Sessions between transports that only note what is done to them and a disk in memory."""

from __future__ import annotations

from collections.abc import Callable

from kveik.command.configuration import settle
from kveik.command.state import Server
from kveik.disk.memory import MemoryDisk
from kveik.engine.opening import open_store
from kveik.engine.store import Store
from kveik.server.gate import Flight, Gate
from kveik.server.host import Host, Parked
from kveik.server.session import Session


class Handle:
    def __init__(self, callback: Callable[..., None], args: tuple[object, ...]) -> None:
        self.callback = callback
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Keeps what is to be called soon until `turn`."""

    def __init__(self) -> None:
        self._soon: list[Handle] = []

    def call_soon(self, callback: Callable[..., None], /, *args: object) -> object:
        handle = Handle(callback, args)
        self._soon.append(handle)
        return handle

    def call_later(self, seconds: float, callback: Callable[[], None], /) -> object:
        """Naps end with the turn; what is as long as a second never ends by itself."""
        return self.call_soon(callback) if seconds < 1 else Handle(callback, ())

    def once(self) -> None:
        """What was called for before, not what that calls for."""
        soon, self._soon = self._soon, []
        for handle in soon:
            if not handle.cancelled:
                handle.callback(*handle.args)

    def turn(self) -> None:
        while self._soon:
            self.once()


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
        self.server = server = Server(self.store, {}, 0.0, lambda: None)
        server.connections = 1
        settle(server)
        server.feeds.beside = self._beside
        gate = Gate(server, self.loop, "always", self._perform)
        self._host = Host(server, gate)
        self._count = 0
        self.loads: list[tuple[Parked, Callable[[Parked], None]]] = []  # that commands wait for
        self.session, self.transport = self.connect(protocol)

    def connect(self, protocol: str = "redis") -> tuple[Session, Transport]:
        self._count += 1
        number = self._count
        session = Session(self._host, self.loop, number, protocol, lambda session: None, self._load)
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

    def _beside(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        """Done on another thread, as it were, and told on the loop."""
        work()
        self.loop.call_soon(done)

    def _perform(self, flight: Flight, done: Callable[[Flight], None]) -> None:
        raise AssertionError("one lone connection syncs on the loop")
