"""Bad RESP: one clear error, nothing lost, and everybody else is served on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.server import Server, StartServer
from tests.support.wire import ErrorReply, Resp, frame, send_byte_by_byte

LOST_FRAMING = {
    "a negative number of arguments": (b"*-2\r\n", "invalid multibulk length"),
    "too many arguments": (b"*1048577\r\n", "invalid multibulk length"),
    "more arguments than any number": (b"*" + b"9" * 40 + b"\r\n", "invalid multibulk length"),
    "a number of arguments that is none": (b"*x\r\n", "invalid multibulk length"),
    "no number of arguments": (b"*\r\n", "invalid multibulk length"),
    "a line feed alone after the number": (b"*1\nx", "invalid multibulk length"),
    "an argument of negative length": (b"*1\r\n$-1\r\n", "invalid bulk length"),
    "a length that is no number": (b"*1\r\n$4x\r\n", "invalid bulk length"),
    "no length": (b"*1\r\n$\r\n", "invalid bulk length"),
    "a value too large, told by its header": (
        b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$536870913\r\n",
        "invalid bulk length",
    ),
    "an argument that is no bulk string": (b"*1\r\n:3\r\n", "expected '$', got ':'"),
    "a request inside a request": (b"*2\r\n$3\r\nGET\r\n*1\r\n", "expected '$', got '*'"),
    "a line end in the place of an argument": (b"*1\r\n\r\n", "expected '$', got"),
    "no CRLF after an argument": (b"*1\r\n$4\r\nPINGxx", "does not end in CRLF"),
}

REFUSED: dict[str, tuple[tuple[bytes | str, ...], str]] = {
    "an unknown command": (("NOPE", "a", "b"), "ERR unknown command 'NOPE', with args beginning"),
    "no command": (("",), "ERR unknown command ''"),
    "too few arguments": (("GET",), "ERR wrong number of arguments for 'get' command"),
    "too many arguments": (("GET", "a", "b"), "ERR wrong number of arguments for 'get' command"),
    "a key without its value": (
        ("MSET", "kept", "1", "b"),
        "ERR wrong number of arguments for 'mset' command",
    ),
    "a key of no bytes": (("SET", "", "1"), "ERR a key has 1 to 65536 bytes, not 0"),
    "a key too long": (("SET", "k" * 65537, "1"), "ERR a key has 1 to 65536 bytes, not 65537"),
    "a bad key behind a good one": (("MSET", "kept", "lost", "", "1"), "ERR a key has 1 to"),
    "an unknown option": (("SET", "kept", "lost", "MAYBE"), "ERR syntax error"),
    "a time that is none": (("SET", "kept", "lost", "EX", "soon"), "ERR value is not an integer"),
    "no such database": (("SELECT", "16"), "ERR DB index is out of range"),
    "an unknown protocol version": (("HELLO", "4"), "NOPROTO unsupported protocol version"),
    "bytes that are no text": ((b"\xff\xfe\r\n",), "ERR unknown command '\\xff\\xfe"),
    "a range without its brackets": (("KV.RANGE", "a", "b"), "ERR min or max not valid string"),
}


@pytest.fixture(scope="module")
def bystander(shared_server: Server) -> Iterator[Resp]:
    """Another client, connected all the while."""
    with shared_server.resp() as connection:
        assert connection.call("SET", "kept", "safe") == "OK"
        yield connection


def assert_served(server: Server, bystander: Resp) -> None:
    assert bystander.call("GET", "kept") == b"safe"
    with server.resp() as newcomer:
        assert newcomer.call("GET", "kept") == b"safe"


@pytest.mark.parametrize("case", LOST_FRAMING)
def test_lost_framing_is_told_once_and_ends_the_connection(
    shared_server: Server, bystander: Resp, case: str
) -> None:
    data, complaint = LOST_FRAMING[case]
    with shared_server.resp() as connection:
        connection.send(frame("SET", "before", case) + data)
        assert connection.reply() == "OK"
        last = connection.rest()
    assert last.startswith(b"-ERR Protocol error: ")
    assert complaint in last.decode()
    assert (last.count(b"\n"), last[-2:]) == (1, b"\r\n")
    assert bystander.call("GET", "before") == case.encode()
    assert_served(shared_server, bystander)


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_cannot_be_gets_one_error_and_the_connection_goes_on(
    shared_server: Server, bystander: Resp, case: str
) -> None:
    words, complaint = REFUSED[case]
    with shared_server.resp() as connection:
        connection.send(frame(*words) + frame("ECHO", "next"))
        reply = connection.reply()
        assert isinstance(reply, ErrorReply)
        assert complaint in str(reply)
        assert connection.reply() == b"next"
        assert connection.call("DBSIZE") == bystander.call("DBSIZE")
    assert_served(shared_server, bystander)


def test_a_null_or_empty_request_asks_for_nothing(shared_server: Server) -> None:
    with shared_server.resp() as connection:
        connection.send(b"*0\r\n*-1\r\n" + frame("PING"))
        assert connection.reply() == "PONG"


def test_a_null_request_asks_for_nothing_also_in_pieces(
    shared_server: Server, bystander: Resp
) -> None:
    with shared_server.resp() as connection:
        send_byte_by_byte(connection, b"*-1\r\n" + frame("PING"), bystander)
        assert connection.reply() == "PONG"


@pytest.mark.parametrize("first", [b"\x16\x03\x01\x02", b"[1]\n", b"\xef\xbb\xbf{"])
def test_an_unknown_first_byte_is_told_what_the_port_speaks(
    shared_server: Server, bystander: Resp, first: bytes
) -> None:
    with shared_server.resp() as connection:
        connection.send(first)
        said = connection.rest().decode()
    assert "RESP" in said
    assert "JSON lines" in said
    assert said.count("\n") == 1
    assert_served(shared_server, bystander)


@pytest.mark.parametrize("begun", [b"*", b"*2\r\n", b"*1\r\n$4\r\nPI", frame("PING") + b"*1\r"])
def test_half_a_request_then_close_changes_nothing(
    shared_server: Server, bystander: Resp, begun: bytes
) -> None:
    with shared_server.resp() as connection:
        connection.send(begun)
    assert_served(shared_server, bystander)


def test_half_a_request_then_the_end_of_input_closes_the_connection(shared_server: Server) -> None:
    with shared_server.resp() as connection:
        connection.send(frame("PING") + frame("SET", "half", "1")[:-3])
        connection.finish()
        assert connection.rest() == b"+PONG\r\n"
    with shared_server.resp() as connection:
        assert connection.call("GET", "half") is None


def test_a_client_that_leaves_before_its_replies_are_read_disturbs_nobody(
    shared_server: Server, bystander: Resp
) -> None:
    assert bystander.call("SET", "large", "x" * 100_000) == "OK"
    for _ in range(5):
        with shared_server.resp() as connection:
            connection.send(frame("GET", "large") * 200)
        assert_served(shared_server, bystander)


def test_one_reply_is_bounded_whatever_was_asked_for(start_server: StartServer) -> None:
    with start_server().resp() as connection:
        assert connection.call("SET", "large", b"x" * 1_000_000) == "OK"
        connection.send(frame("MGET", *["large"] * 600))  # past MAX_REPLY
        assert connection.exactly(1) == b"-", "a reply of 600 MB is being made"
