"""PING ECHO HELLO SELECT AUTH CLIENT QUIT RESET."""

from __future__ import annotations

import pytest
from tests.command.desk import Desk

from kveik.limits import DATABASES

NAME = "ERR Client names cannot contain spaces, newlines or special characters."


def test_ping_answers_pong_or_what_it_was_given(desk: Desk) -> None:
    assert desk.run("PING") == "PONG"
    assert desk.run("PING", b"\x00hi") == b"\x00hi"
    assert desk.error("PING a b") == "ERR wrong number of arguments for 'ping' command"


def test_echo_answers_what_it_was_given(desk: Desk) -> None:
    assert desk.run("ECHO", b"") == b""
    assert desk.run("ECHO", b"\r\n\xff") == b"\r\n\xff"


@pytest.mark.parametrize("database", [0, 1, DATABASES - 1])
def test_select_changes_the_database(desk: Desk, database: int) -> None:
    assert desk.run(f"SELECT {database}") == "OK"
    desk.run("SET where", str(database).encode())
    for other in range(DATABASES):
        desk.run(f"SELECT {other}")
        assert desk.run("GET where") == (b"%d" % database if other == database else None)


@pytest.mark.parametrize(
    ("database", "text"),
    [
        (DATABASES, "ERR DB index is out of range"),
        (-1, "ERR DB index is out of range"),
        ("one", "ERR value is not an integer or out of range"),
        ("01", "ERR value is not an integer or out of range"),
        (10**30, "ERR value is not an integer or out of range"),
    ],
)
def test_select_of_no_database_changes_nothing(desk: Desk, database: object, text: str) -> None:
    desk.run("SELECT 3")
    assert desk.error(f"SELECT {database}") == text
    assert desk.client.database == 3


def test_hello_describes_the_server_and_chooses_the_version(desk: Desk) -> None:
    described = {
        b"server": b"redis",
        b"version": b"7.0.15",
        b"proto": 3,
        b"id": 7,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }
    assert desk.run("HELLO 3") == described
    assert desk.client.protocol == 3
    assert desk.run("HELLO") == described
    assert desk.run("HELLO 2 SETNAME me") == {**described, b"proto": 2}
    assert (desk.client.protocol, desk.client.name) == (2, b"me")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("HELLO 1", "NOPROTO unsupported protocol version"),
        ("HELLO 4", "NOPROTO unsupported protocol version"),
        ("HELLO 3 FOO", "ERR Syntax error in HELLO option 'FOO'"),
        ("HELLO 3 SETNAME", "ERR Syntax error in HELLO option 'SETNAME'"),
        ("HELLO 3 AUTH me", "ERR Syntax error in HELLO option 'AUTH'"),
        ("HELLO 3 SETNAME æ", NAME),
    ],
)
def test_a_hello_that_is_refused_leaves_the_version(desk: Desk, line: str, text: str) -> None:
    assert desk.error(line) == text
    assert desk.client.protocol == 2


@pytest.mark.parametrize("line", ["AUTH secret", "AUTH me secret", "HELLO 3 AUTH me secret"])
def test_a_password_is_refused_where_none_is_set(desk: Desk, line: str) -> None:
    assert desk.error(line).startswith("ERR AUTH <password> called without any password")
    assert desk.client.protocol == 2


def test_a_connection_has_an_id_and_may_have_a_name(desk: Desk) -> None:
    assert desk.run("CLIENT ID") == 7
    assert desk.run("CLIENT GETNAME") is None
    assert desk.run("client setname me~!") == "OK"
    assert desk.run("CLIENT GETNAME") == b"me~!"
    assert desk.run("CLIENT SETNAME", b"") == "OK"
    assert desk.run("CLIENT GETNAME") is None


@pytest.mark.parametrize("name", [b"a b", b"a\n", b"\x00", b"\x7f", "æ".encode()])
def test_a_name_that_would_break_a_list_of_clients_is_refused(desk: Desk, name: bytes) -> None:
    desk.run("CLIENT SETNAME me")
    assert desk.error("CLIENT SETNAME", name) == NAME
    assert desk.run("CLIENT GETNAME") == b"me"


def test_a_client_may_tell_its_library(desk: Desk) -> None:
    assert desk.run("CLIENT SETINFO LIB-NAME redis-py") == "OK"
    assert desk.run("CLIENT SETINFO lib-ver 8.1.0") == "OK"
    assert (desk.client.library, desk.client.library_version) == (b"redis-py", b"8.1.0")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("CLIENT FOO", "ERR unknown subcommand 'FOO'. Try CLIENT HELP."),
        ("CLIENT ID x", "ERR wrong number of arguments for 'client|id' command"),
        ("CLIENT GETNAME x", "ERR wrong number of arguments for 'client|getname' command"),
        ("CLIENT SETNAME", "ERR wrong number of arguments for 'client|setname' command"),
        ("CLIENT SETINFO LIB-VER", "ERR wrong number of arguments for 'client|setinfo' command"),
        ("CLIENT SETINFO COLOUR red", "ERR Unrecognized option 'COLOUR'"),
    ],
)
def test_what_client_does_not_know_is_refused(desk: Desk, line: str, text: str) -> None:
    assert desk.error(line) == text


def test_a_librarys_name_of_several_words_is_refused(desk: Desk) -> None:
    text = "ERR lib-name cannot contain spaces, newlines or special characters."
    assert desk.error("CLIENT SETINFO LIB-NAME", b"my library") == text


def test_reset_makes_the_connection_as_it_began(desk: Desk) -> None:
    desk.run("HELLO 3 SETNAME me")
    desk.run("SELECT 5")
    assert desk.run("RESET") == "RESET"
    client = desk.client
    assert (client.database, client.protocol, client.name) == (0, 2, b"")
    assert client.number == 7


def test_quit_closes_after_its_answer(desk: Desk) -> None:
    assert not desk.client.closing
    assert desk.run("QUIT") == "OK"
    assert desk.client.closing
