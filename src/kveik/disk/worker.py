"""A worker process at the end of two pipes, line by line, seen from both sides.

Job: `Worker` starts one, asks it and ends it; `Desk` is where the worker itself finds its orders.
Invariants: one line asked is one line answered. The worker ends, whatever it is doing, when the
pipe to it closes or its parent is gone: nobody waits for it any more then, and what it left half
made has names that nobody takes over. Who may call: the engine's lanes, and the worker they start.
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
from typing import Final

from kveik.disk.process import be_nice, parent_alive

START_PATIENCE: Final = 30.0  # seconds until a worker that says nothing is given up
LOOK_ROUND: Final = 1.0  # seconds between two looks whether the parent is still there
STDIN: Final = 0
STDOUT: Final = 1
READ: Final = 1 << 16  # bytes at a time
END: Final = b""  # in the place of a line: the other side is gone

# As multiprocessing does it: what can be imported here can be imported there, and nothing else.
_START: Final = (
    "import json,sys;sys.path[:]=json.loads(sys.argv[3]);"
    "from importlib import import_module as m;m(sys.argv[1]).main(sys.argv[2])"
)


class _Lines:
    """Reads lines from a descriptor. Only the last line of what has come is ever incomplete."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pieces: list[bytes] = []

    def read(self, seconds: float | None = None) -> bytes | None:
        """What has come up to a line's end, or END; None if nothing has within the seconds."""
        if seconds is not None:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            if not poll.poll(seconds * 1000):
                return None
        data = os.read(self._descriptor, READ)
        if not data:
            return END
        self._pieces.append(data)
        if not data.endswith(b"\n"):
            return None
        line = b"".join(self._pieces)
        self._pieces.clear()
        return line


class Worker:
    """A Python process that runs main(argument) of a module.

    OSError if it cannot be started, or does not say `greeting` as its first line.
    """

    def __init__(self, module: str, argument: str, greeting: bytes) -> None:
        if not sys.executable:
            raise OSError("nobody knows which program runs Python here")
        command = [sys.executable, "-P", "-c", _START, module, argument, json.dumps(sys.path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self._orders = self._process.stdin
        self._answers = self._process.stdout
        self._lines = _Lines(self._answers.fileno())
        line = self._lines.read(START_PATIENCE)
        if line != greeting:
            self.kill()
            self.close()
            raise OSError(f"a worker process said {line!r} and not {greeting!r}")

    def ask(self, line: bytes) -> bytes:
        """The answer to a line; END if the worker has ended instead."""
        try:
            self._orders.write(line)
            self._orders.flush()
        except OSError:
            return END
        answer = self._lines.read()
        while answer is None:
            answer = self._lines.read()
        return answer

    def kill(self) -> int:
        """End it at once; its exit status. A thread that waits in `ask` gets END."""
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """Let go of the pipes of a worker that has been killed; not while a thread is in `ask`."""
        for pipe in (self._orders, self._answers):
            try:
                pipe.close()
            except OSError:
                pass  # an order that was never read


class Desk:
    """The worker's side: `next` waits for an order, `answer` answers it.

    It belongs to the process: standard output is the pipe, and what is printed goes
    nowhere. Ctrl-C is the parent's affair.
    """

    def __init__(self, greeting: bytes) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        be_nice()
        self._answers = os.dup(STDOUT)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, STDOUT)
        os.close(nowhere)
        self._parent = os.getppid()
        self._orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.answer(greeting)
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self) -> bytes:
        return self._orders.get()

    def answer(self, line: bytes) -> None:
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._answers, view) :]
        except BrokenPipeError:
            os._exit(0)  # the parent is gone

    def _listen(self) -> None:
        lines = _Lines(STDIN)
        while parent_alive(self._parent):
            line = lines.read(LOOK_ROUND)
            if line == END:
                break
            if line is not None:
                self._orders.put(line)
        os._exit(0)  # also out of the middle of an order
