"""Patterns: against a plain reading of what Redis does, and bounded in their work."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kveik.command.glob import Glob
from kveik.errors import CommandError
from kveik.limits import MAX_KEY, MAX_WILD


def matches(pattern: bytes, text: bytes) -> bool:
    return Glob(pattern).matches(text)


def bracket(pattern: bytes, byte: int) -> tuple[bool, bytes]:
    """Whether a bracket, of which the opening is off, takes a byte; and the pattern behind it."""
    negated = pattern[:1] == b"^"
    if negated:
        pattern = pattern[1:]
    taken = False
    while pattern and pattern[:1] != b"]":
        if pattern[:1] == b"\\" and len(pattern) >= 2:
            taken |= pattern[1] == byte
            pattern = pattern[2:]
        elif len(pattern) >= 3 and pattern[1:2] == b"-":
            taken |= min(pattern[0], pattern[2]) <= byte <= max(pattern[0], pattern[2])
            pattern = pattern[3:]
        else:
            taken |= pattern[0] == byte
            pattern = pattern[1:]
    return taken != negated, pattern[1:]


def reference(pattern: bytes, text: bytes) -> bool:
    """As Redis' stringmatchlen goes: by trying, again and again."""
    while pattern and text:
        first = pattern[:1]
        if first == b"*":
            rest = pattern.lstrip(b"*")
            return not rest or any(reference(rest, text[at:]) for at in range(len(text)))
        if first == b"[":
            taken, pattern = bracket(pattern[1:], text[0])
            if not taken:
                return False
        else:
            if first == b"\\" and len(pattern) >= 2:
                pattern = pattern[1:]
                first = pattern[:1]
            elif first == b"?":
                first = text[:1]
            if first != text[:1]:
                return False
            pattern = pattern[1:]
        text = text[1:]
        if not text:
            pattern = pattern.lstrip(b"*")
    return not pattern and not text


LETTERS = "ab*?[]^-\\c"
PATTERNS = st.text(LETTERS, max_size=12).map(str.encode)
TEXTS = st.text("abc]-^\\*", max_size=8).map(str.encode)


@given(PATTERNS, TEXTS)
@settings(max_examples=3000, deadline=None)
@example(b"*", b"")
@example(b"", b"")
@example(b"a*", b"a")
@example(b"[a-]", b"-")
@example(b"[^", b"a")
@example(b"a\\", b"a\\")
def test_a_pattern_matches_what_it_matches_in_redis(pattern: bytes, text: bytes) -> None:
    assert matches(pattern, text) == reference(pattern, text)


@given(st.binary(max_size=6), st.binary(max_size=6))
@settings(max_examples=1000, deadline=None)
def test_bytes_of_any_kind_are_taken(pattern: bytes, text: bytes) -> None:
    assert matches(pattern, text) == reference(pattern, text)


@given(PATTERNS, TEXTS)
@settings(max_examples=500, deadline=None)
def test_what_matches_begins_with_the_prefix(pattern: bytes, text: bytes) -> None:
    glob = Glob(pattern)
    if glob.matches(text):
        assert text.startswith(glob.prefix)
    if glob.whole and text:
        assert glob.matches(text) == text.startswith(glob.prefix)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(b"h?llo", b"hallo"), (b"h*llo", b"heeeello"), (b"h[ae]llo", b"hello"),
     (b"h[^e]llo", b"hallo"), (b"h[a-b]llo", b"hbllo"), (b"h[b-a]llo", b"hallo"),
     (b"\\*\\?\\[", b"*?["), (b"*", b"any"), (b"user:*:name", b"user:1:2:name"),
     (b"[\x00-\xff]", b"\x80"), (b"a*b*c*", b"abc")],
)  # fmt: skip
def test_matches(pattern: bytes, text: bytes) -> None:
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(b"h?llo", b"hllo"), (b"h[ae]llo", b"hillo"), (b"h[^e]llo", b"hello"), (b"\\*", b"a"),
     (b"user:*:name", b"user:1:namex"), (b"abc", b"ABC"), (b"a*b", b"ac"), (b"", b"a"),
     (b"a", b"")],
)  # fmt: skip
def test_does_not_match(pattern: bytes, text: bytes) -> None:
    assert not matches(pattern, text)


def test_case_does_not_count_where_that_is_asked_for() -> None:
    assert Glob(b"Max*[A-C]", nocase=True).matches(b"mAXMEMORYb")
    assert not Glob(b"Max*", nocase=True).matches(b"min")


def test_a_pattern_of_many_stars_takes_no_longer_than_its_bytes() -> None:
    """Tried one after the other, the ways to match would outlast the universe."""
    pattern = b"a*" * (MAX_WILD // 2) + b"b"
    assert not matches(pattern, b"a" * 10_000)
    assert matches(pattern, b"a" * 10_000 + b"b")


def test_a_long_pattern_is_refused_but_for_its_beginning() -> None:
    assert matches(b"k" * MAX_KEY + b"*", b"k" * MAX_KEY)
    assert matches(b"k" * MAX_KEY + b"?" * MAX_WILD, b"k" * (MAX_KEY + MAX_WILD))
    with pytest.raises(CommandError, match="at most 1024 bytes behind its first wildcard"):
        Glob(b"?" * (MAX_WILD + 1))
