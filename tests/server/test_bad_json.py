"""Bad JSON lines: one error line each, nothing lost, and everybody else is served on."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.support.server import Server
from tests.support.wire import JsonLines

PUT = b'{"command": "put", "key": "kept", "value": %s}'

REFUSED = {
    "a list": (b"[1, 2]", "a request is a JSON object"),
    "a number": (b"42", "a request is a JSON object"),
    "half an object": (b'{"command": "put"', "not valid JSON"),
    "two objects": (b"{} {}", "not valid JSON"),
    "no JSON": (b"put kept lost", "not valid JSON"),
    "bytes that are no UTF-8": (PUT % b'"\xff"', "not UTF-8"),
    "an empty object": (b"{}", "'command' is missing"),
    "an unknown command": (b'{"command": "drop"}', "unknown command 'drop'"),
    "a command that is no string": (b'{"command": ["put"]}', "unknown command"),
    "no key": (b'{"command": "put", "value": 1}', "'key' is missing"),
    "no value": (b'{"command": "put", "key": "kept"}', "'value' is missing"),
    "no end": (b'{"command": "read_key_range", "start_key": "a"}', "'end_key' is missing"),
    "a key that is no string": (b'{"command": "read", "key": 1}', "'key' must be a string"),
    "a key of no bytes": (b'{"command": "put", "key": "", "value": 1}', "1 to 65536 bytes, not 0"),
    "a key too long": (
        b'{"command": "put", "key": "%s", "value": 1}' % (b"k" * 65537),
        "1 to 65536 bytes, not 65537",
    ),
    "half a character in a key": (b'{"command": "read", "key": "\\ud800"}', "valid Unicode"),
    "half a character in a value": (PUT % b'["\\ud800"]', "valid Unicode"),
    "keys that are no list": (
        b'{"command": "batch_put", "keys": "kept", "values": ["lost"]}',
        "'keys' must be a list",
    ),
    "more keys than values": (
        b'{"command": "batch_put", "keys": ["kept", "b"], "values": ["lost"]}',
        "2 keys for 1 values",
    ),
    "a bad key behind a good one": (
        b'{"command": "batch_put", "keys": ["kept", null], "values": ["lost", 1]}',
        "each of 'keys' must be a string",
    ),
    "a bad value behind a good one": (
        b'{"command": "batch_put", "keys": ["kept", "b"], "values": ["lost", 1e999]}',
        "not JSON compliant",
    ),
    "a member twice": (
        b'{"command": "put", "key": "kept", "value": 1, "value": 2}',
        "'value' stands there twice",
    ),
    "a member of the value twice": (PUT % b'{"a": {"b": 1, "b": 2}}', "'b' stands there twice"),
    "a password where there is none": (
        b'{"command": "auth", "password": "x"}',
        "no password is set",
    ),
    "no password": (b'{"command": "auth"}', "'password' is missing"),
    "NaN": (PUT % b"NaN", "NaN is no JSON"),
    "infinity": (PUT % b"[-Infinity]", "-Infinity is no JSON"),
    "a number past all floats": (PUT % b"1e999", "not JSON compliant"),
    "a number of too many digits": (PUT % (b"1" * 5000), "not valid JSON"),
    "nesting too deep": (PUT % (b"[" * 200 + b"]" * 200), "nested at most 128 deep"),
    "nesting past all measure": (PUT % (b"[" * 200_000), "nested at most 128 deep"),
}


@pytest.fixture(scope="module")
def bystander(shared_server: Server) -> Iterator[JsonLines]:
    """Another client, connected all the while."""
    with shared_server.json() as connection:
        assert connection.call(command="put", key="kept", value="safe")["status"] == "ok"
        yield connection


def assert_served(server: Server, bystander: JsonLines) -> None:
    assert bystander.read("kept") == "safe"
    with server.json() as newcomer:
        assert newcomer.read("kept") == "safe"


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_line_gets_one_error_and_the_connection_goes_on(
    shared_server: Server, bystander: JsonLines, case: str
) -> None:
    line, complaint = REFUSED[case]
    with shared_server.json() as connection:
        connection.send(b'{"command": "read", "key": "kept"}\n' + line + b"\n")
        assert connection.reply() == {"status": "ok", "result": "safe"}
        answer = connection.reply()
        assert sorted(answer) == ["message", "status"]
        assert answer["status"] == "error"
        assert complaint in answer["message"]
        assert connection.read("kept") == "safe"
    assert_served(shared_server, bystander)


def test_a_first_line_may_be_bad_too(shared_server: Server) -> None:
    with shared_server.json() as connection:
        connection.send(b"{nonsense}\n")
        assert connection.reply()["status"] == "error"
        assert connection.call(command="read", key="nothing") == {"status": "ok", "result": None}


def test_a_line_too_long_is_told_and_ends_the_connection(
    shared_server: Server, bystander: JsonLines
) -> None:
    with shared_server.json() as connection:
        assert connection.read("kept") == "safe"
        connection.send(b"{" * (64 * 1024 * 1024 + 1))
        answer = json.loads(connection.rest())
    assert answer == {"status": "error", "message": "a line has at most 67108864 bytes"}
    assert_served(shared_server, bystander)


@pytest.mark.parametrize("begun", [b"{", PUT % b'"half', b'{"command": "read"'])
def test_half_a_line_then_the_end_of_input_is_an_error_and_changes_nothing(
    shared_server: Server, bystander: JsonLines, begun: bytes
) -> None:
    with shared_server.json() as connection:
        connection.send(begun)
        connection.finish()
        assert json.loads(connection.rest())["status"] == "error"
    assert_served(shared_server, bystander)


def test_a_last_line_without_its_end_is_answered(shared_server: Server) -> None:
    with shared_server.json() as connection:
        connection.send(b'{"command": "put", "key": "last", "value": [1]}\n')
        connection.send(b'{"command": "read", "key": "last"}')
        connection.finish()
        answers = [json.loads(line)["result"] for line in connection.rest().splitlines()]
    assert answers == [True, [1]]


def test_a_client_that_leaves_before_its_answers_are_read_disturbs_nobody(
    shared_server: Server, bystander: JsonLines
) -> None:
    assert bystander.call(command="put", key="large", value="x" * 100_000)["status"] == "ok"
    for _ in range(5):
        with shared_server.json() as connection:
            connection.send(b'{"command": "read", "key": "large"}\n' * 200)
        assert_served(shared_server, bystander)
