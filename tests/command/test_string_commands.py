"""GET SET MGET MSET STRLEN."""

from __future__ import annotations

import pytest
from tests.command.desk import START, Desk

from kveik.limits import MAX_COMMIT, MAX_KEY, MAX_VALUE

SYNTAX = "ERR syntax error"
INTEGER = "ERR value is not an integer or out of range"
EXPIRE = "ERR invalid expire time in 'set' command"


def test_a_value_that_was_set_is_got(desk: Desk) -> None:
    assert desk.run("GET k") is None
    assert desk.run("SET k v") == "OK"
    assert desk.run("GET k") == b"v"
    assert desk.run("SET k w") == "OK"
    assert desk.run("GET k") == b"w"


def test_keys_and_values_are_any_bytes(desk: Desk) -> None:
    every = bytes(range(256))
    desk.run("SET", every, every[::-1])
    desk.run("SET empty", b"")
    assert desk.run("GET", every) == every[::-1]
    assert desk.run("GET empty") == b""


@pytest.mark.parametrize(
    ("value", "data"),
    [("text æ", "text æ".encode()), ([1, None], b"[1,null]"), (None, b"null"), (1.5, b"1.5")],
)
def test_a_value_of_another_kind_is_got_as_its_bytes(
    desk: Desk, value: object, data: bytes
) -> None:
    desk.ask(command="put", key="k", value=value)
    assert desk.run("GET k") == data
    assert desk.run("MGET k") == [data]
    assert desk.run("STRLEN k") == len(data)
    assert desk.run("TYPE k") == "string"


def test_set_nx_writes_only_where_nothing_is(desk: Desk) -> None:
    assert desk.run("SET k 1 NX") == "OK"
    assert desk.run("SET k 2 NX") is None
    assert desk.run("GET k") == b"1"


def test_set_xx_writes_only_where_something_is(desk: Desk) -> None:
    assert desk.run("SET k 1 XX") is None
    assert desk.run("GET k") is None
    desk.run("SET k 1")
    assert desk.run("SET k 2 XX") == "OK"
    assert desk.run("GET k") == b"2"


def test_set_get_returns_what_was_there_whether_it_writes_or_not(desk: Desk) -> None:
    assert desk.run("SET k 1 GET") is None
    assert desk.run("SET k 2 GET") == b"1"
    assert desk.run("SET k 3 NX GET") == b"2"
    assert desk.run("GET k") == b"2"
    assert desk.run("SET k 4 XX GET") == b"2"
    assert desk.run("GET k") == b"4"
    assert desk.run("SET other 1 XX GET") is None
    assert desk.run("GET other") is None
    assert desk.run("SET other 1 NX GET") is None
    assert desk.run("GET other") == b"1"


def test_a_set_that_writes_nothing_commits_nothing(desk: Desk) -> None:
    desk.run("SET k 1")
    before = desk.store.lsn()
    desk.run("SET k 2 NX")
    desk.run("SET other 2 XX")
    desk.error("SET k 2 EX 0")
    assert desk.store.lsn() == before


@pytest.mark.parametrize(
    ("option", "left"),
    [
        ("EX 10", 10_000),
        ("PX 1500", 1500),
        (f"EXAT {START // 1000 + 7}", 7000),
        (f"PXAT {START + 1}", 1),
        ("px 5", 5),
    ],
)
def test_a_value_expires_at_the_millisecond_it_was_given(
    desk: Desk, option: str, left: int
) -> None:
    desk.run(f"SET k v {option}")
    desk.now = START + left - 1
    assert desk.run("GET k") == b"v"
    desk.now = START + left
    assert desk.run("GET k") is None


@pytest.mark.parametrize("option", ["EXAT 1", "PXAT 1", f"PXAT {START}"])
def test_a_point_in_the_past_makes_a_value_that_has_expired(desk: Desk, option: str) -> None:
    desk.run("SET k v")
    assert desk.run(f"SET k w {option}") == "OK"
    assert desk.run("GET k") is None


@pytest.mark.parametrize("line", ["SET k w", "SET k w GET", "SET k w XX", "MSET k w"])
def test_a_new_value_forgets_when_the_old_one_would_have_expired(desk: Desk, line: str) -> None:
    desk.run("SET k v PX 100")
    desk.run(line)
    desk.now += 100
    assert desk.run("GET k") == b"w"


def test_keepttl_keeps_when_the_old_value_would_have_expired(desk: Desk) -> None:
    desk.run("SET k v PX 100")
    desk.run("SET k w KEEPTTL")
    desk.now += 99
    assert desk.run("GET k") == b"w"
    desk.now += 1
    assert desk.run("GET k") is None
    desk.run("SET k new KEEPTTL")  # nothing is there, so nothing is kept
    desk.now += 1_000_000
    assert desk.run("GET k") == b"new"


def test_options_come_in_any_order_and_case(desk: Desk) -> None:
    desk.run("SET k 1")
    assert desk.run("set k 2 pX 100 gEt xx") == b"1"
    desk.now += 100
    assert desk.run("get k") is None


def test_a_value_may_expire_as_late_as_the_clock_can_say(desk: Desk) -> None:
    latest = 2**63 - 1
    assert desk.run(f"SET a v PXAT {latest}") == "OK"
    assert desk.run(f"SET b v PX {latest - START}") == "OK"
    assert desk.run(f"SET c v EXAT {latest // 1000}") == "OK"
    assert desk.run("MGET a b c") == [b"v"] * 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("NX XX", SYNTAX),
        ("XX NX", SYNTAX),
        ("EX 1 PX 1", SYNTAX),
        ("EX 1 PXAT 1", SYNTAX),
        ("EX 1 KEEPTTL", SYNTAX),
        ("KEEPTTL EX 1", SYNTAX),
        ("EX", SYNTAX),
        ("NX PX", SYNTAX),
        ("FOO", SYNTAX),
        ("10", SYNTAX),
        ("GET GETX", SYNTAX),
        ("EX x", INTEGER),
        ("PX 1.5", INTEGER),
        ("EX +1", INTEGER),
        ("EX 01", INTEGER),
        ("EX -0", INTEGER),
        ("EX 1e3", INTEGER),
        ("EX 9223372036854775808", INTEGER),
        ("EX 99999999999999999999", INTEGER),
        ("PX -9223372036854775809", INTEGER),
        ("EX 0", EXPIRE),
        ("PX 0", EXPIRE),
        ("EXAT 0", EXPIRE),
        ("PXAT -1", EXPIRE),
        ("EX -9223372036854775808", EXPIRE),
        ("EX 9223372036854775807", EXPIRE),
        ("EX 9223372036854776", EXPIRE),
        ("EXAT 9223372036854776", EXPIRE),
        ("PX 9223372036854775807", EXPIRE),
    ],
)
def test_options_that_do_not_fit_are_refused_in_redis_words(
    desk: Desk, options: str, text: str
) -> None:
    desk.run("SET k old")
    assert desk.error(f"SET k new {options}") == text
    assert desk.run("GET k") == b"old"


def test_an_option_of_blanks_or_nothing_is_no_number(desk: Desk) -> None:
    assert desk.error("SET k v EX", b"") == INTEGER
    assert desk.error("SET k v EX", b" 1") == INTEGER
    assert desk.error("SET k v EX", b"1\x00") == INTEGER
    assert desk.error("SET k v EX", "\u0661".encode()) == INTEGER


def test_mget_answers_in_the_order_of_its_keys(desk: Desk) -> None:
    desk.run("MSET a 1 b 2")
    assert desk.run("MGET b nothing a b") == [b"2", None, b"1", b"2"]


def test_mset_sets_all_in_one_commit_the_last_of_a_repeated_key_wins(desk: Desk) -> None:
    assert desk.run("MSET a 1 b 2 a 3") == "OK"
    assert desk.store.lsn() == 1
    assert desk.run("MGET a b") == [b"3", b"2"]


def test_mset_needs_a_value_for_every_key(desk: Desk) -> None:
    assert desk.error("MSET a 1 b") == "ERR wrong number of arguments for 'mset' command"
    assert desk.run("MGET a b") == [None, None]


def test_strlen_counts_bytes(desk: Desk) -> None:
    desk.run("SET k", "æøå".encode())
    assert desk.run("STRLEN k") == 6
    assert desk.run("STRLEN nothing") == 0


@pytest.mark.parametrize("size", [0, MAX_KEY + 1])
def test_a_key_past_its_bounds_is_refused_and_nothing_of_its_command_is_done(
    desk: Desk, size: int
) -> None:
    text = f"a key has 1 to 65536 bytes, not {size}"
    assert desk.error("SET", bytes(size), b"v") == text
    assert desk.error("MSET a 1", bytes(size), b"v") == text
    assert desk.run("GET a") is None
    assert desk.run("GET", bytes(size)) is None


def test_a_key_may_be_as_long_as_its_bound(desk: Desk) -> None:
    key = b"k" * MAX_KEY
    desk.run("SET", key, b"v")
    assert desk.run("GET", key) == b"v"


def test_a_value_past_its_bound_is_refused(desk: Desk) -> None:
    text = f"a value has at most {MAX_VALUE} bytes, not {MAX_VALUE + 1}"
    assert desk.error("SET k", bytes(MAX_VALUE + 1)) == text


def test_a_commit_past_its_bound_is_refused_and_nothing_of_it_is_done(desk: Desk) -> None:
    large = bytes(MAX_VALUE)
    text = desk.error("MSET", b"a", b"1", b"b", large, b"c", large)
    assert text.startswith(f"a batch has at most {MAX_COMMIT} bytes, not ")
    assert desk.run("MGET a b c") == [None] * 3
    assert desk.run("SET a 1") == "OK"
