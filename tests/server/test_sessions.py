"""What belongs to one connection: its database, its protocol, its name, its end."""

from __future__ import annotations

import re

from tests.support.server import Server
from tests.support.wire import ErrorReply, JsonLines, Resp, frame


def test_select_isolates_databases(server: Server) -> None:
    with server.resp() as zero, server.resp() as one:
        assert one.call("SELECT", 1) == "OK"
        assert zero.call("SET", "k", "in 0") == "OK"
        assert one.call("GET", "k") is None
        assert one.call("SET", "k", "in 1") == "OK"
        assert one.call("SET", "only", "in 1") == "OK"
        assert zero.call("GET", "k") == b"in 0"
        assert (zero.call("DBSIZE"), one.call("DBSIZE")) == (1, 2)
        assert zero.call("KV.RANGE", "-", "+") == [b"k", b"in 0"]
        assert one.call("DEL", "k", "nothing") == 1
        assert zero.call("EXISTS", "k", "k", "only") == 2
        assert one.call("SELECT", 0) == "OK"
        assert one.call("GET", "k") == b"in 0"


def test_json_lines_live_in_database_0(server: Server) -> None:
    with server.resp() as redis, server.json() as lines:
        assert redis.call("SELECT", 15) == "OK"
        assert redis.call("SET", "k", "in 15") == "OK"
        assert lines.read("k") is None


def test_flushdb_empties_one_database_and_flushall_all(server: Server) -> None:
    with server.resp() as connection:
        for database in (0, 1, 15):
            connection.call("SELECT", database)
            connection.call("MSET", "a", 1, "b", 2)
        connection.call("SELECT", 1)
        assert connection.call("FLUSHDB") == "OK"
        assert connection.call("DBSIZE") == 0
        connection.call("SELECT", 0)
        assert connection.call("DBSIZE") == 2
        assert connection.call("FLUSHALL", "ASYNC") == "OK"
        assert connection.call("SET", "new", "kept") == "OK"
        connection.call("SELECT", 15)
        assert connection.call("GET", "a") is None
        assert connection.call("FLUSHALL", "SOON") == ErrorReply("ERR syntax error")


def test_what_was_flushed_stays_away_after_a_crash(server: Server) -> None:
    with server.resp() as connection:
        connection.send(b"".join(frame("SET", n, n) for n in range(100)) + frame("FLUSHALL"))
        assert [connection.reply() for _ in range(101)] == ["OK"] * 101
        assert connection.call("SET", "50", "again") == "OK"
    server.restart()
    with server.resp() as connection:
        assert connection.call("KV.RANGE", "-", "+") == [b"50", b"again"]


def test_quit_answers_ok_and_ends_the_connection(server: Server) -> None:
    with server.resp() as connection, server.resp() as other:
        connection.send(frame("SET", "a", 1) + frame("QUIT") + frame("SET", "a", 2))
        assert connection.rest() == b"+OK\r\n+OK\r\n"
        assert other.call("GET", "a") == b"1"


def test_reset_makes_a_connection_as_new(server: Server) -> None:
    with server.resp() as connection:
        assert connection.call("SET", "k", "in 0") == "OK"
        assert connection.call("HELLO", 3, "SETNAME", "me")[b"proto"] == 3
        connection.call("SELECT", 3)
        connection.send(frame("GET", "none") + frame("RESET") + frame("GET", "none"))
        assert connection.line() == b"_\r\n"
        assert connection.line() == b"+RESET\r\n"
        assert connection.line() == b"$-1\r\n"
        assert connection.call("GET", "k") == b"in 0"
        assert connection.call("CLIENT", "GETNAME") is None


def test_hello_chooses_the_protocol_version_of_this_connection_alone(server: Server) -> None:
    with server.resp() as three, server.resp() as two:
        told = three.call("HELLO", 3)
        assert (told[b"server"], told[b"proto"]) == (b"redis", 3)
        assert isinstance(three.call("CONFIG", "GET", "save"), dict)
        assert isinstance(two.call("CONFIG", "GET", "save"), list)


def test_each_connection_has_an_id_and_a_name_of_its_own(server: Server) -> None:
    with server.resp() as first, server.resp() as second:
        assert first.call("CLIENT", "ID") != second.call("CLIENT", "ID")
        assert first.call("CLIENT", "SETNAME", "one") == "OK"
        assert first.call("CLIENT", "GETNAME") == b"one"
        assert second.call("CLIENT", "GETNAME") is None


def test_info_counts_those_connected(server: Server) -> None:
    def connected(connection: Resp) -> int:
        match = re.search(rb"connected_clients:(\d+)", connection.call("INFO"))
        assert match is not None
        return int(match[1])

    with server.resp() as connection:
        assert connected(connection) == 1
        with server.resp() as second, server.json() as third:
            assert second.call("PING") == "PONG"
            assert third.read("k") is None
            assert connected(connection) == 3
            second.send(frame("QUIT"))
            assert second.rest() == b"+OK\r\n"
            assert connected(connection) == 2


def test_blank_lines_before_the_first_request_are_no_request(server: Server) -> None:
    with JsonLines(server.port) as lines:
        lines.send(b"\r\n\n  \n")
        assert lines.call(command="read", key="k") == {"status": "ok", "result": None}
    with Resp(server.port) as redis:
        redis.send(b"\r\n")
        assert redis.call("PING") == "PONG"
