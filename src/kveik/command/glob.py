"""Redis' patterns: `*` any bytes, `?` one, `[a-c]` `[^a]` one of (not of) these, `\\` as it is.

A pattern is read once and becomes an automaton whose states are the bits of one integer, so a text
costs a few steps a byte however many stars there are; nothing is tried twice.
Invariants: bit i of a state says that the first i parts of the pattern have been seen; a part takes
one byte; a star before a part keeps that part's bit alive. Called by the commands that take one.
"""

from __future__ import annotations

from typing import Final

from kveik.errors import CommandError
from kveik.limits import MAX_WILD
from kveik.native import i64

STAR: Final = 42  # *
ANY: Final = 63  # ?
OPEN: Final = 91  # [
CLOSE: Final = 93  # ]
NOT: Final = 94  # ^
ESCAPE: Final = 92  # \
DASH: Final = 45  # -


class Glob:
    """A pattern. prefix: every text that matches begins with it; whole: any such text matches.

    CommandError if there are more than MAX_WILD bytes behind the prefix.
    """

    def __init__(self, pattern: bytes, nocase: bool = False) -> None:
        if nocase:
            pattern = pattern.lower()
        self._nocase = nocase
        self.prefix, at = _literal(pattern)
        rest = pattern[at:]
        if len(rest) > MAX_WILD:
            raise CommandError(
                f"ERR a pattern has at most {MAX_WILD} bytes behind its first wildcard"
            )
        self.whole = rest != b"" and rest.strip(b"*") == b""
        self._takes = [0] * 256  # for each byte: the parts, as bits, that take it
        self._stars = 0
        self._parts: i64 = 0
        if not self.whole:
            self._read(rest)

    def matches(self, text: bytes) -> bool:
        if self._nocase:
            text = text.lower()
        if not text.startswith(self.prefix):
            return False
        if self.whole:
            return len(text) > 0  # in Redis, too, no star matches an empty text
        takes = self._takes
        stars = self._stars
        state = 1
        at: i64 = len(self.prefix)
        while at < len(text):
            state = ((state & takes[text[at]]) << 1) | (state & stars)
            if state == 0:
                return False
            at += 1
        return (state >> self._parts) != 0

    def _read(self, rest: bytes) -> None:
        """Make the automaton of what stands behind the prefix."""
        at: i64 = 0
        while at < len(rest):
            byte: i64 = rest[at]
            at += 1
            if byte == STAR:
                self._stars |= 1 << self._parts
                continue
            if byte == OPEN:
                taken, at = _one_of(rest, at)
            elif byte == ANY:
                taken = list(range(256))
            else:
                if byte == ESCAPE and at < len(rest):
                    byte = rest[at]
                    at += 1
                taken = [byte]
            bit = 1 << self._parts
            for one in taken:
                self._takes[one] |= bit
            self._parts += 1


def _literal(pattern: bytes) -> tuple[bytes, i64]:
    """What a pattern begins with as it is, and where the rest starts."""
    prefix = bytearray()
    at: i64 = 0
    while at < len(pattern):
        byte: i64 = pattern[at]
        if byte in (STAR, ANY, OPEN):
            break
        if byte == ESCAPE and at + 1 < len(pattern):
            at += 1
            byte = pattern[at]
        prefix.append(byte)
        at += 1
    return bytes(prefix), at


def _one_of(rest: bytes, at: i64) -> tuple[list[int], i64]:
    """The bytes that a bracket takes, and where it ends; it may end with the pattern."""
    size: i64 = len(rest)
    negated = at < size and rest[at] == NOT
    if negated:
        at += 1
    named: set[int] = set()
    while at < size and rest[at] != CLOSE:
        low: i64 = rest[at]
        high = low
        if low == ESCAPE and at + 1 < size:
            at += 1
            low = high = rest[at]
        elif at + 2 < size and rest[at + 1] == DASH:
            at += 2
            high = rest[at]
        if low > high:
            low, high = high, low
        named.update(range(low, high + 1))
        at += 1
    if negated:
        return [byte for byte in range(256) if byte not in named], at + 1
    return list(named), at + 1
