"""System A by hand: every JSON line over netcat."""

from __future__ import annotations

import json

import pytest
from tests.support.server import Server
from tests.support.tools import run, tool

DIALOGUE = """
{"command": "put", "key": "mykey", "value": "myvalue"}
    {"status": "ok", "result": true}
{"command": "read", "key": "mykey"}
    {"status": "ok", "result": "myvalue"}
{"command": "read", "key": "nothing"}
    {"status": "ok", "result": null}
{"command": "batch_put", "keys": ["k1", "k2"], "values": ["v1", "v2"]}
    {"status": "ok", "result": true}
{"command": "batch_put", "keys": ["key3", "key1", "key2"], "values": [{"a": [1.5, null]}, 1, "zwei"]}
    {"status": "ok", "result": true}
{"command": "read_key_range", "start_key": "key1", "end_key": "key3"}
    {"status": "ok", "result": {"key1": 1, "key2": "zwei", "key3": {"a": [1.5, null]}}}
{"command": "read_key_range", "start_key": "key3", "end_key": "key1"}
    {"status": "ok", "result": {}}
{"command": "delete", "key": "mykey"}
    {"status": "ok", "result": true}
{"command": "delete", "key": "mykey"}
    {"status": "ok", "result": false}
{"command": "read", "key": "mykey"}
    {"status": "ok", "result": null}
{"command": "put", "key": "snow", "value": "\u2603 caf\u00e9"}
    {"status": "ok", "result": true}
{"command": "read", "key": "snow"}
    {"status": "ok", "result": "\u2603 caf\u00e9"}
"""  # noqa: E501

LINES = DIALOGUE.strip().splitlines()
REQUESTS, ANSWERS = LINES[0::2], LINES[1::2]


def nc(server: Server, text: str) -> list[str]:
    """The lines that netcat prints; -N ends the input as it ends, and waits for the answers."""
    command = (tool("nc"), "-N", "127.0.0.1", server.port)
    return run(*command, stdin=text.encode()).splitlines()


def test_all_lines_in_one_connection(server: Server) -> None:
    answers = nc(server, "\n".join(REQUESTS) + "\n")
    for request, answer, expected in zip(REQUESTS, answers, ANSWERS, strict=True):
        assert json.loads(answer) == json.loads(expected), request
    ranged = json.loads(answers[5])["result"]
    assert list(ranged) == ["key1", "key2", "key3"]


def test_one_line_a_connection(server: Server) -> None:
    for request, expected in zip(REQUESTS, ANSWERS, strict=True):
        (answer,) = nc(server, request + "\n")
        assert json.loads(answer) == json.loads(expected), request


@pytest.mark.parametrize("request_", ['{"command": "drop"}', "{", '{"command": "read"}'])
def test_errors_are_told_in_one_line(server: Server, request_: str) -> None:
    (answer,) = nc(server, request_ + "\n")
    told = json.loads(answer)
    assert told["status"] == "error"
    assert told["message"]
