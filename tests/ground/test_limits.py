"""Bounds that must agree with each other."""

from __future__ import annotations

import re
from pathlib import Path

from kveik import limits
from kveik.format.keys import encode_key
from kveik.format.record import HEADER, MARK_SIZE
from kveik.format.segment import HEAD_SIZE

SOURCE = Path(limits.__file__).with_suffix(".py").read_text()


def test_every_bound_is_a_positive_number() -> None:
    bounds = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert len(bounds) > 20
    assert all(isinstance(value, int | float) and value > 0 for value in bounds.values())


def test_every_bound_says_its_unit_or_reason() -> None:
    lines = [line for line in SOURCE.splitlines() if re.match(r"[A-Z_]+: Final = ", line)]
    bare = [line for line in lines if "#" not in line]
    assert [line.split(":")[0] for line in bare] == ["KIB", "MIB"]


def test_a_commits_length_and_its_group_fit_a_signed_32_bit_number() -> None:
    assert limits.MAX_COMMIT + limits.MAX_COMMIT // 2 < 2**31


def test_the_largest_key_with_the_largest_value_fits_a_commit_and_a_request() -> None:
    assert limits.MAX_KEY + limits.MAX_VALUE < limits.MAX_COMMIT
    assert limits.MAX_KEY + limits.MAX_VALUE < limits.MAX_REQUEST


def test_the_largest_value_can_be_answered() -> None:
    assert limits.MAX_VALUE <= limits.MAX_REPLY


def test_the_least_memory_makes_the_least_segment() -> None:
    assert limits.MIN_MEMORY // limits.SEGMENTS_PER_MEMORY == limits.MIN_SEGMENT
    assert HEAD_SIZE + MARK_SIZE + HEADER < limits.MIN_SEGMENT <= limits.MAX_SEGMENT


def test_a_databases_number_is_a_lead_byte_with_one_above_it() -> None:
    assert limits.DATABASES < 256


def test_any_number_that_is_a_key_fits_a_key() -> None:
    assert len(encode_key(2**2040 - 1)) < limits.MAX_KEY
