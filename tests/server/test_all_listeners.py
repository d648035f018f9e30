"""Every protocol on every kind of listener: pinned, told by the first bytes, on a socket file."""

from __future__ import annotations

import http.client
import os
import socket
import stat
from pathlib import Path

import pytest
from tests.support.server import WITHOUT_UVLOOP, Server, StartServer
from tests.support.tools import run, tool
from tests.support.wire import Connection, Framed, JsonLines, Resp, Text, message

from kveik.server.config import Address, parse_address


def speaks(port: int | Path) -> list[str]:
    """The protocols that are answered at a port."""
    found = []
    with Resp(port) as connection:
        connection.send(b"*1\r\n$4\r\nPING\r\n")
        connection.finish()
        if connection.rest() == b"+PONG\r\n":
            found.append("redis")
    with JsonLines(port) as connection:
        connection.send(b'{"command": "ping"}')
        connection.finish()
        if b'"ok"' in connection.rest():
            found.append("json")
    with Text(port) as connection:
        connection.send(b"PING")
        connection.finish()
        if b'"OK"' in connection.rest():
            found.append("text")
    with Framed(port) as connection:
        connection.send(message({"cmd": "PING"}))
        connection.finish()
        if b"PONG" in connection.rest():
            found.append("frame")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


def test_a_listener_speaks_its_protocol_and_auto_speaks_all(
    start_server: StartServer, tmp_path: Path
) -> None:
    names = ["redis", "json", "text", "frame", "auto"]
    options = [word for name in names for word in ("--listen", f"{name}://127.0.0.1:0")]
    server = start_server(*options)
    for name, port in zip(names, server.ports, strict=True):
        wanted = names[:4] if name == "auto" else [name]
        assert speaks(port) == wanted, name


@pytest.mark.parametrize("loop", ["default loop", "asyncio"])
def test_a_socket_file_speaks_all_and_is_gone_at_the_end(
    start_server: StartServer, tmp_path: Path, loop: str
) -> None:
    path, pinned = tmp_path / "all", tmp_path / "redis"
    options = ("--listen", f"unix://{path}", "--listen", f"unix://{pinned}?protocol=redis")
    if loop == "asyncio":
        server = start_server(*options, program=WITHOUT_UVLOOP)
    else:
        server = start_server(*options)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert speaks(path) == ["redis", "json", "text", "frame"]
    assert speaks(pinned) == ["redis"]
    assert run(tool("redis-cli"), "-s", path, "SET", "k", "v") == "OK\n"
    with Text(pinned) as connection:
        connection.send(b"SHUTDOWN\n")
        assert connection.rest() == b""
    assert server.wait() == 0
    assert not path.exists()
    assert not pinned.exists()


def test_a_socket_file_that_a_killed_server_has_left_is_made_anew(
    start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    server = start_server("--listen", f"unix://{path}")
    server.kill9()
    assert path.exists()
    server.start()
    with Text(path) as connection:
        assert connection.call("PING")["status"] == "OK"


def test_what_another_has_put_in_its_place_is_left_alone(
    start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    server = start_server("--listen", f"unix://{path}")
    path.unlink()
    path.write_text("mine")
    assert server.terminate() == 0
    assert path.read_text() == "mine"


def refused(server: Server, tmp_path: Path, path: Path) -> str:
    done = os.popen(  # noqa: S605
        " ".join([*server.command[:3], "serve", "--data-dir", str(tmp_path / "other")])
        + f" --listen unix://{path} 2>&1"
    )
    return done.read()


def test_a_socket_file_that_is_listened_on_is_not_taken(
    start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    server = start_server("--listen", f"unix://{path}")
    assert "another server listens there" in refused(server, tmp_path, path)
    with Text(path) as connection:
        assert connection.call("PING")["status"] == "OK"


def test_a_file_that_is_no_socket_is_not_taken(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("dear")
    assert "no socket" in refused(server, tmp_path, path)
    assert path.read_text() == "dear"
    assert "cannot listen on unix:///" in refused(server, tmp_path, tmp_path / "missing" / "s")


@pytest.mark.parametrize(
    "url",
    ["auto://127.0.0.1:1", "frame://[::1]:2", "text://localhost:3", "unix:///a/b", "unix:///a b"],
)
def test_an_address_is_shown_as_it_is_written(url: str) -> None:
    assert str(parse_address(url)) == url


def test_the_parts_of_an_address() -> None:
    assert parse_address("unix:///a/s?protocol=text") == Address("text", "", 0, "/a/s")
    assert parse_address("unix:///a%20b") == Address("auto", "", 0, "/a b")
    assert parse_address("frame://") == Address("frame", "127.0.0.1", 6379)


# --- HTTP ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_an_http_client_is_told_that_it_is_at_the_wrong_door(
    shared_server: Server, method: str
) -> None:
    client = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=20)
    client.request(method, "/keys/hello")
    response = client.getresponse()
    assert response.status == 501
    assert b"does not speak HTTP" in response.read()
    client.close()


def test_no_line_of_an_http_request_is_a_command(shared_server: Server) -> None:
    attack = b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET hacked 1\r\n"
    with shared_server.text() as connection:
        connection.send(attack)
        assert connection.rest().startswith(b"HTTP/1.1 501 ")
    with shared_server.text() as connection:
        assert connection.call("GET hacked")["status"] == "ERROR"


@pytest.mark.parametrize("protocol", ["text", "redis"])
def test_no_line_of_an_http_request_is_a_command_on_a_pinned_listener(
    start_server: StartServer, protocol: str
) -> None:
    server = start_server("--listen", f"{protocol}://127.0.0.1:0")
    for attack in (
        b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET hacked 1\r\n",
        b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\nSET hacked 1\r\n",
    ):
        with Connection(server.port) as connection:
            connection.send(attack)
            assert b"no HTTP server" in connection.rest()
    with Connection(server.port) as connection:
        connection.send(b"GET hacked\r\n")
        assert connection.line() in (
            b"$-1\r\n",
            b'{"status": "ERROR", "message": "Key \'hacked\' not found"}\n',
        )


# --- C's way to start ---------------------------------------------------------------------------


def test_a_memtable_may_be_given_in_entries(start_server: StartServer) -> None:
    server = start_server("--memtable-size", "100000")
    with server.resp() as connection:
        memory = connection.call("CONFIG", "GET", "kveik-memory")[1]
    assert memory == str(100_000 * 1024 * 8).encode()
    server = start_server("--memtable-size", "1000")
    with server.resp() as connection:
        assert connection.call("CONFIG", "GET", "kveik-memory")[1] == str(8 << 20).encode()


def test_all_is_said_at_the_start(start_server: StartServer, tmp_path: Path) -> None:
    names = ("auto", "redis", "json", "frame", "text")
    options = [word for name in names for word in ("--listen", f"{name}://127.0.0.1:0")]
    server = start_server(*options, "--listen", f"unix://{tmp_path}/s")
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    said = (server.data_dir.parent / "stdout").read_text()
    lines = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    for line in lines:
        if "demo" not in line and "nc -q" not in line:
            assert run("sh", "-c", line) in ("OK\n", "world\n", "b'world'\n"), line
    assert any("pickle" in line for line in lines)
    assert f"ready on unix://{tmp_path}/s\n" in said
