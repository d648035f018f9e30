"""Which protocol a connection speaks."""

from __future__ import annotations

import pytest

from kveik.limits import MAX_PREFACE
from kveik.wire.detect import FRAME, HTTP, JSON, MORE, REDIS, TEXT, UNKNOWN, detect


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (b"*", REDIS),
        (b"*1\r\n$4\r\nPING\r\n", REDIS),
        (b"{", JSON),
        (b'{"command": "read"}\n', JSON),
        (b"\r\n \t\n{", JSON),
        (b"\r\n*", REDIS),
        (b"", MORE),
        (b" ", MORE),
        (b"\r\n\t ", MORE),
        (b"GET / HTTP/1.1\r\n", HTTP),
        (b"GET /a?b=c%20d HTTP/1.0\n", HTTP),
        (b"POST /put HTTP/1.1\r\nHost: x\r\n\r\nSET k v\n", HTTP),
        (b"OPTIONS * HTTP/1.1\r\n", HTTP),
        (b"GET http://localhost/ HTTP/1.1\r\n", HTTP),
        (b"CONNECT example.org:443 HTTP/1.1\r\n", TEXT),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP),
        (b"\r\nGET / HTTP/1.1\r\n", HTTP),
        (b"GET /path\r\n", TEXT),
        (b"GET / HTTP\r\n", TEXT),
        (b"get / HTTP/1.1\r\n", TEXT),
        (b"GET hello\r\n", TEXT),
        (b"GET\r\n", TEXT),
        (b"G", MORE),
        (b"DELETE", MORE),
        (b"DELETE ", MORE),
        (b"DELETE k", TEXT),
        (b"DELETE /k", MORE),
        (b"PING", TEXT),
        (b"PING\r\n", TEXT),
        (b"GETX", TEXT),
        (b"set k v", TEXT),
        (b"  SET k v", TEXT),
        (b"GET /" + b"x" * MAX_PREFACE, TEXT),
        (b"\xff\xfb\x1f", TEXT),
        (b"\x16\x03\x01", UNKNOWN),
        (b"\x00", FRAME),
        (b"\x00\x00\x00\x10", FRAME),
        (b" \x00", UNKNOWN),
        (b"[1]\n", UNKNOWN),
        (b"\xef\xbb\xbf{", UNKNOWN),
    ],
)
def test_the_first_byte_that_is_not_blank_tells_the_protocol(data: bytes, protocol: str) -> None:
    assert detect(data) == protocol


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n*1\r\n",
        b" \t{}\n",
        b"\n\nPING\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"GET /path\r\nPING\r\n",
        b"DELETE key\n",
        b"PUT it\n",
        b"\x00\x00\x00\x04N.",
        b"\xff\xfbSET k v\n",
    ],
)
def test_what_is_told_never_changes_with_more_bytes(data: bytes) -> None:
    told = [detect(data[:size]) for size in range(len(data) + 1)]
    first = next(at for at, protocol in enumerate(told) if protocol != MORE)
    assert set(told[:first]) == {MORE}
    assert len(set(told[first:])) == 1
