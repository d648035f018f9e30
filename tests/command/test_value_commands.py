"""Commands that change values: kinds, expiry, bounds; and what is told of missing types."""

from __future__ import annotations

import pytest
from tests.command.desk import START, Desk

from kveik.command import pieces
from kveik.command.absent import ABSENT
from kveik.command.registry import COMMANDS
from kveik.errors import CommandError
from kveik.limits import MAX_VALUE

TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
NO_OFFSET = "ERR bit offset is not an integer or out of range"


# --- kinds --------------------------------------------------------------------------------------


def read(desk: Desk, key: str) -> object:
    """What another protocol reads: the kind and the bytes."""
    cell = desk.ask(command="read", key=key)
    return None if cell is None else (cell.kind, cell.data)  # type: ignore[attr-defined]


BYTES, TEXT, JSON = 1, 2, 3


@pytest.mark.parametrize(
    ("value", "line", "data"),
    [
        (41, "INCR k", b"42"),
        (1.5, "INCRBYFLOAT k 0.25", b"1.75"),
        ("ab", "APPEND k c", b"abc"),
        ("abc", "SETRANGE k 1 x", b"axc"),
        ("a", "SETBIT k 6 1", b"c"),
        ("a", "BITFIELD k INCRBY u8 0 1", b"b"),
        ("a", "GETSET k x", b"x"),
    ],
)
def test_a_value_of_another_kind_that_is_changed_becomes_bytes(
    desk: Desk, value: object, line: str, data: bytes
) -> None:
    desk.ask(command="put", key="k", value=value)
    desk.run(line)
    assert read(desk, "k") == (BYTES, data)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("EXPIRE k 100", "k"),
        ("GETEX k EX 100", "k"),
        ("RENAME k j", "j"),
        ("RENAMENX k j", "j"),
        ("COPY k j", "j"),
        ("INCRBYFLOAT other 1", "k"),
    ],
)
def test_a_value_that_is_not_changed_keeps_its_kind(desk: Desk, line: str, key: str) -> None:
    desk.ask(command="put", key="k", value={"a": 1})
    desk.run(line)
    assert read(desk, key) == (JSON, b'{"a":1}')
    desk.run(f"PERSIST {key}")
    assert read(desk, key) == (JSON, b'{"a":1}')


def test_a_value_keeps_its_kind_in_another_database(desk: Desk) -> None:
    desk.ask(command="put", key="k", value="text")
    desk.run("COPY k j DB 3")
    desk.run("MOVE k 3")
    desk.run("SELECT 3")
    assert read(desk, "j") == read(desk, "k") == (TEXT, b"text")


@pytest.mark.parametrize("value", [7, "text", [1, 2]])
def test_a_value_of_any_kind_is_read_as_its_bytes(desk: Desk, value: object) -> None:
    desk.ask(command="put", key="k", value=value)
    data = desk.run("GET k")
    assert isinstance(data, bytes)
    assert desk.run("GETRANGE k 0 -1") == data
    assert desk.run("BITCOUNT k") == sum(byte.bit_count() for byte in data)
    assert desk.run("LCS k k") == data
    assert desk.run("RESTORE j 0", desk.run("DUMP k")) == "OK"  # type: ignore[arg-type]
    assert desk.run("GET j") == data
    assert desk.run("GETDEL k") == data


# --- expiry -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["EXPIRE k 10", "PEXPIRE k 10000", f"EXPIREAT k {START // 1000 + 10}",
     f"PEXPIREAT k {START + 10_000}", "GETEX k EX 10", "SETEX k 10 v", "PSETEX k 10000 v"],
)  # fmt: skip
def test_a_value_expires_when_it_was_told_to(desk: Desk, line: str) -> None:
    desk.run("SET k v")
    desk.run(line)
    assert desk.run("PTTL k") == 10_000
    assert desk.run("PEXPIRETIME k") == START + 10_000
    desk.now += 9_499
    assert desk.run("TTL k") == 1
    desk.now += 2
    assert desk.run("TTL k") == 0
    desk.now += 498
    assert desk.run("GET k") == b"v"
    desk.now += 1
    assert [desk.run("GET k"), desk.run("TTL k"), desk.run("EXPIRE k 10")] == [None, -2, 0]


@pytest.mark.parametrize(
    "line",
    ["SET k w PXAT 1", "GETEX k PXAT 1", "EXPIRE k -1", "PEXPIRE k 0", "EXPIREAT k 1",
     "PEXPIREAT k 1", "GETDEL k"],
)  # fmt: skip
def test_an_expiry_in_the_past_deletes_at_once(desk: Desk, line: str) -> None:
    desk.run("SET k v")
    desk.run(line)
    assert [desk.run("EXISTS k"), desk.run("DBSIZE")] == [0, 0]
    before = desk.store.lsn()
    desk.run(line)
    assert desk.store.lsn() == before  # there is nothing to delete any more


def test_an_expiry_is_restored_whatever_its_size(desk: Desk) -> None:
    desk.run("SET k v")
    payload = desk.run("DUMP k")
    assert isinstance(payload, bytes)
    assert desk.run("RESTORE j 9223372036854775807", payload) == "OK"
    assert desk.run("GET j") == b"v"


def test_what_changes_nothing_commits_nothing(desk: Desk) -> None:
    desk.run("SET k v")
    before = desk.store.lsn()
    for line in ("SETNX k w", "MSETNX k w j w", "SETBIT k 0 0", "PERSIST k", "EXPIRE k 1 XX",
                 "RENAME k k", "RENAMENX k k", "GETEX k", "GETEX k PERSIST", "COPY k k DB 0x",
                 "GETDEL no", "MOVE no 1", "BITOP AND no no", "BITFIELD k GET u8 0"):  # fmt: skip
        desk.reply(line.encode().split())
        assert (line, desk.store.lsn()) == (line, before)


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f"SETRANGE k {MAX_VALUE} x", TOO_LONG),
        ("SETRANGE k 9223372036854775807 x", TOO_LONG),
        (f"SETBIT k {8 * MAX_VALUE} 1", NO_OFFSET),
        (f"BITFIELD k SET u8 {8 * MAX_VALUE} 1", NO_OFFSET),
        ("BITFIELD k SET u8 #9223372036854775807 1", NO_OFFSET),
        (f"BITFIELD k SET u8 {8 * MAX_VALUE - 1} 1", TOO_LONG),
    ],
)
def test_a_value_grows_up_to_its_bound(desk: Desk, line: str, text: str) -> None:
    desk.run("SET k v")
    assert desk.error(line) == text
    assert desk.run("GET k") == b"v"


def test_an_append_past_the_bound_is_refused(desk: Desk) -> None:
    desk.txn.begin(0)
    desk.txn.put(b"k", BYTES, bytes(MAX_VALUE))
    with pytest.raises(CommandError, match="maximum allowed size"):
        pieces.append(desk.txn, [b"APPEND", b"k", b"x"])


@pytest.mark.parametrize("line", ["COPY k", "RENAME k", "RENAMENX k"])
def test_a_key_past_its_bound_is_refused_and_nothing_is_done(desk: Desk, line: str) -> None:
    desk.run("SET k v")
    assert "a key has 1 to " in desk.error(line, b"")
    assert desk.run("GET k") == b"v"


def test_a_copy_that_is_refused_leaves_the_database_as_it_was(desk: Desk) -> None:
    desk.run("SET k v")
    desk.txn.begin(0)
    assert "a key has 1 to " in desk.error("COPY k", b"", b"DB", b"5")
    assert desk.txn.database == 0


def test_a_long_common_subsequence_is_a_job_and_shows_what_it_read(desk: Desk) -> None:
    desk.run("SET a", b"ab" * 600)
    desk.run("SET b", b"ba" * 600)
    desk.run("SET c v")
    assert desk.run("LCS a b LEN") == 1199
    assert desk.steps > 0
    assert desk.need == 2


# --- what is not there --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "things"),
    [
        ("HSET", "hashes"),
        ("hset", "hashes"),
        ("LPUSH", "lists"),
        ("SADD", "sets"),
        ("ZADD", "sorted sets"),
        ("XADD", "streams"),
        ("GEOADD", "geographic sets"),
        ("PFADD", "HyperLogLogs"),
    ],
)
def test_a_command_of_another_type_says_which_type_is_missing(
    desk: Desk, name: str, things: str
) -> None:
    text = f"ERR {name.upper()} works on {things}, which Kveik does not have: "
    text += "its values are strings"
    assert desk.error(f"{name} k x") == text
    assert desk.error(name) == text


def test_scripts_and_clusters_are_refused_by_name(desk: Desk) -> None:
    assert desk.error("EVAL x 0") == "ERR EVAL is for scripts, which Kveik does not run"
    assert desk.error("CLUSTER INFO") == "ERR This instance has cluster support disabled"


def test_what_is_not_there_is_not_listed() -> None:
    listed = {command.name.encode() for command in COMMANDS}
    assert {b"HSET", b"EVAL", b"SWAPDB"} <= set(ABSENT)
    assert not listed & set(ABSENT) - {b"FUNCTION", b"SCRIPT"}
