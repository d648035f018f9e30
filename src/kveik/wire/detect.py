"""Which protocol a connection speaks, told by its first bytes. Called by the session.

    *         RESP
    {         JSON lines
    00        a framed message, so its length is below 16 MiB
    letters   the text protocol, or HTTP if the first line is an HTTP request's

Blank lines may come first, but not before a frame.
"""

from __future__ import annotations

from typing import Final

from kveik.limits import MAX_PREFACE

MORE: Final = ""  # what came may be the beginning of several
REDIS: Final = "redis"
JSON: Final = "json"
FRAME: Final = "frame"
TEXT: Final = "text"
HTTP: Final = "http"
UNKNOWN: Final = "unknown"

TELNET: Final = 0xFF  # a telnet client may speak of itself first
_METHODS: Final[frozenset[bytes]] = frozenset(
    b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PRI".split()
)
_LONGEST: Final = 8  # bytes of a method and the blank behind it


def detect(data: bytes, ended: bool = False) -> str:
    """One of the above. ended: no more will come, so it is never MORE if there is anything."""
    if data[:1] == b"\x00":
        return FRAME
    begun = data.lstrip(b" \t\r\n")
    first = begun[:1]
    if not first:
        return MORE
    if first == b"*":
        return REDIS
    if first == b"{":
        return JSON
    if first.isalpha():
        return _by_line(begun, ended)
    return TEXT if first[0] == TELNET else UNKNOWN


def _by_line(begun: bytes, ended: bool) -> str:
    """TEXT or HTTP, which a whole first line may be needed to tell."""
    end = begun.find(b"\n")
    line = begun[:MAX_PREFACE] if end < 0 else begun[:end]
    method, blank, rest = line[:MAX_PREFACE].partition(b" ")
    if method not in _METHODS or (blank and rest[:1] not in (b"", b"/", b"*", b"h")):
        short = not blank and end < 0 and not ended and len(line) < _LONGEST
        return MORE if short and _begins_method(method) else TEXT
    if end < 0 and not ended and len(line) < MAX_PREFACE:
        return MORE
    target = rest.rstrip(b"\r").rpartition(b" ")
    return HTTP if target[2].startswith(b"HTTP/") and target[0] else TEXT


def _begins_method(word: bytes) -> bool:
    return any([method.startswith(word) for method in _METHODS])
