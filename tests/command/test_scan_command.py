"""SCAN and RANDOMKEY, on memtables and tables, while others write."""

from __future__ import annotations

import random

import pytest
from tests.command.desk import Desk
from tests.engine.support.kept import Kept
from tests.engine.support.stores import answered, delete, put

from kveik.command import scan
from kveik.command.cursors import ROOM, Cursors
from kveik.command.state import Client, Server
from kveik.disk.memory import MemoryDisk
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_CURSOR_BYTES, MAX_CURSORS, MAX_SCAN_COUNT, SCAN_BYTES
from kveik.model import BYTES

NO_CURSOR = "ERR invalid cursor"


def pages(desk: Desk, options: str = "") -> list[list[bytes]]:
    """What each SCAN of a whole iteration gives."""
    found = []
    cursor = b"0"
    while True:
        reply = desk.run(f"SCAN {cursor.decode()} {options}")
        assert isinstance(reply, list)
        cursor, keys = reply
        found.append(keys)
        if cursor == b"0":
            return found


def scanned(desk: Desk, options: str = "") -> list[bytes]:
    return [key for page in pages(desk, options) for key in page]


def fill(desk: Desk, keys: list[bytes]) -> None:
    desk.run("MSET", *(word for key in keys for word in (key, b"v")))


def test_every_key_comes_once_some_at_a_time(desk: Desk) -> None:
    keys = [b"%03d" % number for number in range(25)]
    fill(desk, keys)
    assert [len(page) for page in pages(desk)] == [10, 10, 5]
    assert scanned(desk) == keys
    assert [len(page) for page in pages(desk, "COUNT 7")] == [7, 7, 7, 4]
    assert scanned(desk, "COUNT 1000000000") == keys


def test_nothing_is_scanned_to_its_end_at_once(desk: Desk) -> None:
    assert pages(desk) == [[]]
    desk.run("SET k v")
    assert pages(desk, "TYPE hash") == [[]]
    desk.run("SELECT 3")
    assert pages(desk) == [[]]


def test_a_pattern_picks_and_its_beginning_bounds_what_is_looked_at(desk: Desk) -> None:
    fill(desk, [b"a%02d" % number for number in range(50)] + [b"b", b"b1", b"c", b"\xff\xff1"])
    assert scanned(desk, "MATCH *1") == [
        b"a01",
        b"a11",
        b"a21",
        b"a31",
        b"a41",
        b"b1",
        b"\xff\xff1",
    ]
    assert pages(desk, "MATCH b*") == [[b"b", b"b1"]]
    assert pages(desk, "MATCH b") == [[b"b"]]
    assert pages(desk, "MATCH d?") == [[]]
    reply = desk.run("SCAN 0 MATCH", b"\xff*")
    assert reply == [b"0", [b"\xff\xff1"]]


def test_a_pattern_that_matches_nothing_still_returns_after_its_count(desk: Desk) -> None:
    fill(desk, [b"%03d" % number for number in range(100)])
    assert pages(desk, "MATCH *x COUNT 10") == [[]] * 11  # the last one finds that there is no more


def test_one_scan_looks_at_no_more_than_its_bound_whatever_is_asked_for(desk: Desk) -> None:
    fill(desk, [b"%06d" % number for number in range(MAX_SCAN_COUNT + 1)])
    assert [len(page) for page in pages(desk, "COUNT 1000000000")] == [MAX_SCAN_COUNT, 1]


def test_long_keys_are_looked_at_a_few_at_a_time(desk: Desk) -> None:
    keys = [b"%02d" % number + b"k" * 60_000 for number in range(20)]
    for key in keys:
        desk.run("SET", key, b"v")
    found = pages(desk, "COUNT 100")
    assert max(len(page) for page in found) == SCAN_BYTES // 60_000 + 1
    assert [key for page in found for key in page] == keys


def test_a_stretch_of_deleted_keys_is_passed_in_short_steps(desk: Desk) -> None:
    keys = [b"%05d" % number for number in range(20_000)]
    for at in range(0, len(keys), 1000):
        fill(desk, keys[at : at + 1000])
    desk.run("DEL", *keys[100:-1])
    found = pages(desk)
    assert [key for page in found for key in page] == [*keys[:100], keys[-1]]
    assert len(found) > 50  # no single one of them looked at all


def test_a_cursor_leads_to_the_same_place_each_time(desk: Desk) -> None:
    fill(desk, [b"%03d" % number for number in range(30)])
    first = desk.run("SCAN 0")
    assert isinstance(first, list)
    again = [desk.run(f"SCAN {first[0].decode()}") for _ in range(3)]
    assert [keys for _, keys in again] == [[b"%03d" % number for number in range(10, 20)]] * 3


def test_a_cursor_is_a_number_that_a_double_can_hold(desk: Desk) -> None:
    fill(desk, [b"%03d" % number for number in range(30)])
    cursor = desk.run("SCAN 0")[0]  # type: ignore[index]
    assert 0 < int(cursor) < 1 << 53


@pytest.mark.parametrize("cursor", ["1", "x", "-1", "01x", "1.5", "9" * 30, str(2**64)])
def test_a_cursor_that_was_not_given_is_refused(desk: Desk, cursor: str) -> None:
    desk.run("SET k v")
    assert desk.error(f"SCAN {cursor}") == NO_CURSOR


def test_a_cursor_of_another_database_is_refused(desk: Desk) -> None:
    fill(desk, [b"%03d" % number for number in range(30)])
    cursor = desk.run("SCAN 0")[0]  # type: ignore[index]
    desk.run("SELECT 1")
    assert desk.error(f"SCAN {cursor.decode()}") == NO_CURSOR


def test_a_scan_shows_the_newest_commit_that_it_looked_at(desk: Desk) -> None:
    for key in ("a", "c", "b"):
        desk.run(f"SET {key} v")
    desk.run("SCAN 0 COUNT 2")
    assert desk.need == 3
    desk.run("SCAN 0 MATCH c*")
    assert desk.need == 2


# --- the table of cursors -----------------------------------------------------------------------


def test_cursors_are_bounded_and_the_oldest_goes_first() -> None:
    cursors = Cursors()
    given = [cursors.add(0, b"k", 0) for _ in range(MAX_CURSORS + 1)]
    assert cursors.find(given[0], 0) is None
    assert [cursors.find(number, 0) for number in given[1:]] == [b"k"] * MAX_CURSORS


def test_cursors_are_bounded_in_bytes() -> None:
    cursors = Cursors()
    key = b"k" * 60_000
    given = [cursors.add(0, key, 0) for _ in range(1000)]
    known = [number for number in given if cursors.find(number, 0) is not None]
    assert known == given[-(MAX_CURSOR_BYTES // (len(key) + ROOM)) :]


def test_an_iteration_that_goes_on_for_ever_costs_another_nothing() -> None:
    cursors = Cursors()
    slow = cursors.add(0, b"slow", 0)
    fast = 0
    for _ in range(3 * MAX_CURSORS):
        last, fast = fast, cursors.add(0, b"fast", fast)
    assert cursors.find(slow, 0) == b"slow"
    assert cursors.find(last, 0) == cursors.find(fast, 0) == b"fast"


# --- on tables, while others write --------------------------------------------------------------


class Shelf:
    """A client of a store whose upkeep is done by hand."""

    def __init__(self) -> None:
        self.kept = Kept(MemoryDisk())
        self.client = Client(Server(self.kept.store, {}, 0.0, lambda: None), 1, "")
        self.txn = Transaction(self.kept.store)

    def scan(self, cursor: int, *more: bytes) -> tuple[int, list[bytes]]:
        args = [b"SCAN", b"%d" % cursor, *more]
        reply = answered(self.kept.store, lambda: self._begun(scan.scan, args))
        assert isinstance(reply, list)
        return int(reply[0]), reply[1]

    def random(self) -> object:
        return answered(self.kept.store, lambda: self._begun(scan.randomkey, [b"RANDOMKEY"]))

    def _begun(self, function: object, args: list[bytes]) -> object:
        self.txn.begin(self.client.database)
        return function(self.txn, self.client, args)  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(6))
def test_a_key_that_is_there_all_the_while_comes(seed: int) -> None:
    rng = random.Random(seed)
    shelf = Shelf()
    names = [b"%04d" % number for number in range(600)]
    stays = set(rng.sample(names, 200))
    come_and_go = [name for name in names if name not in stays]
    shelf.kept.save(*[put(name, bytes(30)) for name in sorted(stays)])
    for _ in range(3):
        cursor, found = shelf.scan(0)
        while cursor != 0:
            some = rng.sample(come_and_go, 10)
            shelf.kept.write(*[rng.choice([put(name, bytes(50)), delete(name)]) for name in some])
            if rng.random() < 0.3:
                shelf.kept.tables()
            cursor, keys = shelf.scan(cursor, b"COUNT", b"%d" % rng.randrange(1, 30))
            found += keys
        assert stays <= set(found) <= set(names)
        assert found == sorted(set(found))
    assert sum(shelf.kept.levels()) > 0


def test_a_random_key_is_one_that_is_there_and_each_comes_in_time() -> None:
    shelf = Shelf()
    assert shelf.random() is None
    names = [b"%03d" % number for number in range(60)]
    shelf.txn.begin(1)
    shelf.txn.put(b"other", BYTES, b"v")
    shelf.kept.store.commit(shelf.txn.writes)
    assert shelf.random() is None
    shelf.kept.save(*[put(name, bytes(40)) for name in names[:40]])
    shelf.kept.tables()
    shelf.kept.write(*[put(name, bytes(40)) for name in names[40:]])
    shelf.kept.write(*[delete(name) for name in names[::3]])
    live = {name for at, name in enumerate(names) if at % 3}
    assert {shelf.random() for _ in range(2000)} == live
    shelf.kept.write(*[delete(name) for name in names])
    assert shelf.random() is None


def test_a_scan_that_is_refused_leaves_no_cursor(desk: Desk) -> None:
    with pytest.raises(CommandError):
        desk.run("SCAN 0 COUNT 1 MATCH")
    with pytest.raises(CommandError):
        desk.run("SCAN 0 MATCH", b"?" * 5000)
    assert pages(desk) == [[]]
