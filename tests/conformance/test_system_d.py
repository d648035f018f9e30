"""System D as its users write it: by hand over netcat, and from ten lines of Python."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import Server
from tests.support.tools import run, tool

import kveik

# a line -> its answer; None for a message that may be anything
DIALOGUE: list[tuple[str, dict[str, object]]] = [
    ('SET mykey "hello world"', {"status": "OK", "message": "Key 'mykey' set"}),
    ("GET mykey", {"status": "OK", "value": "hello world"}),
    ("GET nonexistent", {"status": "ERROR", "message": "Key 'nonexistent' not found"}),
    ("DELETE mykey", {"status": "OK"}),
    ("DELETE mykey", {"status": "ERROR", "message": None}),
    ("GET mykey", {"status": "ERROR", "message": "Key 'mykey' not found"}),
    ("PING", {"status": "OK", "message": "PONG"}),
    ('set config:debug "true"', {"status": "OK", "message": "Key 'config:debug' set"}),
    ("get config:debug", {"status": "OK", "value": True}),
    ('SET product:1 "{"name": "Laptop", "price": 999}"',
     {"status": "OK", "message": "Key 'product:1' set"}),
    ("Get product:1", {"status": "OK", "value": {"name": "Laptop", "price": 999}}),
    ("SET user:1 '{\"name\": \"Alice\"}'", {"status": "OK", "message": "Key 'user:1' set"}),
    ("GET user:1", {"status": "OK", "value": {"name": "Alice"}}),
    ("SET counter 42", {"status": "OK", "message": "Key 'counter' set"}),
    ("GET counter", {"status": "OK", "value": 42}),
    ("SET list [1, 2, 3]", {"status": "OK", "message": "Key 'list' set"}),
    ("GET list", {"status": "OK", "value": [1, 2, 3]}),
    ("SET words two of them", {"status": "OK", "message": "Key 'words' set"}),
    ("GET words", {"status": "OK", "value": "two of them"}),
    ("FLUSH", {"status": "OK", "message": None}),
    ("GET counter", {"status": "OK", "value": 42}),
    ("SNAPSHOT", {"status": "OK", "message": None}),
    ("EXPLODE now", {"status": "ERROR", "message": "Unknown command"}),
    ("HELLO", {"status": "ERROR", "message": "Unknown command"}),
]  # fmt: skip


def agrees(answer: object, expected: dict[str, object]) -> bool:
    """Whether an answer is the expected one; in an error a message may be added."""
    if not isinstance(answer, dict) or answer.keys() - expected.keys() - {"message"}:
        return False
    return all(value is None or answer.get(name) == value for name, value in expected.items())


def test_by_hand_over_netcat_in_one_connection(server: Server) -> None:
    text = "".join(line + "\n" for line, _ in DIALOGUE)
    command = (tool("nc"), "-N", "127.0.0.1", server.port)
    answers = run(*command, stdin=text.encode()).splitlines()
    for (line, expected), answer in zip(DIALOGUE, answers, strict=True):
        assert agrees(json.loads(answer), expected), line


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["a newline", "as telnet ends lines"])
def test_line_by_line(server: Server, end: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        answers = connection.makefile("r")
        for line, expected in DIALOGUE:
            connection.sendall((line + end).encode())
            assert agrees(json.loads(answers.readline()), expected), line


def test_ten_lines_of_python(shared_server: Server) -> None:
    def send(command: str) -> Any:
        with socket.create_connection(("localhost", shared_server.port)) as connection:
            connection.sendall((command + "\n").encode())
            return json.loads(connection.makefile().readline())

    for line, expected in DIALOGUE:
        assert agrees(send(line), expected), line


def test_echo_a_line_into_netcat(shared_server: Server) -> None:
    for line, expected in DIALOGUE[:6]:
        (answer,) = run(
            tool("nc"), "-N", "127.0.0.1", shared_server.port, stdin=f"{line}\n".encode()
        ).splitlines()
        assert agrees(json.loads(answer), expected), line


def test_a_snapshot_is_a_copy_that_can_be_opened(server: Server) -> None:
    with server.text() as text:
        text.call('SET k "then"')
        told = text.call("SNAPSHOT")["message"]
        text.call('SET k "later"')
    directory = Path(told[told.index("/") :])
    with kveik.open(directory, create=False) as copy:
        assert copy["k"] == "then"


def test_flush_puts_everything_into_tables_and_deletes_nothing(server: Server) -> None:
    with server.text() as text, server.resp() as redis:
        text.call("SET k 1")
        assert text.call("FLUSH")["status"] == "OK"
        assert b"kveik_level_0:tables=1" in redis.call("INFO", "kveik")
        assert text.call("GET k") == {"status": "OK", "value": 1}


def test_shutdown_ends_the_server_and_keeps_what_was_written(server: Server) -> None:
    with server.text() as text:
        assert text.call("SET k 1")["status"] == "OK"
        assert text.call("SHUTDOWN") == {"status": "OK", "message": "Server shutting down"}
    assert server.wait() == 0
    server.start()
    with server.text() as text:
        assert text.call("GET k") == {"status": "OK", "value": 1}


def test_nothing_that_was_answered_is_lost_on_a_kill(server: Server) -> None:
    with server.text() as text:
        for number in range(200):
            assert text.call(f"SET k{number} {number}")["status"] == "OK"
    server.restart()
    with server.text() as text:
        assert [text.get(f"k{number}") for number in range(200)] == list(range(200))
