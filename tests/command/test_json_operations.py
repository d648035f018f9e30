"""put, read, read_key_range, batch_put and delete of the JSON lines protocol."""

from __future__ import annotations

import pytest
from tests.command.desk import Desk

from kveik.limits import MAX_KEY
from kveik.model import Cell
from kveik.wire.jsonlines import encode_result

LONE = "\ud800"  # no Unicode text


def value(desk: Desk, key: str) -> str:
    """What is read, as the JSON that stands in the answer."""
    line = encode_result(desk.ask(command="read", key=key)).decode()
    return line.removeprefix('{"status": "ok", "result": ').removesuffix("}\n")


def members(desk: Desk, start: str, end: str) -> list[str]:
    found = desk.ask(command="read_key_range", start_key=start, end_key=end)
    assert isinstance(found, dict)
    assert all(isinstance(cell, Cell) for cell in found.values())
    return list(found)


# --- what they do -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("text æ\n", '"text \\u00e6\\n"'),
        ("", '""'),
        (None, "null"),
        (False, "false"),
        (12, "12"),
        (-1.5, "-1.5"),
        ([1, [], {}], "[1,[],{}]"),
        ({"b": 1, "a": {"c": [None]}}, '{"b":1,"a":{"c":[null]}}'),
    ],
)
def test_any_json_value_that_was_put_is_read(desk: Desk, given: object, text: str) -> None:
    assert desk.ask(command="put", key="k", value=given) is True
    assert value(desk, "k") == text


def test_what_is_not_there_is_read_as_nothing(desk: Desk) -> None:
    assert desk.ask(command="read", key="k") is None
    assert desk.ask(command="read", key="") is None


def test_a_put_replaces_and_a_value_is_whatever_json_says(desk: Desk) -> None:
    desk.ask(command="put", key="k", value="old")
    desk.ask(command="put", key="k", value=None)
    assert value(desk, "k") == "null"
    assert desk.run("EXISTS k") == 1


def test_delete_says_whether_there_was_a_value(desk: Desk) -> None:
    desk.ask(command="put", key="k", value=1)
    assert desk.ask(command="delete", key="k") is True
    assert desk.ask(command="delete", key="k") is False
    assert desk.ask(command="read", key="k") is None


def test_a_batch_is_put_in_one_commit(desk: Desk) -> None:
    assert desk.ask(command="batch_put", keys=["a", "b", "a"], values=[1, [2], "3"]) is True
    assert desk.store.lsn() == 1
    assert [value(desk, "a"), value(desk, "b")] == ['"3"', "[2]"]


def test_an_empty_batch_is_fine_and_commits_nothing(desk: Desk) -> None:
    assert desk.ask(command="batch_put", keys=[], values=[]) is True
    assert desk.store.lsn() == 0


def test_a_range_includes_both_ends_in_the_order_of_the_keys(desk: Desk) -> None:
    for key in ("d", "b", "aa", "c", "a"):
        desk.ask(command="put", key=key, value=key.upper())
    assert members(desk, "a", "c") == ["a", "aa", "b", "c"]
    assert members(desk, "aa", "aa") == ["aa"]
    assert members(desk, "", "\U0010ffff") == ["a", "aa", "b", "c", "d"]
    assert members(desk, "bb", "bz") == []
    assert members(desk, "d", "a") == []


def test_the_end_of_a_range_does_not_include_what_it_begins(desk: Desk) -> None:
    desk.ask(command="batch_put", keys=["k", "k\x00", "ka"], values=[1, 2, 3])
    assert members(desk, "a", "k") == ["k"]


def test_keys_are_in_the_order_of_their_code_points(desk: Desk) -> None:
    keys = ["A", "Z", "a", "~", "é", "\uffff", "\U0001f600"]
    desk.ask(command="batch_put", keys=keys[::-1], values=keys)
    assert members(desk, "A", "\U0010ffff") == keys


def test_values_of_redis_clients_are_read_as_json(desk: Desk) -> None:
    desk.run("SET text", b"hello")
    desk.run("SET bytes", b"\xff")
    assert value(desk, "text") == '"hello"'
    assert value(desk, "bytes") == '{"$bytes": "/w=="}'


def test_keys_of_redis_clients_that_are_no_text_are_shown_as_base64(desk: Desk) -> None:
    desk.run("SET", b"k\xff", b"v")
    assert members(desk, "k", "l") == ["$bytes:a/8="]


def test_no_key_of_a_range_is_lost_to_another(desk: Desk) -> None:
    desk.run("SET", b"k\xff", b"1")
    desk.run("SET", b"k\\xff", b"2")  # spelled as the other is shown
    assert len(members(desk, "k", "l")) == 2


def test_the_operations_work_in_the_connections_database(desk: Desk) -> None:
    desk.ask(command="put", key="k", value=0)
    desk.client.database = 5
    assert desk.ask(command="read", key="k") is None
    assert members(desk, "a", "z") == []
    desk.ask(command="put", key="k", value=5)
    desk.client.database = 0
    assert value(desk, "k") == "0"


def test_members_that_mean_nothing_are_passed_over(desk: Desk) -> None:
    assert desk.ask(command="put", key="k", value=1, id=7, ttl=None) is True
    assert value(desk, "k") == "1"


# --- what they refuse ---------------------------------------------------------------------------

KNOWN = "known are put, read, read_key_range, batch_put, delete"


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({}, "the member 'command' is missing"),
        ({"command": "frobnicate"}, f"unknown command 'frobnicate': {KNOWN}"),
        ({"command": "PUT"}, f"unknown command 'PUT': {KNOWN}"),
        ({"command": ""}, f"unknown command '': {KNOWN}"),
        ({"command": None}, f"unknown command None: {KNOWN}"),
        ({"command": 7}, f"unknown command 7: {KNOWN}"),
        ({"command": ["put"]}, f"unknown command ['put']: {KNOWN}"),
        ({"command": {}}, f"unknown command {{}}: {KNOWN}"),
        ({"command": "put"}, "the member 'key' is missing"),
        ({"command": "put", "key": "k"}, "the member 'value' is missing"),
        ({"command": "put", "value": 1}, "the member 'key' is missing"),
        ({"command": "put", "key": 1, "value": 1}, "'key' must be a string"),
        ({"command": "put", "key": None, "value": 1}, "'key' must be a string"),
        ({"command": "put", "key": ["k"], "value": 1}, "'key' must be a string"),
        ({"command": "read"}, "the member 'key' is missing"),
        ({"command": "read", "key": True}, "'key' must be a string"),
        ({"command": "delete"}, "the member 'key' is missing"),
        ({"command": "delete", "key": {}}, "'key' must be a string"),
        ({"command": "read_key_range", "end_key": "b"}, "the member 'start_key' is missing"),
        ({"command": "read_key_range", "start_key": "a"}, "the member 'end_key' is missing"),
        (
            {"command": "read_key_range", "start_key": 1, "end_key": "b"},
            "'start_key' must be a string",
        ),
        (
            {"command": "read_key_range", "start_key": "a", "end_key": None},
            "'end_key' must be a string",
        ),
        ({"command": "batch_put", "values": []}, "the member 'keys' is missing"),
        ({"command": "batch_put", "keys": []}, "the member 'values' is missing"),
        ({"command": "batch_put", "keys": "ab", "values": [1, 2]}, "'keys' must be a list"),
        ({"command": "batch_put", "keys": ["a"], "values": "b"}, "'values' must be a list"),
        ({"command": "batch_put", "keys": ["a"], "values": {"a": 1}}, "'values' must be a list"),
        ({"command": "batch_put", "keys": ["a", "b"], "values": [1]}, "2 keys for 1 values"),
        ({"command": "batch_put", "keys": [], "values": [1]}, "0 keys for 1 values"),
        (
            {"command": "batch_put", "keys": ["a", 1], "values": [1, 2]},
            "each of 'keys' must be a string",
        ),
        (
            {"command": "read", "key": LONE},
            "'key' must be valid Unicode (it has a lone surrogate)",
        ),
        (
            {"command": "batch_put", "keys": ["a", LONE], "values": [1, 2]},
            "each of 'keys' must be valid Unicode (it has a lone surrogate)",
        ),
        (
            {"command": "put", "key": "k", "value": [LONE]},
            "text must be valid Unicode (it has a lone surrogate)",
        ),
        ({"command": "put", "key": "", "value": 1}, "a key has 1 to 65536 bytes, not 0"),
        (
            {"command": "put", "key": "k" * (MAX_KEY + 1), "value": 1},
            "a key has 1 to 65536 bytes, not 65537",
        ),
        (
            {"command": "batch_put", "keys": ["a", ""], "values": [1, 2]},
            "a key has 1 to 65536 bytes, not 0",
        ),
        (
            {"command": "put", "key": "k", "value": float("inf")},
            "Out of range float values are not JSON compliant",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_writes_nothing(
    desk: Desk, request_: dict[str, object], text: str
) -> None:
    assert desk.refusal(**request_) == text
    assert desk.store.lsn() == 0
    assert members(desk, "", "\U0010ffff") == []


def test_a_wild_command_is_shown_in_short(desk: Desk) -> None:
    nested: object = "x" * 100_000
    for _ in range(16):
        nested = [nested]
    text = desk.refusal(command=nested)
    assert text.startswith("unknown command [[")
    assert len(text) < 400
