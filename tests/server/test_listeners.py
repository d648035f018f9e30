"""Where a server listens, and what it speaks there."""

from __future__ import annotations

import socket

import pytest
from tests.support.server import KVEIK, WITHOUT_UVLOOP, Server, StartServer
from tests.support.tools import until
from tests.support.wire import JsonLines, Resp, frame


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture
def three(start_server: StartServer) -> Server:
    """A server with three listeners: redis, json and auto."""
    return start_server(
        *("--listen", "redis://127.0.0.1:0"),
        *("--listen", "json://127.0.0.1:0"),
        *("--listen", "auto://127.0.0.1:0"),
    )


def test_several_listeners_serve_the_same_data(three: Server) -> None:
    redis, lines, auto = three.ports
    with Resp(redis) as connection:
        assert connection.call("SET", "k", "v") == "OK"
    with JsonLines(lines) as connection:
        assert connection.read("k") == "v"
    with Resp(auto) as connection:
        assert connection.call("GET", "k") == b"v"
    with JsonLines(auto) as connection:
        assert connection.read("k") == "v"


def test_a_redis_listener_takes_json_for_a_bad_command(three: Server) -> None:
    with Resp(three.ports[0]) as connection:
        connection.send(b"{command: read, key: k}\r\n")
        assert "unknown command" in str(connection.reply())
        assert connection.call("PING") == "PONG"


def test_a_redis_listener_takes_commands_typed_by_hand(three: Server) -> None:
    with Resp(three.ports[0]) as connection:
        connection.send(b"\r\nset  typed \t hello\r\nGET typed\nping\r\n")
        assert connection.reply() == "OK"
        assert connection.reply() == b"hello"
        assert connection.reply() == "PONG"
        connection.send(frame("GET", "typed"))
        assert connection.reply() == b"hello"


def test_a_redis_listener_bounds_a_line_typed_by_hand(three: Server) -> None:
    with Resp(three.ports[0]) as connection:
        connection.send(b"x" * 65_537)
        assert connection.rest() == b"-ERR Protocol error: too big inline request\r\n"


def test_a_json_listener_takes_resp_for_bad_lines(three: Server) -> None:
    with JsonLines(three.ports[1]) as connection:
        connection.send(frame("PING"))
        for _ in range(3):  # "*1", "$4", "PING"
            assert connection.reply()["status"] == "error"
        assert connection.read("k") is None


def test_localhost_is_served_on_all_its_addresses_and_one_port(start_server: StartServer) -> None:
    server = start_server("--host", "localhost")
    assert len(set(server.ports)) == 1
    families = {family for family, *_ in socket.getaddrinfo("localhost", None)}
    assert len(server.ports) == len(families)
    with Resp(server.port, "localhost") as connection:
        assert connection.call("PING") == "PONG"


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_an_ipv6_address_is_served(start_server: StartServer) -> None:
    server = start_server("--listen", "redis://[::1]:0")
    with Resp(server.port, "::1") as connection:
        assert connection.call("PING") == "PONG"


def test_an_address_that_others_reach_is_warned_of(start_server: StartServer) -> None:
    assert "reachable by others" in start_server("--host", "0.0.0.0").stderr()
    assert "reachable by others" not in start_server("--host", "127.0.0.1").stderr()


def test_config_get_and_info_tell_the_port_that_was_chosen(server: Server) -> None:
    with server.resp() as connection:
        assert f"tcp_port:{server.port}\r\n".encode() in connection.call("INFO", "server")
        assert connection.call("CONFIG", "GET", "port") == [b"port", str(server.port).encode()]


@pytest.mark.parametrize("loop", ["default loop", "asyncio"])
def test_more_connections_than_descriptors_disturb_nobody_who_is_served(
    start_server: StartServer, loop: str
) -> None:
    program = WITHOUT_UVLOOP if loop == "asyncio" else KVEIK
    server = start_server(program=("sh", "-c", 'ulimit -n 50; exec "$@"', "sh", *program))
    with server.resp() as served:
        crowd = [server.resp() for _ in range(80)]
        for _ in range(20):
            assert served.call("SET", "k", "v") == "OK"
        assert len(server.stderr()) < 20_000
        for connection in crowd:
            connection.close()

        def let_in() -> bool:
            try:
                with server.resp() as newcomer:
                    return bool(newcomer.call("GET", "k") == b"v")
            except OSError:
                return False

        until(let_in, "somebody new is served again")
