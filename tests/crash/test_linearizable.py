"""Concurrent clients on a few keys of a real server that is killed with -9: all is linearizable.

KVEIK_SEED repeats a run's choices, though not the moments at which things happen.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from pathlib import Path

import pytest
from tests.support.linear import UNKNOWN, Draw, Operation, check
from tests.support.server import Server, StartServer
from tests.support.steer import slow_disk
from tests.support.wire import Resp, frame

ROUNDS = 10
CLIENTS = 5
KEYS = ["a", "b", "c"]
NAMES = ["GET", "SET", "DEL", "INCR", "KV.CAS", "EXEC"]
MOST = 250  # operations of a client in a round


class Clients:
    """Whoever asks, in threads of their own, and what they heard. `clock` gives moments."""

    def __init__(self, choice: random.Random) -> None:
        self._choice = choice
        self._count = 0
        self.clock = itertools.count(1)
        self.history: list[Operation] = []
        self.names: list[str] = []

    def learn(self, server: Server) -> None:
        """Which operations the server knows."""
        with server.resp() as connection:
            infos = connection.call("COMMAND", "INFO", *NAMES)
        self.names = [name for name, info in zip(NAMES, infos, strict=True) if info is not None]

    def work(self, server: Server, after: float) -> None:
        """Ask until the server is killed."""
        threads = []
        for number in range(CLIENTS):
            self._count += 1
            draw = Draw(random.Random(self._choice.random()), KEYS, self.names, self._count)
            threads.append(threading.Thread(target=self._ask, args=(server, number, draw)))
        for thread in threads:
            thread.start()
        time.sleep(after)  # the random moment
        server.kill9()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        end = next(self.clock)
        for operation in self.history:
            if operation.answer is UNKNOWN:
                operation.end = end

    def _ask(self, server: Server, number: int, draw: Draw) -> None:
        try:
            with server.resp() as connection:
                for _ in range(MOST):
                    operation = Operation(number, draw.next(), next(self.clock))
                    self.history.append(operation)
                    answer = self._answer(connection, operation)
                    operation.end = next(self.clock)
                    operation.answer = answer
                    draw.heard(answer)
        except OSError:
            return

    def _answer(self, connection: Resp, operation: Operation) -> object:
        if operation.words[0] != "EXEC":
            return connection.call(*operation.words)
        commands = operation.commands()
        connection.send(
            b"".join([frame("MULTI"), *[frame(*words) for words in commands], frame("EXEC")])
        )
        return [connection.reply() for _ in range(len(commands) + 2)][-1]

    def read(self, server: Server) -> dict[str, bytes]:
        """What is there; it is part of the history."""
        found: dict[str, bytes] = {}
        with server.resp() as connection:
            for key in KEYS:
                begin = next(self.clock)
                value = connection.call("GET", key)
                self.history.append(Operation(-1, ("GET", key), begin, next(self.clock), value))
                if value is not None:
                    found[key] = value
        return found


@pytest.mark.slow
@pytest.mark.parametrize("slow", [False, True], ids=["a fast disk", "a slow disk"])
def test_what_clients_see_is_linearizable_through_kill_9(
    start_server: StartServer, tmp_path: Path, slow: bool
) -> None:
    seed = int(os.environ.get("KVEIK_SEED") or random.randrange(1 << 32))
    print(f"KVEIK_SEED={seed}")
    choice = random.Random(seed)
    options = ("--memory", "8MB")
    server = slow_disk(start_server, tmp_path, *options) if slow else start_server(*options)
    clients = Clients(choice)
    clients.learn(server)
    assert {"GET", "SET", "DEL", "KV.CAS"} <= set(clients.names)
    before: dict[str, bytes] = {}
    heard = 0
    for _ in range(ROUNDS):
        clients.history = []
        clients.work(server, choice.uniform(0.03, 0.4))
        server.start()
        after = clients.read(server)
        stuck = check(clients.history, before)
        assert stuck == [], "\n".join(map(repr, stuck))
        heard += len([each for each in clients.history if each.answer is not UNKNOWN])
        before = after
    print(f"{heard} operations were answered, of {', '.join(clients.names)}")
    assert heard > 20 * ROUNDS
