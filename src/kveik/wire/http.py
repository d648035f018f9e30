"""What an HTTP client is told while there is no HTTP API. Called by the session."""

from __future__ import annotations

from typing import Final

_TOLD: Final[bytes] = (
    b"Kveik is here, but it does not speak HTTP yet.\n"
    b"Use redis-cli, JSON lines, the text protocol or length-prefixed pickles on this port.\n"
)

NOT_YET: Final[bytes] = (
    b"HTTP/1.1 501 Not Implemented\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s" % (len(_TOLD), _TOLD)
)
