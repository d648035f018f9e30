"""`kveik` as a program: called once, or at a terminal of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import NamedTuple

from tests.support.tools import PATIENCE, environment

KVEIK = (sys.executable, "-m", "kveik")


class Said(NamedTuple):
    code: int
    out: str
    err: str


def call(*words: str | Path, stdin: bytes = b"", **environ: str) -> Said:
    """What `kveik` says to these words."""
    done = subprocess.run(
        [*KVEIK, *map(str, words)],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env=environment(**environ),
    )
    said = Said(
        done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode()
    )
    assert "Traceback" not in said.err, said.err
    return said


def good(*words: str | Path, stdin: bytes = b"", **environ: str) -> str:
    """What it prints where all goes well."""
    said = call(*words, stdin=stdin, **environ)
    assert said.code == 0, said
    return said.out


class Terminal:
    """A program at a terminal: `type` into it, and `expect` what it shows."""

    def __init__(self, *words: str | Path, **environ: str) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 200))
        self.process = subprocess.Popen(
            [*KVEIK, *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=environment(TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1", **environ),
        )
        os.close(slave)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def expect(self, text: str) -> str:
        """Wait until it shows a text; what it has shown up to its end, which is then forgotten."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown:
            left = deadline - time.monotonic()
            ready = select.select([self._master], [], [], max(left, 0))[0]
            assert ready, f"{text!r} is not in {self.shown!r}"
            self.shown += os.read(self._master, 1 << 16).decode("utf-8", "replace")
        end = self.shown.index(text) + len(text)
        before, self.shown = self.shown[:end], self.shown[end:]
        return before

    def wait(self) -> int:
        """Its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self._master], [], [], 0.02)[0]:
                with contextlib.suppress(OSError):  # closed on the other side
                    os.read(self._master, 1 << 16)
        return self.process.wait(1)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._master)
