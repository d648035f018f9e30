"""KV.RANGE."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.command.desk import Desk

from kveik.limits import RANGE_LIMIT
from kveik.model import BYTES

NOT_A_RANGE = "ERR min or max not valid string range item"


@pytest.fixture
def letters(desk: Desk) -> Desk:
    """A desk with the keys a to e, each its own value in upper case."""
    desk.run("MSET c C a A e E b B d D")
    return desk


def keys(desk: Desk, line: str, *more: bytes) -> str:
    """The keys of a range of one-letter keys, as one word."""
    found = desk.run(f"KV.RANGE {line} KEYSONLY", *more)
    assert isinstance(found, list)
    return b"".join(found).decode()


def test_a_range_is_a_flat_list_of_keys_and_values_in_order(letters: Desk) -> None:
    assert letters.run("KV.RANGE [b [d") == [b"b", b"B", b"c", b"C", b"d", b"D"]
    assert letters.run("KV.RANGE [b [d KEYSONLY") == [b"b", b"c", b"d"]


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ("- +", "abcde"),
        ("[b [d", "bcd"),
        ("[b (d", "bc"),
        ("(b [d", "cd"),
        ("(b (d", "c"),
        ("- [b", "ab"),
        ("- (b", "a"),
        ("[d +", "de"),
        ("(d +", "e"),
        ("[c [c", "c"),
        ("(c [c", ""),
        ("[c (c", ""),
        ("[bb [dd", "cd"),
        ("(bb (dd", "cd"),
        ("[d [b", ""),
        ("+ -", ""),
        ("+ +", ""),
        ("- -", ""),
        ("[a -", ""),
        ("+ [z", ""),
        ("[ [", ""),
        ("[ +", "abcde"),
        ("( +", "abcde"),
    ],
)
def test_a_bracket_includes_a_parenthesis_excludes_and_minus_and_plus_are_the_ends(
    letters: Desk, bounds: str, found: str
) -> None:
    assert keys(letters, bounds) == found


@pytest.mark.parametrize(
    ("bounds", "found"),
    [("+ -", "edcba"), ("[d [b", "dcb"), ("(d [b", "cb"), ("[d (b", "dc"), ("[b [d", "")],
)
def test_rev_turns_the_order_and_names_the_maximum_first(
    letters: Desk, bounds: str, found: str
) -> None:
    assert keys(letters, f"{bounds} REV") == found


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("LIMIT 0 2", "ab"),
        ("LIMIT 1 2", "bc"),
        ("LIMIT 4 2", "e"),
        ("LIMIT 5 2", ""),
        ("LIMIT 0 0", ""),
        ("LIMIT 2 -1", "cde"),
        ("LIMIT 0 9223372036854775807", "abcde"),
        ("LIMIT 1 9223372036854775807", "bcde"),
        ("LIMIT 9223372036854775807 9223372036854775807", ""),
        ("LIMIT 0 1 LIMIT 1 3", "bcd"),
        ("limit 1 1", "b"),
    ],
)
def test_limit_skips_and_then_takes(letters: Desk, options: str, found: str) -> None:
    assert keys(letters, f"- + {options}") == found


def test_limit_counts_from_the_maximum_with_rev(letters: Desk) -> None:
    assert keys(letters, "+ - REV LIMIT 1 2") == "dc"
    assert keys(letters, "+ - limit 1 2 rev") == "dc"


def test_a_range_without_a_limit_has_a_bound(desk: Desk) -> None:
    for number in range(RANGE_LIMIT + 5):
        desk.run(f"SET {number:05} v")
    assert desk.run("KV.RANGE - + KEYSONLY") == [b"%05d" % n for n in range(RANGE_LIMIT)]
    everything = desk.run("KV.RANGE - + KEYSONLY LIMIT 0 -1")
    assert everything == [b"%05d" % n for n in range(RANGE_LIMIT + 5)]


@pytest.mark.parametrize("bounds", ["a [b", "[a b", "a b", "= +", "- ++", "-a +", "(a +a"])
def test_an_end_in_no_notation_is_refused_in_redis_words(letters: Desk, bounds: str) -> None:
    assert letters.error(f"KV.RANGE {bounds}") == NOT_A_RANGE
    assert letters.error(f"KV.RANGE {bounds} REV") == NOT_A_RANGE


def test_an_empty_end_is_refused(letters: Desk) -> None:
    assert letters.error("KV.RANGE -", b"") == NOT_A_RANGE
    assert letters.error("KV.RANGE", b"", b"+") == NOT_A_RANGE


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("FOO", "ERR syntax error"),
        ("LIMIT", "ERR syntax error"),
        ("LIMIT 1", "ERR syntax error"),
        ("REV LIMIT 1", "ERR syntax error"),
        ("KEYSONLY 1", "ERR syntax error"),
        ("LIMIT a 1", "ERR value is not an integer or out of range"),
        ("LIMIT 0 b", "ERR value is not an integer or out of range"),
        ("LIMIT 0 9223372036854775808", "ERR value is not an integer or out of range"),
        ("LIMIT -1 5", "ERR a LIMIT's offset is 0 or more"),
    ],
)
def test_options_that_do_not_fit_are_refused(letters: Desk, options: str, text: str) -> None:
    assert letters.error(f"KV.RANGE - + {options}") == text


def test_keys_are_in_the_order_of_their_bytes(desk: Desk) -> None:
    order = [b"\x00", b"\x00\x00", b"\x01", b"A", b"a", b"a\x00", b"aa", b"b", b"\xff", b"\xff\xff"]
    for key in reversed(order):
        desk.run("SET", key, b"v")
    assert desk.run("KV.RANGE - + KEYSONLY") == order
    assert desk.run("KV.RANGE + - REV KEYSONLY") == order[::-1]
    assert desk.run("KV.RANGE", b"(a", b"[\xff", b"KEYSONLY") == order[5:9]


def test_databases_do_not_mix_even_at_their_ends(desk: Desk) -> None:
    for database in (0, 1, 2, 14, 15):
        desk.run(f"SELECT {database}")
        desk.run("SET", b"\x00", b"%d" % database)
        desk.run("SET", b"\xff" * 100, b"%d" % database)
    for database in (0, 1, 2, 14, 15):
        desk.run(f"SELECT {database}")
        value = b"%d" % database
        assert desk.run("KV.RANGE - +") == [b"\x00", value, b"\xff" * 100, value]
        assert desk.run("KV.RANGE + - REV LIMIT 0 1") == [b"\xff" * 100, value]


def test_deleted_keys_are_not_in_a_range_and_do_not_count(letters: Desk) -> None:
    letters.run("DEL b c")
    assert keys(letters, "- +") == "ade"
    assert keys(letters, "- + LIMIT 0 2") == "ad"
    assert keys(letters, "- + LIMIT 1 1") == "d"


# --- against a plain dict -----------------------------------------------------------------------

KEYS = st.lists(st.sampled_from(b"ab\x00\xff"), min_size=1, max_size=3).map(bytes)
ENDS = st.sampled_from([b"-", b"+"]) | st.builds(
    lambda sign, key: sign + key, st.sampled_from([b"[", b"("]), KEYS
)


def inside(key: bytes, low: bytes, high: bytes) -> bool:
    """Whether a key is between two ends, as their notation says."""
    if low == b"+" or high == b"-":
        return False
    above = low == b"-" or key > low[1:] or (low[:1] == b"[" and key == low[1:])
    return above and (high == b"+" or key < high[1:] or (high[:1] == b"[" and key == high[1:]))


@given(
    st.dictionaries(KEYS, st.binary(max_size=3), max_size=12),
    ENDS,
    ENDS,
    st.booleans(),
    st.none() | st.tuples(st.integers(0, 5), st.integers(-1, 5)),
)
@settings(deadline=None, max_examples=150)
def test_a_range_is_what_a_sorted_dict_would_say(
    content: dict[bytes, bytes],
    low: bytes,
    high: bytes,
    reverse: bool,
    limit: tuple[int, int] | None,
) -> None:
    desk = Desk()
    for key, value in content.items():
        desk.run("SET", key, value)
    expected = sorted((key for key in content if inside(key, low, high)), reverse=reverse)
    args = [high, low, b"REV"] if reverse else [low, high]
    if limit is not None:
        offset, count = limit
        args += [b"LIMIT", b"%d" % offset, b"%d" % count]
        expected = expected[offset:][: count if count >= 0 else None]
    assert desk.run("KV.RANGE", *args, b"KEYSONLY") == expected
    assert desk.run("KV.RANGE", *args) == [part for k in expected for part in (k, content[k])]


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "expired", "delete", "clear", "clear all"]), KEYS),
    max_size=8,
)


@given(
    st.dictionaries(KEYS, st.just(b"old"), max_size=8),
    STEPS,
    KEYS,
    st.none() | KEYS,
    st.booleans(),
    st.integers(-1, 4),
)
@settings(deadline=None, max_examples=200)
def test_a_transaction_ranges_over_its_own_writes(
    content: dict[bytes, bytes],
    steps: list[tuple[str, bytes]],
    start: bytes,
    stop: bytes | None,
    reverse: bool,
    limit: int,
) -> None:
    desk = Desk()
    for key, value in content.items():
        desk.run("SET", key, value)
    txn = desk.txn
    txn.begin(0)
    for step, key in steps:
        if step == "put":
            txn.put(key, BYTES, b"new")
            content[key] = b"new"
        elif step == "expired":
            txn.put(key, BYTES, b"new", 1)
            content.pop(key, None)
        elif step == "delete":
            assert txn.delete(key) == (content.pop(key, None) is not None)
        else:
            txn.clear(step == "clear all")
            content.clear()
        cell = txn.get(key)
        assert (None if cell is None else cell.data) == content.get(key)
    rows = txn.scan(start, stop, reverse, limit)
    expected = sorted(k for k in content if start <= k and (stop is None or k < stop))
    if reverse:
        expected.reverse()
    if limit >= 0:
        expected = expected[:limit]
    assert rows.keys == expected
    assert [rows.data(at) for at in range(len(rows.keys))] == [content[key] for key in expected]
