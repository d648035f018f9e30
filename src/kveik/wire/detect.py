"""Which protocol a connection speaks, told by its first bytes. Called by the session."""

from __future__ import annotations

from typing import Final

MORE: Final = ""  # only white space so far
REDIS: Final = "redis"
JSON: Final = "json"
UNKNOWN: Final = "unknown"


def detect(data: bytes) -> str:
    """REDIS for `*`, JSON for `{` (blank lines may come first), MORE, or UNKNOWN."""
    first = data.lstrip(b" \t\r\n")[:1]
    if not first:
        return MORE
    if first == b"*":
        return REDIS
    if first == b"{":
        return JSON
    return UNKNOWN
