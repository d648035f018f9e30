"""Which protocol a connection speaks."""

from __future__ import annotations

import pytest

from kveik.wire.detect import JSON, MORE, REDIS, UNKNOWN, detect


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
        (b"GET / HTTP/1.1\r\n", UNKNOWN),
        (b"PING\r\n", UNKNOWN),
        (b"\x16\x03\x01", UNKNOWN),
        (b"\x00\x00\x00\x10", UNKNOWN),
        (b"[1]\n", UNKNOWN),
        (b"\xef\xbb\xbf{", UNKNOWN),
    ],
)
def test_the_first_byte_that_is_not_blank_tells_the_protocol(data: bytes, protocol: str) -> None:
    assert detect(data) == protocol


@pytest.mark.parametrize("data", [b"\r\n*1\r\n", b" \t{}\n", b"\n\nPING\r\n"])
def test_what_is_told_never_changes_with_more_bytes(data: bytes) -> None:
    told = [detect(data[:size]) for size in range(len(data) + 1)]
    first = next(at for at, protocol in enumerate(told) if protocol != MORE)
    assert set(told[:first]) == {MORE}
    assert len(set(told[first:])) == 1
