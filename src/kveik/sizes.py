"""Sizes as people write them. Imports nothing of ours; anybody may import it."""

from __future__ import annotations

import re

_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])I?)?B?\s*", re.IGNORECASE)


def parse_size(text: str | int) -> int:
    """Bytes: 4096, "4096", "64KB", "256MB", "1.5GiB" (powers of 1024); ValueError otherwise."""
    if isinstance(text, int):
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no size: write a number and a unit, such as 256MB or 2GB")
    return int(float(match[1]) * _UNITS[(match[2] or "").upper()])


def exact_size(size: int) -> str:
    """The same as parse_size reads it back, with the largest unit that leaves no fraction."""
    for unit in "TGMK":
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}B"
    return f"{size}B"


def show_size(size: float) -> str:
    """The same, for people: 512 B, 1.5 MB."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
