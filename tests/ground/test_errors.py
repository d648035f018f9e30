"""The tree of exceptions."""

from __future__ import annotations

import builtins
import inspect
import re

import pytest

from kveik import errors
from kveik.errors import CorruptionError, KveikError, LimitError


def drawn() -> dict[str, str]:
    """Class -> parent, as the module's docstring draws the tree."""
    parents: dict[str, str] = {}
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([ |`-]*)([A-Z]\w+)", line)
        if match is None or not line.startswith("    "):
            continue
        depth = len(match[1]) // 4
        above[depth] = match[2]
        if depth > 1:
            parents[match[2]] = above[depth - 1]
    return parents


def built() -> dict[str, str]:
    """The same, as the classes are."""
    return {
        name: kind.__bases__[0].__name__
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and kind is not KveikError and issubclass(kind, BaseException)
    }


def test_the_tree_is_as_drawn() -> None:
    assert drawn() == built()


def test_every_exception_is_a_kveik_error() -> None:
    assert all(issubclass(getattr(errors, name), KveikError) for name in built())


def test_every_exception_says_what_it_means() -> None:
    assert all(getattr(errors, name).__doc__ for name in built())


def test_whoever_knows_only_pythons_own_exceptions_catches_these() -> None:
    with pytest.raises(ValueError, match="too long"):
        raise LimitError("too long")
    with pytest.raises(builtins.ConnectionError, match="nobody"):
        raise errors.ConnectionError("nobody answers")


def test_corruption_names_the_file_and_the_offset() -> None:
    error = CorruptionError("0000000001.log", 64, "it is damaged")
    assert (error.file, error.offset) == ("0000000001.log", 64)
    assert str(error) == "0000000001.log: offset 64: it is damaged"
