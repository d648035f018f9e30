"""The commands of the text protocol."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.command.desk import Desk

from kveik.command.checkpoints import Copy
from kveik.command.text import TextRequest
from kveik.disk.api import Disk
from kveik.disk.memory import MemoryDisk
from kveik.engine.lanes import ThreadLane
from kveik.engine.opening import open_store
from kveik.engine.upkeep import Upkeep
from kveik.errors import KveikError, OpenError


def ok(**members: object) -> dict[str, object]:
    return {"status": "OK", **members}


def error(message: str) -> dict[str, object]:
    return {"status": "ERROR", "message": message}


DIALOGUE: list[tuple[str, dict[str, object]]] = [
    ('SET mykey "hello world"', ok(message="Key 'mykey' set")),
    ("GET mykey", ok(value="hello world")),
    ("get mykey", ok(value="hello world")),
    ("GET nonexistent", error("Key 'nonexistent' not found")),
    ("DELETE mykey", ok()),
    ("DELETE mykey", error("Key 'mykey' not found")),
    ("PING", ok(message="PONG")),
    ("ping", ok(message="PONG")),
    ("FLY", error("Unknown command")),
    ("FLY me to the moon", error("Unknown command")),
    ('SET config:debug "true"', ok(message="Key 'config:debug' set")),
    ("GET config:debug", ok(value=True)),
    ('SET product:1 "{"name": "Laptop", "price": 999}"', ok(message="Key 'product:1' set")),
    ("GET product:1", ok(value={"name": "Laptop", "price": 999})),
    ("SET n null", ok(message="Key 'n' set")),
    ("GET n", ok(value=None)),
    ("SET e ''", ok(message="Key 'e' set")),
    ("GET e", ok(value="")),
    ("SET big 1e999", ok(message="Key 'big' set")),
    ("GET big", ok(value="1e999")),
    ('SET half "\\ud800"', ok(message="Key 'half' set")),
    ("GET half", ok(value="\\ud800")),
    ('SET half ["\\ud800"]', ok(message="Key 'half' set")),
    ("GET half", ok(value='["\\ud800"]')),
    ("SET", error("Usage: SET key value")),
    ("SET k", error("Usage: SET key value")),
    ("GET", error("Usage: GET key")),
    ("GET a b", error("Usage: GET key")),
    ("DELETE a b c", error("Usage: DELETE key")),
    ("PING PONG", error("Usage: PING")),
    ("SHUTDOWN now", error("Usage: SHUTDOWN")),
    ("SET " + "k" * 65_537 + " v", error("a key has 1 to 65536 bytes, not 65537")),
    ("AUTH x", error("no password is set on this server")),
]


def test_a_dialogue(desk: Desk) -> None:
    for line, answer in DIALOGUE:
        assert desk.line(line) == answer, line


def test_what_a_write_and_a_read_show(desk: Desk) -> None:
    desk.line("SET k v")
    assert desk.need == 1
    desk.line("GET k")
    assert desk.need == 1
    desk.line("GET other")
    assert desk.need == 0


def test_shutdown_is_for_this_machine(desk: Desk) -> None:
    assert desk.line("SHUTDOWN")["status"] == "ERROR"
    assert not desk.stopped
    desk.client.loopback = True
    assert desk.line("SHUTDOWN") == ok(message="Server shutting down")
    assert desk.stopped
    assert desk.client.closing


def test_nothing_but_auth_and_ping_before_the_password(desk: Desk) -> None:
    desk.server.password = "caf\u00e9".encode()
    desk.client.authenticated = False
    desk.client.loopback = True
    for line in ("GET k", "SET k v", "SHUTDOWN", "FLUSH", "SNAPSHOT"):
        assert desk.line(line) == error("authentication required: AUTH password")
    assert desk.line("PING") == ok(message="PONG")
    assert desk.line("AUTH wrong") == error("the password is wrong")
    assert desk.line("GET k") == error("authentication required: AUTH password")
    assert desk.line("AUTH caf\u00e9") == ok(message="Authenticated")
    assert desk.line("SET k v") == ok(message="Key 'k' set")
    desk.client.loopback = False
    assert desk.line("SHUTDOWN") == ok(message="Server shutting down")


# --- FLUSH and SNAPSHOT -------------------------------------------------------------------------


class Kept(Desk):
    """A desk whose upkeep is done whenever it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[MemoryDisk] = []
        disk = self.store.disk
        self._upkeep = Upkeep(self.store, ThreadLane(disk), ThreadLane(disk))
        self.server.keep_up = self.keep_up
        self.server.beside = self.beside
        self.server.place = self.place

    def keep_up(self) -> None:
        self.write()
        self.settle()
        while (work := self._upkeep.due()) is not None:
            work.perform()
            self._upkeep.finish(work)

    def beside(self, work: Callable[[], None]) -> None:
        work()

    def place(self) -> Disk:
        self.copies.append(MemoryDisk())
        return self.copies[-1]


def test_a_flush_puts_everything_in_tables(desk: Desk) -> None:
    kept = Kept()
    for number in range(100):
        kept.line(f"SET k{number} v")
    assert kept.store.flushed == 0
    answer = kept.line("FLUSH")
    assert answer == ok(message="Everything in memory is in tables on the disk")
    assert kept.store.flushed == kept.store.lsn() == 100
    assert kept.line("FLUSH") == answer
    assert kept.line("GET k7") == ok(value="v")


def test_a_snapshot_can_be_opened_and_does_not_change() -> None:
    kept = Kept()
    kept.line("SET k before")
    answer = kept.line("SNAPSHOT")
    assert isinstance(answer, dict)
    assert answer["status"] == "OK"
    (copy,) = kept.copies
    assert copy.path in str(answer["message"])
    kept.line("SET k after")
    opened = Desk()
    opened.store.close()
    opened.store = open_store(copy, memory=8 << 20)
    opened.txn = type(opened.txn)(opened.store)
    assert opened.line("GET k") == ok(value="before")
    kept.store.fold()
    assert not kept.store.released


def test_a_snapshot_that_cannot_be_made_is_told() -> None:
    kept = Kept()
    kept.line("SET k v")

    def nowhere() -> Disk:
        raise OpenError("no snapshot can be made in /nowhere: Read-only file system")

    kept.server.place = nowhere
    assert kept.line("SNAPSHOT") == error(
        "no snapshot can be made in /nowhere: Read-only file system"
    )
    kept.store.fold()
    assert kept.line("GET k") == ok(value="v")


def test_a_flush_that_cannot_be_is_told() -> None:
    kept = Kept()
    kept.line("SET k v")
    kept.server.keep_up = lambda: kept.store.stop(OSError(5, "Input/output error"))
    answer = kept.line("FLUSH")
    assert isinstance(answer, dict)
    assert "Input/output error" in str(answer["message"])
    for line in ("FLUSH", "SNAPSHOT", "SET k w"):
        assert kept.line(line)["status"] == "ERROR"


def test_a_snapshot_that_nobody_waits_for_lets_go_of_everything() -> None:
    kept = Kept()
    kept.line("SET k v")
    later: list[Callable[[], None]] = []
    kept.server.beside = later.append
    kept.txn.begin(0)
    job = TextRequest(kept.client, ["SNAPSHOT"], None).perform(kept.txn)
    for _ in range(3):
        assert job.step()  # type: ignore[attr-defined]
    job.end()  # type: ignore[attr-defined]
    later[0]()
    assert len(kept.store.released) == 1
    kept.store.fold()
    assert kept.line("GET k") == ok(value="v")


def test_a_server_without_threads_says_so(desk: Desk) -> None:
    copy = Copy(desk.store.tables_only(), desk.store.disk, desk.server.place)
    copy.make()
    assert isinstance(copy.error, KveikError)
    with pytest.raises(KveikError):
        desk.server.beside(copy.make)


def test_the_answers_are_json_of_one_line_each(desk: Desk) -> None:
    assert json.dumps(desk.line('SET "quo\'te" \n')) == json.dumps(error("Usage: SET key value"))
