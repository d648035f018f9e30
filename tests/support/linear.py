"""Is a history of concurrent operations linearizable? After Wing and Gong, with Lowe's memory.

Each operation must seem to happen at one moment between its invocation and its return, and in that
order must have answered what it did. An operation without an answer (the server died) may have
happened before its end, or not at all. What shares no keys is checked apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

Values = dict[str, bytes]
Words = tuple[str, ...]

UNKNOWN = object()  # in place of an answer that nobody has heard


class Operation:
    """What a client asked for, when, and what it heard; `end` is its last moment, if it had any."""

    def __init__(
        self, client: int, words: Words, begin: int, end: int = 0, answer: object = UNKNOWN
    ) -> None:
        self.client = client
        self.words = words
        self.begin = begin
        self.end = end
        self.answer = answer

    def commands(self) -> list[Words]:
        """One; several that are joined by `;` in an EXEC."""
        if self.words[0] != "EXEC":
            return [self.words]
        found: list[list[str]] = [[]]
        for word in self.words[1:]:
            if word == ";":
                found.append([])
            else:
                found[-1].append(word)
        return [tuple(words) for words in found]

    def keys(self) -> set[str]:
        return {words[1] for words in self.commands()}

    def __repr__(self) -> str:
        heard = "?" if self.answer is UNKNOWN else repr(self.answer)
        return f"[{self.begin}-{self.end}] client {self.client}: {' '.join(self.words)} -> {heard}"


# --- what the operations mean -------------------------------------------------------------------


def _get(values: Values, words: Words) -> object:
    return values.get(words[1])


def _set(values: Values, words: Words) -> object:
    values[words[1]] = words[2].encode()
    return "OK"


def _delete(values: Values, words: Words) -> object:
    return int(values.pop(words[1], None) is not None)


def _incr(values: Values, words: Words) -> object:
    number = int(values.get(words[1], b"0")) + 1
    values[words[1]] = b"%d" % number
    return number


def _cas(values: Values, words: Words) -> object:
    if values.get(words[1]) != words[2].encode():
        return 0
    values[words[1]] = words[3].encode()
    return 1


MEANING: dict[str, Callable[[Values, Words], object]] = {
    "GET": _get,
    "SET": _set,
    "DEL": _delete,
    "INCR": _incr,
    "KV.CAS": _cas,
}


def perform(values: Mapping[str, bytes], operation: Operation) -> tuple[object, Values]:
    """What an operation answers, and what it leaves."""
    after = dict(values)
    answers = [MEANING[words[0]](after, words) for words in operation.commands()]
    return (answers if operation.words[0] == "EXEC" else answers[0]), after


class Draw:
    """Draws operations on a few keys; all values are numbers, and each that is set is new."""

    def __init__(self, random: Random, keys: list[str], names: list[str], first: int) -> None:
        """names: the operations that the server knows."""
        self._random = random
        self._keys = keys
        self._names = names
        self._next = first
        self._seen = "0"

    def next(self) -> Words:
        name = self._random.choice(self._names)
        if name != "EXEC":
            return self._one(name)
        single = [name for name in self._names if name != "EXEC"]
        words: list[str] = ["EXEC"]
        for count in range(self._random.randint(1, 3)):
            words += [";"] * (count > 0) + list(self._one(self._random.choice(single)))
        return tuple(words)

    def heard(self, answer: object) -> None:
        """A value that a KV.CAS may expect."""
        if isinstance(answer, bytes):
            self._seen = answer.decode()

    def _one(self, name: str) -> Words:
        key = self._random.choice(self._keys)
        self._next += 1000
        if name == "SET":
            return (name, key, str(self._next))
        if name == "KV.CAS":
            return (name, key, self._seen, str(self._next))
        return (name, key)


# --- the check ----------------------------------------------------------------------------------


def check(history: list[Operation], initial: Mapping[str, bytes]) -> list[Operation]:
    """Empty if the history is linearizable; else the operations among which it cannot go on."""
    for part in partitions(history):
        stuck = _check(part, initial)
        if stuck:
            return stuck
    return []


def partitions(history: list[Operation]) -> Iterator[list[Operation]]:
    """Operations that share keys, by whatever way, together; each part by invocation."""
    group: dict[str, set[str]] = {}
    for operation in history:
        keys = operation.keys()
        joined = set(keys)
        for key in keys:
            joined |= group.get(key, set())
        for key in joined:
            group[key] = joined
    for keys in {id(keys): keys for keys in group.values()}.values():
        part = [operation for operation in history if operation.keys() <= keys]
        yield sorted(part, key=lambda operation: operation.begin)


Node = tuple[int, int, Any]  # all before it are done; bits of those behind that are; the values


def _check(part: list[Operation], initial: Mapping[str, bytes]) -> list[Operation]:
    """A search from the beginning; what was tried once is never tried again."""
    keys = set().union(*[operation.keys() for operation in part])
    values = {key: value for key, value in initial.items() if key in keys}
    start: Node = (0, 0, frozenset(values.items()))
    tried: set[Node] = {start}
    stack = [start]
    furthest = start
    while stack:
        node = stack.pop()
        if node[0] == len(part):
            return []
        furthest = max(furthest, node, key=lambda node: node[0])
        for follower in _followers(part, node):
            if follower not in tried:
                tried.add(follower)
                stack.append(follower)
    return part[furthest[0] :][:12]


def _followers(part: list[Operation], node: Node) -> Iterator[Node]:
    """What may be next: an operation that began before any that is left has ended."""
    first, done, state = node
    values = dict(state)
    for at in _open(part, first, done):
        operation = part[at]
        answer, after = perform(values, operation)
        if operation.answer is UNKNOWN:
            yield _advanced(first, done | 1 << (at - first), state)
        elif operation.answer != answer:
            continue
        yield _advanced(first, done | 1 << (at - first), frozenset(after.items()))


def _open(part: list[Operation], first: int, done: int) -> list[int]:
    """The places of the operations that are left and began before any of them has ended."""
    soonest: int | None = None
    found: list[int] = []
    for at in range(first, len(part)):
        operation = part[at]
        if soonest is not None and operation.begin > soonest:
            break
        if not done >> (at - first) & 1:
            found.append(at)
            soonest = operation.end if soonest is None else min(soonest, operation.end)
    return [at for at in found if soonest is None or part[at].begin <= soonest]


def _advanced(first: int, done: int, state: Any) -> Node:
    while done & 1:
        first += 1
        done >>= 1
    return first, done, state
