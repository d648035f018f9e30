"""A real server, killed with -9 under load again and again: nothing acknowledged is ever lost.

Several writers, each with keys of its own, send operations a few at a time and note what was
acknowledged. After the kill the keys must be as some number of the operations leaves them, in
order: all that were acknowledged or that a reader has seen, and none, some or all of those in
flight, each as a whole. KVEIK_SEED repeats a run's choices.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.support.server import KVEIK, WITHOUT_UVLOOP, Server, StartServer
from tests.support.steer import slow_disk
from tests.support.wire import JsonLines, Resp, frame

ROUNDS = 20
KEYS = 40  # of a writer
WRITERS = 3  # of each protocol
AT_ONCE = 6  # operations sent together, at most
READING = 5  # values that a reader asks for together

# What an operation does to its keys: the new value of each, None for a deleted one.
Change = dict[str, str | None]


class Writer:
    """One writer's keys, what they held before this round, and what it did in it."""

    def __init__(self, name: str, choice: random.Random) -> None:
        self.name = name
        self.choice = choice
        self.keys = [f"{name}:{number:02}" for number in range(KEYS)]
        self.base: dict[str, str] = {}
        self.sent: list[Change] = []
        self.acknowledged = 0
        self.refused: object = None
        self._count = 0  # of all operations ever; each writes values that were never there

    def draw(self) -> Change:
        """The next operation."""
        self._count += 1
        kind = self.choice.random()
        if kind < 0.4:
            return {self.choice.choice(self.keys): f"{self._count}"}
        if kind < 0.7:
            some = self.choice.sample(self.keys, self.choice.randint(2, KEYS // 2))
            return dict.fromkeys(some, f"{self._count}:" + "x" * self.choice.randint(0, 200))
        return {self.choice.choice(self.keys): None}

    def write(self, server: Server) -> None:
        """Send operations until the server is gone."""
        try:
            with self.connect(server) as connection:
                while True:
                    some = [self.draw() for _ in range(self.choice.randint(1, AT_ONCE))]
                    self.sent += some
                    connection.send(b"".join(map(self.encode, some)))
                    for _ in some:
                        self.refused = self.refusal(connection)
                        if self.refused is not None:
                            return
                        self.acknowledged += 1
        except OSError:
            return

    def connect(self, server: Server) -> Resp | JsonLines:
        raise NotImplementedError

    def encode(self, change: Change) -> bytes:
        raise NotImplementedError

    def refusal(self, connection: Resp | JsonLines) -> object:
        """The next reply; None if it acknowledges the operation."""
        raise NotImplementedError

    def after(self, count: int) -> dict[str, str]:
        """What the keys hold after so many of this round's operations."""
        state = dict(self.base)
        for change in self.sent[:count]:
            for key, value in change.items():
                if value is None:
                    state.pop(key, None)
                else:
                    state[key] = value
        return state

    def first_times(self) -> dict[tuple[str, str | None], int]:
        """The fewest operations of this round after which a key holds a value."""
        first: dict[tuple[str, str | None], int] = dict.fromkeys(self.base.items(), 0)
        for count, change in enumerate(self.sent, 1):
            for item in change.items():
                first.setdefault(item, count)
        return first

    def settle(self, found: dict[str, str], seen: int) -> None:
        """Compare with what the server has after its restart, and go on from there."""
        assert self.refused is None, self.refused
        least = max(self.acknowledged, seen)
        possible = range(least, len(self.sent) + 1)
        assert any(self.after(count) == found for count in possible), (
            f"{self.name}: {self.acknowledged} acknowledged, {seen} seen, {len(self.sent)} sent; "
            f"differs from all acknowledged in {found.items() ^ self.after(least).items()}"
        )
        self.base = found
        self.sent = []
        self.acknowledged = 0


class RedisWriter(Writer):
    """Single SETs, MSET batches, DELs."""

    def connect(self, server: Server) -> Resp:
        return server.resp()

    def encode(self, change: Change) -> bytes:
        flat = [word for key, value in change.items() for word in (key, value)]
        if None in flat:
            return frame("DEL", *change)
        return frame("SET" if len(change) == 1 else "MSET", *map(str, flat))

    def refusal(self, connection: Resp | JsonLines) -> object:
        reply = connection.reply()
        return None if reply in ("OK", 0, 1) else reply


class JsonWriter(Writer):
    """put, batch_put, delete."""

    def connect(self, server: Server) -> JsonLines:
        return server.json()

    def encode(self, change: Change) -> bytes:
        keys, values = list(change), list(change.values())
        request: dict[str, object] = {"command": "batch_put", "keys": keys, "values": values}
        if None in values:
            request = {"command": "delete", "key": keys[0]}
        elif len(keys) == 1:
            request = {"command": "put", "key": keys[0], "value": values[0]}
        return json.dumps(request).encode() + b"\n"

    def refusal(self, connection: Resp | JsonLines) -> object:
        reply = connection.reply()
        return None if reply["status"] == "ok" else reply


class Reader:
    """Reads the writers' keys all the while: what it has seen must not be taken back either."""

    def __init__(self, writers: list[Writer], choice: random.Random) -> None:
        self._writers = writers
        self._choice = choice
        self._seen: list[tuple[Writer, str, str]] = []

    def read(self, server: Server) -> None:
        try:
            with server.resp() as connection:
                while True:
                    writer = self._choice.choice(self._writers)
                    keys = self._choice.sample(writer.keys, READING)
                    for key, value in zip(keys, connection.call("MGET", *keys), strict=True):
                        if value is not None:
                            self._seen.append((writer, key, value.decode()))
        except OSError:
            return

    def settle(self) -> dict[str, int]:
        """How many of each writer's operations have been seen to be done."""
        seen: dict[str, int] = {}
        for writer in self._writers:
            first = writer.first_times()
            mine = {(key, value) for who, key, value in self._seen if who is writer}
            seen[writer.name] = max((first[item] for item in mine), default=0)
        self._seen = []
        return seen


def contents(server: Server, writer: Writer) -> dict[str, str]:
    """All that the server holds of a writer."""
    with server.resp() as connection:
        flat = connection.call("KV.RANGE", f"[{writer.name}:", f"({writer.name};")
    words = [word.decode() for word in flat]
    return dict(zip(words[0::2], words[1::2], strict=True))


def work_until_killed(
    server: Server, tasks: Sequence[Callable[[Server], None]], after: float
) -> None:
    threads = [threading.Thread(target=task, args=(server,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    time.sleep(after)  # the random moment
    server.kill9()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["default loop", "asyncio", "a slow disk"])
def test_kill_9_at_random_moments_loses_nothing_that_was_acknowledged_or_seen(
    start_server: StartServer, tmp_path: Path, setting: str
) -> None:
    seed = int(os.environ.get("KVEIK_SEED") or random.randrange(1 << 32))
    print(f"KVEIK_SEED={seed}")
    choice = random.Random(seed)
    options = ("--memory", "8MB")  # small segments, often a new one
    if setting == "a slow disk":
        server = slow_disk(start_server, tmp_path, *options)
    else:
        program = WITHOUT_UVLOOP if setting == "asyncio" else KVEIK
        server = start_server(*options, program=program)
    kinds = [RedisWriter, JsonWriter] * WRITERS
    writers = [
        kind(f"w{number}", random.Random(choice.random())) for number, kind in enumerate(kinds)
    ]
    reader = Reader(writers, random.Random(choice.random()))
    total = 0
    for _ in range(ROUNDS // 4 if setting == "asyncio" else ROUNDS):
        tasks = [*(writer.write for writer in writers), reader.read]
        work_until_killed(server, tasks, choice.uniform(0.02, 0.8))
        total += sum(writer.acknowledged for writer in writers)
        server.start()
        seen = reader.settle()
        for writer in writers:
            writer.settle(contents(server, writer), seen[writer.name])
    print(f"{total} operations were acknowledged")
    assert total > 1000
