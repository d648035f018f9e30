"""Sizes as people write them."""

from __future__ import annotations

import pytest

from kveik.sizes import parse_size, show_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (4096, 4096),
        ("4096", 4096),
        ("0", 0),
        ("512B", 512),
        ("64KB", 64 << 10),
        ("64kb", 64 << 10),
        ("64K", 64 << 10),
        ("64KiB", 64 << 10),
        ("256MB", 256 << 20),
        ("1.5GiB", 3 << 29),
        ("0.5K", 512),
        ("2 TB", 2 << 40),
        (" 8 M ", 8 << 20),
    ],
)
def test_a_size_is_a_number_and_a_unit_of_powers_of_1024(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "-1", "1.2.3", "1,5G", "1 2", "1e3", "1XB", "ten", "1 PB", ".5M", "1MB/s"]
)
def test_what_is_no_size_is_a_value_error_that_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="is no size: write a number and a unit, such as 256MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (1536, "1.5 KB"),
        (100 << 10, "100 KB"),
        (256 << 20, "256 MB"),
        (3 << 29, "1.5 GB"),
        (5 << 40, "5.0 TB"),
    ],
)
def test_a_size_is_shown_in_the_unit_that_suits_it(size: int, text: str) -> None:
    assert show_size(size) == text


@pytest.mark.parametrize("size", [0, 7, 1024, 1536, 100 << 10, 256 << 20, 3 << 29, 5 << 40])
def test_a_size_that_is_shown_can_be_read_back(size: int) -> None:
    assert parse_size(show_size(size)) == size
