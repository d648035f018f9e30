"""The checker of histories: what it lets pass, and what it must find."""

from __future__ import annotations

from random import Random

import pytest
from tests.support.linear import UNKNOWN, Draw, Operation, check, partitions, perform


def op(begin: int, end: int, words: str, answer: object = UNKNOWN) -> Operation:
    return Operation(begin, tuple(words.split()), begin, end, answer)


GOOD = {
    "nothing": [],
    "one after the other": [
        op(1, 2, "SET k 1", "OK"),
        op(3, 4, "GET k", b"1"),
        op(5, 6, "DEL k", 1),
        op(7, 8, "GET k", None),
    ],
    "a read sees a write that is under way, or not": [
        op(1, 9, "SET k 1", "OK"),
        op(2, 3, "GET k", None),
        op(4, 5, "GET k", b"1"),
    ],
    "two writes in either order": [
        op(1, 9, "SET k 1", "OK"),
        op(2, 8, "SET k 2", "OK"),
        op(10, 11, "GET k", b"1"),
    ],
    "an unknown write has happened": [op(1, 9, "SET k 1"), op(10, 11, "GET k", b"1")],
    "an unknown write has not happened": [op(1, 9, "SET k 1"), op(10, 11, "GET k", None)],
    "a chain of exchanges": [
        op(1, 20, "KV.CAS k 2 3", 1),
        op(2, 19, "KV.CAS k 1 2", 1),
        op(3, 18, "SET k 1", "OK"),
        op(21, 22, "GET k", b"3"),
    ],
    "counted together": [op(1, 9, "INCR k", 2), op(1, 9, "INCR k", 1), op(2, 8, "INCR k", 3)],
    "several at once": [
        op(1, 9, "EXEC SET a 1 ; SET b 1", ["OK", "OK"]),
        op(2, 8, "EXEC GET a ; GET b", [b"1", b"1"]),
    ],
}

BAD = {
    "a write is lost": [op(1, 2, "SET k 1", "OK"), op(3, 4, "GET k", None)],
    "an old value comes back": [
        op(1, 2, "SET k 1", "OK"),
        op(3, 4, "SET k 2", "OK"),
        op(5, 6, "GET k", b"1"),
    ],
    "a value that nobody wrote": [op(1, 2, "GET k", b"7")],
    "what was seen is taken back": [
        op(1, 9, "SET k 1", "OK"),
        op(2, 3, "GET k", b"1"),
        op(4, 5, "GET k", None),
    ],
    "what was seen of an unknown write is taken back": [
        op(1, 9, "SET k 1"),
        op(2, 3, "GET k", b"1"),
        op(10, 11, "GET k", None),
    ],
    "an unknown write happens after its end": [
        op(1, 4, "SET k 1"),
        op(5, 6, "GET k", None),
        op(7, 8, "GET k", b"1"),
    ],
    "two see two writes in different orders": [
        op(1, 20, "SET k 1", "OK"),
        op(1, 20, "SET k 2", "OK"),
        op(2, 3, "GET k", b"1"),
        op(4, 5, "GET k", b"2"),
        op(6, 7, "GET k", b"1"),
    ],
    "an increment is lost": [op(1, 9, "INCR k", 1), op(2, 8, "INCR k", 1)],
    "two exchanges of the same value": [
        op(1, 2, "SET k 1", "OK"),
        op(3, 9, "KV.CAS k 1 2", 1),
        op(4, 8, "KV.CAS k 1 3", 1),
    ],
    "half of a transaction is seen": [
        op(1, 9, "EXEC SET a 1 ; SET b 1", ["OK", "OK"]),
        op(2, 8, "EXEC GET a ; GET b", [b"1", None]),
    ],
    "half of an unknown transaction is kept": [
        op(1, 9, "EXEC SET a 1 ; SET b 1"),
        op(10, 11, "GET a", b"1"),
        op(12, 13, "GET b", None),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_history_that_is_linearizable_passes(name: str) -> None:
    assert check(GOOD[name], {}) == []


@pytest.mark.parametrize("name", BAD)
def test_a_history_that_is_not_is_found(name: str) -> None:
    assert check(BAD[name], {})
    rest = [op(100, 101, "SET other 1", "OK"), op(102, 103, "GET other", b"1")]
    assert check([*rest, *BAD[name]], {})


def test_it_begins_with_what_was_there() -> None:
    assert check([op(1, 2, "GET k", b"5")], {"k": b"5"}) == []
    assert check([op(1, 2, "GET k", None)], {"k": b"5"})


def test_what_shares_no_keys_is_checked_apart() -> None:
    history = [op(1, 2, "GET a", None), op(3, 4, "GET b", None), op(5, 6, "GET c", None)]
    assert len(list(partitions(history))) == 3
    joined = [*history, op(7, 8, "EXEC GET a ; GET c", [None, None])]
    assert sorted(len(part) for part in partitions(joined)) == [1, 3]


def played(random: Random, count: int, clients: int) -> list[Operation]:
    """A history as a right server answers: each operation happens at a moment within its time."""
    draw = Draw(random, ["a", "b", "c"], ["GET", "SET", "DEL", "INCR", "KV.CAS", "EXEC"], 0)
    values: dict[str, bytes] = {}
    free = [0] * clients
    made: list[tuple[float, Operation]] = []
    for _ in range(count):
        client = random.randrange(clients)
        begin = free[client] + random.randint(1, 20)
        end = begin + random.randint(1, 30)
        free[client] = end
        made.append((random.uniform(begin, end), Operation(client, draw.next(), begin, end)))
    for _, operation in sorted(made, key=lambda pair: pair[0]):
        operation.answer, values = perform(values, operation)
        if random.random() < 0.05:
            operation.answer = UNKNOWN
    return [operation for _, operation in made]


@pytest.mark.parametrize("seed", range(20))
def test_what_a_right_server_answers_passes_and_a_changed_answer_does_not(seed: int) -> None:
    random = Random(seed)
    history = played(random, 400, 6)
    assert check(history, {}) == []
    reads = [operation for operation in history if isinstance(operation.answer, bytes)]
    random.choice(reads).answer = b"-1"
    assert check(history, {})
