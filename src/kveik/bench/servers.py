"""The servers under test: started in their own temp directory, always stopped and removed.

A server may also be killed and started again on the same directory, as `durability` does.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kveik.bench.processes import kill, session_of, stat_of

HOST = "127.0.0.1"
START_LIMIT_S = 30.0
STOP_LIMIT_S = 15.0
LOG_TAIL_LINES = 25
TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")

Argv = Callable[[int, Path], list[str]]


class BenchError(Exception):
    """The run cannot go on; the message is for the user."""


@dataclass(frozen=True)
class Pair:
    """Two servers that make the same promise about the disk, or Redis none (unsynced)."""

    name: str
    kveik: Argv
    redis: Argv
    disk: dict[str, str] = field(default_factory=dict)  # environment that makes the disk slower


def make_pairs(python: str, disk: dict[str, str]) -> list[Pair]:
    return [
        Pair("durable", kveik_argv("always", python), redis_argv("always"), disk),
        Pair("logged", kveik_argv("none", python), redis_argv("none")),
        Pair("unsynced", kveik_argv("none", python), _redis("no")),
    ]


def kveik_argv(durability: str, python: str = sys.executable) -> Argv:
    def argv(port: int, data: Path) -> list[str]:
        place = ["--host", HOST, "--port", str(port), "--data-dir", str(data)]
        return [python, "-P", "-m", "kveik", "serve", *place, "--durability", durability]

    return argv


def redis_argv(durability: str) -> Argv:
    """redis-server with the nearest promise to Kveik's."""
    synced = {"always": "always", "interval": "everysec", "none": "no"}
    return _redis("yes", "--appendfsync", synced[durability])


def _redis(appendonly: str, *more: str) -> Argv:
    def argv(port: int, data: Path) -> list[str]:
        place = ["--bind", HOST, "--port", str(port), "--dir", str(data)]
        return ["redis-server", *place, "--save", "", "--appendonly", appendonly, *more]

    return argv


class Server:
    """A started server process; leads a session of its own, so its helpers can be found."""

    def __init__(self, name: str, argv: Argv, home: Path, disk: dict[str, str]) -> None:
        self.data = home / "data"
        self.data.mkdir()
        self.name = name
        self.port = _free_port()
        self._argv = argv
        self._disk = disk
        self._log = home / "server.log"
        self._preload = disk.get("LD_PRELOAD", "").partition(":")[0]
        self.start()

    def start(self) -> None:
        """A process on the directory as it stands; the one before has ended."""
        # An own session also keeps the terminal's Ctrl-C from the server: it is stopped in order.
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv(self.port, self.data),
                env={**os.environ, **self._disk},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            self.check_alive()
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} does not answer PING\n{self._log_tail()}")
            time.sleep(0.05)
        self.check_alive()
        self._check_preload()

    def check_alive(self) -> None:
        code = self._process.poll()
        if code is not None:
            raise BenchError(f"{self.name} ended with status {code}\n{self._log_tail()}")

    def own_cpu_us(self) -> int:
        """CPU time of the server process, all its threads."""
        stat = stat_of(self._process.pid)
        if stat is None:
            self.check_alive()
            raise BenchError(f"{self.name}: cannot read its /proc/PID/stat")
        return stat.own * TICK_US

    def tree_cpu_us(self) -> int:
        """CPU time of the server process and every helper it started, ended ones too."""
        return sum(s.own + s.reaped for s in session_of(self._process.pid).values()) * TICK_US

    def stop(self) -> None:
        try:
            self._process.terminate()
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also when a second Ctrl-C cuts the wait short
            self.kill9()

    def kill9(self) -> None:
        """The process and what it has started, at once."""
        for pid in session_of(self._process.pid):
            kill(pid)
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                connection.sendall(b"*1\r\n$4\r\nPING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def _check_preload(self) -> None:
        """The dynamic linker only warns of what it cannot preload, and starts the program."""
        if self._preload not in Path(f"/proc/{self._process.pid}/maps").read_text():
            raise BenchError(f"{self.name} runs without {self._preload}\n{self._log_tail()}")

    def _log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"  {self.name}| {line}" for line in lines)


@contextmanager
def running(name: str, argv: Argv, disk: dict[str, str]) -> Iterator[Server]:
    prefix = f"kveik-bench-{name}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as home:
        server = Server(name, argv, Path(home), disk)
        try:
            server.wait_ready()
            yield server
        finally:
            server.stop()


def settle(servers: list[Server], limit_s: float = 5.0) -> bool:
    """Wait until no server does background work any more, so that none disturbs the next run."""
    deadline = time.monotonic() + limit_s
    before = [s.tree_cpu_us() for s in servers]
    while time.monotonic() < deadline:
        time.sleep(0.1)
        now = [s.tree_cpu_us() for s in servers]
        if all(b - a <= TICK_US for a, b in zip(before, now, strict=True)):
            return True
        before = now
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
