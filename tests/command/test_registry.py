"""Finding a command, and what every command has in common."""

from __future__ import annotations

from contextlib import suppress

import pytest
from tests.command.desk import Desk

from kveik.command.command import Command
from kveik.command.registry import COMMANDS, TABLE, Finder
from kveik.errors import CommandError

READERS = [command for command in COMMANDS if "readonly" in command.flags]
FAMILIES = [command for command in COMMANDS if command.members is not None]
MEMBERS = [one for command in FAMILIES for one in (command.members or {}).values()]
SINGLE = [command for command in COMMANDS if command.members is None]
EACH = pytest.mark.parametrize("command", SINGLE, ids=lambda command: command.name)


def least(command: Command) -> int:
    """The fewest arguments, the name included, that a command takes."""
    return abs(int(command.arity))


def refusal(*args: bytes) -> str:
    with pytest.raises(CommandError) as caught:
        Finder().find(list(args))
    return str(caught.value)


@EACH
def test_a_command_is_found_in_any_case(command: Command) -> None:
    finder = Finder()
    more = [b"x"] * (least(command) - 1)
    for name in (command.name, command.name.lower(), command.name.title(), command.name):
        assert finder.find([name.encode(), *more]) is command


@EACH
def test_a_command_with_too_few_arguments_is_refused_in_redis_words(command: Command) -> None:
    args = [command.name.lower().encode()] + [b"x"] * (least(command) - 2)
    if least(command) > 1:
        text = f"ERR wrong number of arguments for '{command.name.lower()}' command"
        assert refusal(*args) == text
    else:
        assert Finder().find([command.name.encode()]) is command


@EACH
def test_a_command_with_a_fixed_count_takes_no_more(command: Command) -> None:
    args = [command.name.encode()] + [b"x"] * least(command)
    if command.arity > 0:
        assert refusal(*args).startswith("ERR wrong number of arguments for ")
    else:
        assert Finder().find(args) is command


@EACH
def test_a_command_is_one_kind_of_function_and_is_described(command: Command) -> None:
    functions = (command.on_data, command.on_client, command.on_both)
    assert [function is None for function in functions].count(False) == 1
    assert command.name == command.name.upper()
    assert command.summary.endswith(".")
    if command.on_both is None:
        assert {"write", "readonly"}.isdisjoint(command.flags) == (command.on_data is None)


@pytest.mark.parametrize("command", FAMILIES, ids=lambda command: command.name)
def test_a_family_is_described_and_leads_to_its_members(command: Command) -> None:
    assert command.summary.endswith(".")
    for word, one in (command.members or {}).items():
        assert one.name == f"{command.name}|{word.decode()}"
        more = [b"x"] * (least(one) - 2)
        name = command.name.encode()
        assert Finder().find([name, word.lower(), *more]) is one
    assert refusal(name, b"nosuch") == (
        f"ERR unknown subcommand 'nosuch'. Try {command.name} HELP."
    )
    if command.arity < -1:
        assert refusal(name) == f"ERR wrong number of arguments for '{command.lower}' command"


@pytest.mark.parametrize("command", MEMBERS, ids=lambda command: command.name)
def test_a_member_of_a_family_is_one_kind_of_function(command: Command) -> None:
    functions = (command.on_data, command.on_client, command.on_both)
    helps = command.name.endswith("|HELP")
    assert [function is None for function in functions].count(False) == (0 if helps else 1)
    assert command.summary.endswith(".")


@EACH
def test_the_keys_of_a_command_are_where_it_says(command: Command) -> None:
    first, last, step = command.positions
    assert (first == 0) == (last == 0) == (step == 0)
    assert first < least(command)


@pytest.mark.parametrize("command", READERS, ids=lambda command: command.name)
def test_a_command_that_only_reads_commits_nothing(desk: Desk, command: Command) -> None:
    desk.run("SET - v")
    before = desk.store.lsn()
    with suppress(CommandError):
        desk.run(command.name, *([b"-", b"+", b"0"][: least(command) - 1]))
    assert not desk.txn.dirty()
    assert desk.store.lsn() == before


def test_the_commands_are_listed_once_and_in_order() -> None:
    names = [command.name for command in COMMANDS]
    assert names == sorted(set(names))
    assert [name.encode() for name in names] == list(TABLE)


def test_a_finder_that_has_found_one_command_finds_the_next() -> None:
    finder = Finder()
    assert finder.find([b"GET", b"k"]).name == "GET"
    assert finder.find([b"SET", b"k", b"v"]).name == "SET"
    with pytest.raises(CommandError):
        finder.find([b"SET", b"k"])
    with pytest.raises(CommandError):
        finder.find([b"NOSUCH"])
    assert finder.find([b"SET", b"k", b"v"]).name == "SET"
    assert finder.find([b"get", b"k"]).name == "GET"


@pytest.mark.parametrize("name", [b"", b"NOSUCH", b"GETX", b"GE", b"GET ", b"\xff", b"G\x00T"])
def test_an_unknown_command_is_refused_by_name(name: bytes) -> None:
    assert refusal(name, b"arg").startswith("ERR unknown command '")


def test_a_long_or_wild_unknown_command_is_shown_in_short() -> None:
    text = refusal(b"N" * 100_000, *[b"\xff" * 1000] * 1000)
    assert text.startswith(f"ERR unknown command '{'N' * 128}', with args beginning with: '")
    assert len(text) < 1000
