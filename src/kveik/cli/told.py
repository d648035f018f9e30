"""Findings as people and as machines read them. Called by `kveik check`, `inspect` and `repair`."""

from __future__ import annotations

from kveik.engine.findings import Finding
from kveik.format.shown import show_range


def count(number: int, what: str) -> str:
    """1 table, 2,000 tables."""
    plural = what[:-1] + "ies" if what.endswith("ry") else what + "s"
    return f"{number:,} {what if number == 1 else plural}"


def as_fields(finding: Finding) -> dict[str, object]:
    """For JSON; stored keys as hex."""
    fields: dict[str, object] = {
        "severity": finding.severity,
        "file": finding.file,
        "offset": finding.offset,
        "what": finding.what,
    }
    if finding.high:
        fields |= {"low": finding.low.hex(), "high": finding.high.hex()}
    return fields


def as_range(bounds: tuple[bytes, bytes]) -> dict[str, str]:
    return {"low": bounds[0].hex(), "high": bounds[1].hex()}


def show_bounds(bounds: tuple[bytes, bytes]) -> str:
    return show_range(*bounds)
