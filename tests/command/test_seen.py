"""What an answer shows: the commit that must be safe before the answer may leave."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.command.desk import Desk

from kveik.limits import DATABASES
from kveik.model import BYTES


def shown(desk: Desk, line: str) -> int:
    """The newest commit that the answer to a command shows; 0 for none."""
    desk.run(line)
    return desk.need


@pytest.mark.parametrize(
    "line",
    ["SET k v", "SET k v PX 100", "MSET k v", "SET k v NX", "SET k v GET", "FLUSHDB", "FLUSHALL"],
)
def test_the_answer_to_a_write_shows_its_own_commit(desk: Desk, line: str) -> None:
    desk.run("SET other v")
    assert shown(desk, line) == 2


READS = [
    "GET k",
    "MGET k",
    "STRLEN k",
    "EXISTS k",
    "TYPE k",
    "TTL k",
    "GETRANGE k 0 1",
    "GETBIT k 0",
]
READS += [
    "BITCOUNT k",
    "BITPOS k 1",
    "BITFIELD_RO k GET u8 0",
    "LCS k k",
    "DUMP k",
    "OBJECT ENCODING k",
]
READS += ["SETNX k w", "GETEX k", "SCAN 0 MATCH k*"]


@pytest.mark.parametrize("line", READS)
@pytest.mark.parametrize("write", ["SET k v", "SET k v PX 100"])
def test_a_read_shows_the_commit_that_wrote_the_value(desk: Desk, line: str, write: str) -> None:
    desk.run("SET k old")
    desk.run(write)
    desk.run("SET newer v")
    assert shown(desk, line) == 2


@pytest.mark.parametrize("line", ["GET k", "MGET k", "STRLEN k", "EXISTS k", "TYPE k", "DEL k"])
def test_a_miss_shows_the_commit_that_deleted_the_value(desk: Desk, line: str) -> None:
    desk.run("SET k v")
    desk.run("DEL k")
    desk.run("SET newer v")
    assert shown(desk, line) == 2


@pytest.mark.parametrize("line", ["GET k", "MGET k", "EXISTS k", "DEL k", "GET never", "TYPE k"])
@pytest.mark.parametrize("flush", ["FLUSHDB", "FLUSHALL"])
def test_a_miss_shows_the_flush_that_may_have_deleted_the_value(
    desk: Desk, line: str, flush: str
) -> None:
    desk.run("SET k v")
    desk.run(flush)
    desk.run("SET newer v")
    assert shown(desk, line) == 2


@pytest.mark.parametrize("line", ["GET k", "SET k v XX", "EXISTS k", "KV.RANGE [k [k"])
def test_a_miss_shows_the_commit_of_a_value_that_has_expired(desk: Desk, line: str) -> None:
    desk.run("SET k v PX 100")
    desk.run("SET newer v")
    desk.now += 100
    assert shown(desk, line) == 1


@pytest.mark.parametrize("line", ["GET k", "DEL k", "SET k v XX", "KV.RANGE [k [k", "PING"])
def test_a_miss_of_what_never_was_shows_nothing(desk: Desk, line: str) -> None:
    desk.run("SET other v")
    desk.need = 0
    assert shown(desk, line) == 0


def test_a_condition_that_fails_shows_the_commit_that_made_it_fail(desk: Desk) -> None:
    desk.run("SET k v")
    desk.run("SET newer v")
    assert shown(desk, "SET k w NX") == 1
    desk.run("DEL k")
    desk.run("SET newest v")
    assert shown(desk, "SET k w XX") == 3


def test_a_read_of_several_keys_shows_the_newest_of_their_commits(desk: Desk) -> None:
    for key in ("a", "b", "c", "d"):
        desk.run(f"SET {key} v")
    assert shown(desk, "MGET a c b") == 3
    assert shown(desk, "EXISTS b a") == 2


def test_a_range_shows_the_newest_commit_between_its_ends(desk: Desk) -> None:
    for key in ("a", "c", "b", "e"):
        desk.run(f"SET {key} v")
    assert shown(desk, "KV.RANGE [a [c") == 3
    assert shown(desk, "KV.RANGE [a [b") == 3
    assert shown(desk, "KV.RANGE [a (b") == 1
    assert shown(desk, "KV.RANGE + - REV") == 4
    desk.run("DEL c")
    assert shown(desk, "KV.RANGE [c [d") == 5
    assert shown(desk, "KV.RANGE [c [d LIMIT 0 1") == 5


def test_a_range_shows_nothing_of_what_its_limit_leaves_out(desk: Desk) -> None:
    for key in ("b", "a", "d", "c"):
        desk.run(f"SET {key} v")
    assert shown(desk, "KV.RANGE - + LIMIT 0 2") == 2
    assert shown(desk, "KV.RANGE + - REV LIMIT 0 1") == 3


def test_a_range_shows_a_flush_of_what_may_have_been_in_it(desk: Desk) -> None:
    desk.run("SET a v")
    desk.run("FLUSHDB")
    desk.run("SET z v")
    assert shown(desk, "KV.RANGE [a [b") == 2


def test_another_databases_commits_are_not_shown(desk: Desk) -> None:
    desk.run("SET k v")
    desk.run("SELECT 1")
    desk.run("SET k v")
    desk.run("FLUSHDB")
    desk.run("SELECT 0")
    assert shown(desk, "GET k") == 1
    assert shown(desk, "GET never") == 0
    assert shown(desk, "KV.RANGE - +") == 1


def test_a_count_shows_the_last_commit_of_all(desk: Desk) -> None:
    desk.run("SET a v")
    desk.run("SELECT 1")
    desk.run("SET b v")
    desk.run("SELECT 0")
    assert shown(desk, "DBSIZE") == 2


def test_json_lines_show_the_same(desk: Desk) -> None:
    for key in ("a", "b", "c"):
        desk.ask(command="put", key=key, value=1)
    desk.ask(command="delete", key="b")
    desk.ask(command="put", key="z", value=1)
    expected = {"a": 1, "b": 4, "c": 3, "never": 0}
    for key, lsn in expected.items():
        desk.ask(command="read", key=key)
        assert desk.need == lsn
    desk.ask(command="read_key_range", start_key="a", end_key="c")
    assert desk.need == 4


def test_a_refused_write_still_shows_what_it_read(desk: Desk) -> None:
    desk.run("SET k v")
    desk.error("SET", b"", b"v")
    assert desk.txn.seen == 0
    desk.txn.begin(0)
    assert desk.txn.get(b"k") is not None
    assert desk.txn.seen == 1


def test_a_transactions_own_writes_show_no_commit(desk: Desk) -> None:
    desk.run("SET k v")
    desk.txn.begin(0)
    desk.txn.put(b"k", BYTES, b"mine")
    assert desk.txn.get(b"k") is not None
    assert desk.txn.seen == 0


# --- against a plain record of every key's last commit ------------------------------------------

KEYS = "abc"
LINES = ["SET {} v", "SET {} v", "SET {} v PX 5", "DEL {}", "DEL {}", "FLUSHDB", "FLUSHALL"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(LINES) | st.sampled_from(["tick", "write", "settle"]),
        st.sampled_from(KEYS),
        st.sampled_from([0, DATABASES - 1]),
    ),
    max_size=25,
)


@given(STEPS)
@settings(deadline=None, max_examples=150)
def test_whatever_is_not_on_the_disk_is_shown_exactly(steps: list[tuple[str, str, int]]) -> None:
    desk = Desk()
    last = {(database, key): 0 for database in (0, DATABASES - 1) for key in KEYS}
    for step, key, database in steps:
        desk.client.database = database
        before = desk.store.lsn()
        if step == "tick":
            desk.now += 3
        elif step == "write":
            desk.write()
        elif step == "settle":
            desk.settle()
        else:
            desk.run(step.format(key))
        if desk.store.lsn() > before:
            for place in last:
                flushed = step == "FLUSHALL" or (step == "FLUSHDB" and place[0] == database)
                if flushed or place == (database, key):
                    last[place] = before + 1
        check(desk, last)


def check(desk: Desk, last: dict[tuple[int, str], int]) -> None:
    """Every read shows the last commit of what it read, unless that is on the disk."""
    safe = desk.store.synced()
    for (database, key), lsn in last.items():
        desk.client.database = database
        for line in (f"GET {key}", f"KV.RANGE [{key} [{key}", f"KV.RANGE [{key} [{key} REV"):
            found = shown(desk, line)
            assert found == lsn if lsn > safe else found <= safe
        newest = max(lsn for place, lsn in last.items() if place[0] == database)
        found = shown(desk, "KV.RANGE - +")
        assert found == newest if newest > safe else found <= safe
