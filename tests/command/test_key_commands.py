"""DEL UNLINK EXISTS TYPE DBSIZE FLUSHDB FLUSHALL, and that expired is absent everywhere."""

from __future__ import annotations

import pytest
from tests.command.desk import Desk


@pytest.mark.parametrize("command", ["DEL", "UNLINK"])
def test_a_deleted_key_is_gone_and_counts_once(desk: Desk, command: str) -> None:
    desk.run("MSET a 1 b 2 c 3")
    assert desk.run(f"{command} a nothing b a b") == 2
    assert desk.run("MGET a b c") == [None, None, b"3"]
    assert desk.run(f"{command} a b") == 0
    desk.run("SET a new")
    assert desk.run(f"{command} a") == 1


def test_deleting_nothing_commits_nothing(desk: Desk) -> None:
    desk.run("SET k v")
    desk.run("DEL k")
    before = desk.store.lsn()
    assert desk.run("DEL k nothing") == 0
    assert desk.store.lsn() == before


def test_exists_counts_a_repeated_key_as_often_as_it_is_named(desk: Desk) -> None:
    desk.run("MSET a 1 b 2")
    assert desk.run("EXISTS a") == 1
    assert desk.run("EXISTS a a b nothing") == 3
    assert desk.run("EXISTS nothing") == 0


def test_type_is_string_or_none(desk: Desk) -> None:
    desk.run("SET k v")
    assert desk.run("TYPE k") == "string"
    assert desk.run("TYPE nothing") == "none"


def test_dbsize_counts_the_keys_of_the_selected_database(desk: Desk) -> None:
    assert desk.run("DBSIZE") == 0
    desk.run("MSET a 1 b 2 c 3")
    desk.run("SET a again")
    assert desk.run("DBSIZE") == 3
    desk.run("DEL a")
    assert desk.run("DBSIZE") == 2
    desk.run("SELECT 1")
    assert desk.run("DBSIZE") == 0
    desk.run("SET a 1")
    assert desk.run("DBSIZE") == 1


@pytest.mark.parametrize("line", ["FLUSHDB", "FLUSHDB ASYNC", "FLUSHDB sync"])
def test_flushdb_empties_the_selected_database_alone(desk: Desk, line: str) -> None:
    for database in (0, 1, 2):
        desk.run(f"SELECT {database}")
        desk.run("MSET a 1 b 2")
    desk.run("SELECT 1")
    assert desk.run(line) == "OK"
    assert [desk.run("DBSIZE"), desk.run("GET a"), desk.run("KV.RANGE - +")] == [0, None, []]
    for database in (0, 2):
        desk.run(f"SELECT {database}")
        assert desk.run("DBSIZE") == 2
        assert desk.run("KV.RANGE - + KEYSONLY") == [b"a", b"b"]


@pytest.mark.parametrize("line", ["FLUSHALL", "FLUSHALL async", "FLUSHALL SYNC"])
def test_flushall_empties_every_database(desk: Desk, line: str) -> None:
    for database in (0, 7, 15):
        desk.run(f"SELECT {database}")
        desk.run("MSET a 1 b 2")
    assert desk.run(line) == "OK"
    for database in (0, 7, 15):
        desk.run(f"SELECT {database}")
        assert [desk.run("DBSIZE"), desk.run("MGET a b")] == [0, [None, None]]


def test_what_is_written_after_a_flush_stays(desk: Desk) -> None:
    desk.run("MSET a 1 b 2")
    desk.run("FLUSHALL")
    desk.run("SET b 3")
    desk.run("SET c 4")
    assert desk.run("KV.RANGE - +") == [b"b", b"3", b"c", b"4"]
    assert desk.run("DBSIZE") == 2


@pytest.mark.parametrize("command", ["FLUSHDB", "FLUSHALL"])
@pytest.mark.parametrize("options", ["NOW", "ASYNC SYNC", "SYNC SYNC"])
def test_a_flush_with_other_options_is_refused(desk: Desk, command: str, options: str) -> None:
    desk.run("SET k v")
    assert desk.error(f"{command} {options}") == "ERR syntax error"
    assert desk.run("GET k") == b"v"


# --- expired is absent --------------------------------------------------------------------------


@pytest.fixture
def later(desk: Desk) -> Desk:
    """A desk at which `gone` has expired this very millisecond and `here` has not."""
    desk.run("SET gone v PX 100")
    desk.run("SET here v PX 101")
    desk.run("SET always v")
    desk.now += 100
    return desk


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("GET gone", None),
        ("MGET gone here always", [None, b"v", b"v"]),
        ("STRLEN gone", 0),
        ("EXISTS gone here gone", 1),
        ("TYPE gone", "none"),
        ("DEL gone", 0),
        ("UNLINK gone here", 1),
        ("KV.RANGE - + KEYSONLY", [b"always", b"here"]),
        ("KV.RANGE + - REV KEYSONLY", [b"here", b"always"]),
        ("KV.RANGE [gone [gone", []),
        ("KV.RANGE - + LIMIT 0 2 KEYSONLY", [b"always", b"here"]),
        ("SET gone new XX", None),
        ("SET gone new GET", None),
        ("SET gone new NX GET", None),
        ("SET gone new NX", "OK"),
        ("SET gone new KEEPTTL", "OK"),
    ],
)
def test_an_expired_value_is_absent_for_every_command(
    later: Desk, line: str, reply: object
) -> None:
    assert later.run(line) == reply


def test_an_expired_value_is_absent_for_json_lines(later: Desk) -> None:
    assert later.ask(command="read", key="gone") is None
    assert later.ask(command="delete", key="gone") is False
    found = later.ask(command="read_key_range", start_key="a", end_key="z")
    assert isinstance(found, dict)
    assert list(found) == ["always", "here"]


@pytest.mark.parametrize("line", ["SET gone new", "SET gone new NX", "SET gone new KEEPTTL"])
def test_a_value_set_where_one_has_expired_does_not_expire(later: Desk, line: str) -> None:
    later.run(line)
    later.now += 1_000_000
    assert later.run("GET gone") == b"new"


def test_a_clock_that_goes_back_shows_what_had_expired(later: Desk) -> None:
    later.now -= 1
    assert later.run("GET gone") == b"v"
