"""A real server process, started as its users start it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.tools import PATIENCE, environment, until
from tests.support.wire import Framed, JsonLines, Resp, Text

KVEIK = (sys.executable, "-m", "kveik")
WITHOUT_UVLOOP = (sys.executable, str(Path(__file__).with_name("without_uvloop.py")))
STEERED = (sys.executable, str(Path(__file__).with_name("steered_disk.py")))

SHOWN = 5000  # characters of what a server told
_READY = re.compile(r"^ready on (\w+)://(\S+):(\d+)$", re.MULTILINE)


class Server:
    """One data directory and the process that serves it; `start` again after it has ended."""

    def __init__(
        self,
        data_dir: Path,
        logs: Path,
        options: Sequence[str] = (),
        program: Sequence[str] = KVEIK,
        environ: dict[str, str] | None = None,
    ) -> None:
        if "--listen" not in options:
            options = ("--port", "0", *options)
        self.data_dir = data_dir
        self.command = [*program, "serve", "--data-dir", str(data_dir), *options]
        self._environ = environ or environment()
        self._logs = logs
        self._process: subprocess.Popen[bytes] | None = None
        self.ports: list[int] = []

    # --- its life -------------------------------------------------------------------------------

    def start(self) -> Server:
        """Start it and wait until it serves."""
        logs = self._logs
        stdout = logs / "stdout"
        with stdout.open("wb") as out, (logs / "stderr").open("ab") as err:
            self._process = subprocess.Popen(
                self.command,
                cwd=logs,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        until(lambda: self._settled(stdout), "the server is ready")
        assert self._process.poll() is None, f"the server ended at once: {self.stderr()}"
        self.ports = [int(port) for _, _, port in _READY.findall(stdout.read_text())]
        return self

    def _settled(self, stdout: Path) -> bool:
        assert self._process is not None
        return "\nstop it " in stdout.read_text() or self._process.poll() is not None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was not started"
        return self._process

    @property
    def port(self) -> int:
        return self.ports[0]

    def kill9(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def restart(self) -> Server:
        """A new process on the same directory; the old one has ended or is killed."""
        self.kill9()
        return self.start()

    # --- what it says of itself -----------------------------------------------------------------

    def stderr(self) -> str:
        return (self._logs / "stderr").read_text()

    def resident(self) -> int:
        """Bytes of memory in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert match is not None
        return int(match[1]) * 1024

    # --- connections ----------------------------------------------------------------------------

    def resp(self) -> Resp:
        return Resp(self.port)

    def json(self) -> JsonLines:
        return JsonLines(self.port)

    def text(self) -> Text:
        return Text(self.port)

    def framed(self) -> Framed:
        return Framed(self.port)


class StartServer:
    """Called, it starts a server in a directory of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[Server] = []

    def __call__(
        self,
        *options: str,
        program: Sequence[str] = KVEIK,
        environ: dict[str, str] | None = None,
    ) -> Server:
        folder = self._folder / f"server{len(self._servers)}"
        folder.mkdir()
        server = Server(folder / "data", folder, options, program, environ)
        self._servers.append(server)
        return server.start()

    def end(self) -> None:
        """Kill what still runs; no server may have met an error of its own."""
        for server in self._servers:
            server.kill9()
        told = [server.stderr() for server in self._servers]
        for server, text in zip(self._servers, told, strict=True):
            print(f"{server.data_dir}: stderr:\n{text[-SHOWN:]}")
        for text in told:
            assert "Traceback" not in text, text[:SHOWN]
            assert "ERROR" not in text, text[:SHOWN]
