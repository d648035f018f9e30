"""Sessions on a disk that crashes: what clients see is linearizable, and a broken gate is caught.

All happens on one thread, in an order drawn from a seed: requests, turns of the loop, crashes that
lose what was not synced.
"""

from __future__ import annotations

from random import Random

import pytest
from tests.server.bench import Bench
from tests.support.linear import UNKNOWN, Draw, Operation, check
from tests.support.wire import Resp, frame

from kveik.command.registry import TABLE
from kveik.disk.memory import MemoryDisk
from kveik.engine.opening import open_store

KEYS = ["a", "b", "c"]
NAMES = [name for name in ("GET", "SET", "DEL", "INCR", "KV.CAS", "EXEC") if name.encode() in TABLE]
CLIENTS = 5
CRASHES = 4
STEPS = 120  # between two crashes
NEVER = 1 << 40


class Heard(Resp):
    """Reads replies from what a session has written."""

    def __init__(self, data: bytes) -> None:
        self._received = data

    def _more(self) -> bool:
        return False


class Town:
    """Clients, each with one request at a time, at a server that crashes."""

    def __init__(self, seed: int, early: bool) -> None:
        """early: the gate is broken, and lets replies go before what they show is synced."""
        self._random = Random(seed)
        self._early = early
        self._disk = MemoryDisk()
        self._draw = Draw(self._random, KEYS, NAMES, 0)
        self._moment = 0
        self.history: list[Operation] = []
        self._open()

    def _open(self) -> None:
        self._bench = Bench(open_store(self._disk, memory=8 << 20))
        if self._early:
            self._bench._host.gate.safe = NEVER
        self._clients = [self._bench.connect() for _ in range(CLIENTS)]
        self._asked: list[Operation | None] = [None] * CLIENTS

    def play(self) -> None:
        for _ in range(CRASHES):
            for _ in range(STEPS):
                self._step()
            self._crash()
        for key in KEYS:
            self._ask(0, ("GET", key))
            self._bench.loop.turn()
            self._hear()

    def _step(self) -> None:
        client = self._random.randrange(CLIENTS + 1)
        if client == CLIENTS or self._asked[client] is not None:
            self._bench.loop.turn()
            if self._early:
                self._bench._host.gate.safe = NEVER
        else:
            self._ask(client, self._draw.next())
        self._hear()

    def _ask(self, client: int, words: tuple[str, ...]) -> None:
        operation = Operation(client, words, self._now(), NEVER)
        self.history.append(operation)
        self._asked[client] = operation
        request = frame(*words)
        if words[0] == "EXEC":
            commands = operation.commands()
            request = b"".join(
                [frame("MULTI"), *[frame(*command) for command in commands], frame("EXEC")]
            )
        self._clients[client][0].data_received(request)

    def _hear(self) -> None:
        for client, (_, transport) in enumerate(self._clients):
            operation = self._asked[client]
            if operation is None or not transport.written:
                continue
            heard = Heard(transport.written)
            try:
                skipped = 0 if operation.words[0] != "EXEC" else 1 + len(operation.commands())
                answers = [heard.reply() for _ in range(skipped + 1)]
            except ConnectionError:
                continue  # a part of it
            transport.written = b""
            operation.answer = answers[-1]
            operation.end = self._now()
            self._draw.heard(operation.answer)
            self._asked[client] = None

    def _crash(self) -> None:
        self._disk = self._disk.crash(self._random.choice([None, self._moment]))
        for operation in self._asked:
            if operation is not None:
                operation.end = self._now()
        self._open()

    def _now(self) -> int:
        self._moment += 1
        return self._moment


@pytest.mark.parametrize("seed", range(12))
def test_what_clients_see_is_linearizable_whatever_crashes(seed: int) -> None:
    town = Town(seed, early=False)
    town.play()
    assert len([each for each in town.history if each.answer is not UNKNOWN]) > STEPS
    assert check(town.history, {}) == []


def test_a_gate_that_lets_replies_go_early_is_caught() -> None:
    caught = 0
    for seed in range(12):
        town = Town(seed, early=True)
        town.play()
        caught += bool(check(town.history, {}))
    assert caught >= 10
