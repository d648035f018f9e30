"""The server as a whole: sockets, store, host, sessions, from start to a graceful stop.

Called by the command line (`run`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from kveik.command.configuration import settle
from kveik.command.sessions import look_after
from kveik.command.state import Server
from kveik.disk.posix import PosixDisk
from kveik.engine.lanes import ProcessLane
from kveik.engine.opening import open_store
from kveik.engine.replay import Progress
from kveik.engine.store import Store
from kveik.engine.upkeep import Upkeep
from kveik.errors import StorageError
from kveik.limits import FEED_HISTORY, STOP_GRACE, SYNC_INTERVAL
from kveik.server import socketfile
from kveik.server.config import Address, Config
from kveik.server.copies import Places
from kveik.server.gate import Gate
from kveik.server.helpers import Keeper, Loader, Reader
from kveik.server.host import Host
from kveik.server.listener import bind, listen, most_connections
from kveik.server.session import Session
from kveik.server.syncer import Syncer
from kveik.version import VERSION, event_loop, flavour

log = logging.getLogger("kveik")

Ready = Callable[[list[str]], None]  # called with the addresses once they are served


def run(config: Config, ready: Ready, progress: Progress | None = None) -> None:
    """Serve until SIGTERM, SIGINT or SHUTDOWN; OpenError and its kin if it cannot start."""
    sockets: list[tuple[Address, socket.socket]] = []
    files: list[tuple[str, os.stat_result]] = []
    try:
        for address in config.listen:
            for bound in bind(address):
                sockets.append((address, bound))
                if address.path:
                    files.append((address.path, os.lstat(address.path)))
        with (
            _open(config, progress) as store,
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            runner.run(serve(config, store, sockets, ready))
    finally:
        for path, made in files:
            socketfile.remove(path, made)
        for _, bound in sockets:
            bound.close()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if event_loop() == "uvloop":
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
        return factory
    return asyncio.new_event_loop


@contextlib.contextmanager
def _open(config: Config, progress: Progress | None) -> Iterator[Store]:
    with ThreadPoolExecutor(1, thread_name_prefix="kveik-ahead") as ahead:
        disk = PosixDisk(config.data_dir)
        store = open_store(
            disk,
            memory=config.memory,
            compression=config.compression,
            spawn=ahead.submit,
            progress=progress,
        )
        try:
            yield store
        finally:
            store.close()
        if store.failure:
            raise StorageError(store.failure)


async def serve(
    config: Config, store: Store, sockets: list[tuple[Address, socket.socket]], ready: Ready
) -> None:
    await App(config, store).serve(sockets, ready)


class App:
    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._stopping = asyncio.Event()
        self._sessions: set[Session] = set()
        self._count = 0
        self._server = Server(store, _configuration(config), time.time(), self._stopping.set)
        self._server.connection_limit = most_connections()
        self._server.most_connections = self._server.connection_limit
        self._server.password = config.password.encode("utf-8", "surrogateescape")
        settle(self._server)
        self._host: Host | None = None

    async def serve(self, sockets: list[tuple[Address, socket.socket]], ready: Ready) -> None:
        loop = asyncio.get_running_loop()
        store = self._store
        store.keep_rows()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        syncer = Syncer(loop)
        keeper = Keeper(loop, Upkeep(store, ProcessLane(store.disk), ProcessLane(store.disk)))
        gate = Gate(self._server, loop, self._config.durability, syncer.perform, keeper.keep_up)
        self._loader = Loader(loop)
        self._host = Host(self._server, gate)
        reader = Reader(loop)
        self._server.feeds.beside = reader.run
        if store.log is not None:
            store.log.history = FEED_HISTORY
        listeners = []
        for address, bound in sockets:
            make = self._session_factory(loop, address.protocol)
            listeners.append(await listen(bound, make))
        self._server.upkeep = keeper.upkeep
        self._server.keep_up = lambda: _keep_up(gate, keeper)
        self._server.beside = keeper.beside
        self._server.place = Places(self._config).new
        self._describe(_port(sockets))
        upkeep = asyncio.create_task(self._upkeep(gate, keeper))
        ready([_shown(address, bound) for address, bound in sockets])
        await self._stopping.wait()
        log.info("stopping")
        for listener in listeners:
            listener.close()
        await self._drain()
        upkeep.cancel()
        while gate.busy:  # whether the last sync failed must be known before the store is closed
            await asyncio.sleep(0.001)
        await keeper.end()
        self._loader.stop()
        reader.stop()
        syncer.stop()

    def _session_factory(
        self, loop: asyncio.AbstractEventLoop, protocol: str
    ) -> Callable[[], object]:
        host = self._host
        load = self._loader.load
        assert host is not None

        def make() -> object:
            self._count += 1
            session = Session(host, loop, self._count, protocol, self._forget, load)
            self._sessions.add(session)
            self._server.connections += 1
            self._server.connections_ever += 1
            return session

        return make

    def _forget(self, session: Session) -> None:
        self._sessions.discard(session)
        self._server.connections -= 1

    async def _upkeep(self, gate: Gate, keeper: Keeper) -> None:
        """Once a second: the sync of durability "interval", what INFO shows, and work left over."""
        while True:
            before = self._server.now
            _measure(self._server)
            look_after(self._server, max(self._server.now - before, SYNC_INTERVAL / 10))
            if self._host is not None:
                self._host.buffers.tick()
            keeper.tick()
            if self._config.durability == "interval":
                gate.sync_now()
            await asyncio.sleep(SYNC_INTERVAL)

    async def _drain(self) -> None:
        """Let what was begun be answered, for at most STOP_GRACE seconds."""
        for session in list(self._sessions):
            session.stop()
        deadline = time.monotonic() + STOP_GRACE
        while self._sessions and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for session in list(self._sessions):
            session.abort()

    def _describe(self, port: int) -> None:
        self._server.configuration["port"] = str(port)
        self._server.configuration["maxclients"] = str(self._server.most_connections)
        self._server.facts.update(
            kveik_version=VERSION,
            kveik_flavour=flavour(),
            os=f"{platform.system()} {platform.release()} {platform.machine()}",
            arch_bits="64" if sys.maxsize > 1 << 32 else "32",
            multiplexing_api=event_loop(),
            process_id=str(os.getpid()),
            tcp_port=str(port),
        )


def _keep_up(gate: Gate, keeper: Keeper) -> None:
    gate.commit_soon()  # the end of a segment must be written before it can become a table
    keeper.keep_up()


def _port(sockets: list[tuple[Address, socket.socket]]) -> int:
    """The first port that is listened on; 0 if there are only socket files."""
    ports = [bound.getsockname()[1] for address, bound in sockets if not address.path]
    return ports[0] if ports else 0


def _shown(address: Address, bound: socket.socket) -> str:
    """An address with the port that was chosen."""
    if address.path:
        return str(address)
    return str(Address(address.protocol, *bound.getsockname()[:2]))


def _measure(server: Server) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    server.cpu_user = usage.ru_utime
    server.cpu_system = usage.ru_stime
    server.peak_memory = usage.ru_maxrss * 1024
    server.used_memory = _resident() or server.peak_memory
    server.now = time.time()


def _resident() -> int:
    """Bytes of memory in use now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _configuration(config: Config) -> dict[str, str]:
    """What CONFIG GET shows: the names that Redis' tools ask for, told as Kveik has them."""
    fsync = {"always": "always", "interval": "everysec", "none": "no"}[config.durability]
    address = config.listen[0]
    return {
        "appendfsync": fsync,
        "appendonly": "yes",
        "bind": address.host,
        "databases": "16",
        "dir": os.path.abspath(config.data_dir),
        "maxmemory": "0",
        "maxmemory-policy": "noeviction",
        "port": str(address.port),
        "proto-max-bulk-len": "536870912",
        "save": "",
        "unixsocket": next((one.path for one in config.listen if one.path), ""),
        "kveik-durability": config.durability,
        "kveik-memory": str(config.memory),
    }
