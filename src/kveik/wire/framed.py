"""The length-prefixed protocol: four bytes of length, high first, then a pickle, each way.

Invariants: bytes may come in any pieces; `next` returns one whole message, or None until there is
one, or raises CommandError for one past MAX_FRAME, whose bytes are skipped as they come: framing is
never lost. Nothing in a message is run. Called by the dialects.
"""

from __future__ import annotations

from typing import Final

from kveik.errors import CommandError, LimitError, UnsafeError
from kveik.format.coding import read_i32_be
from kveik.format.pickling import dump
from kveik.format.unpickling import load
from kveik.limits import MAX_FRAME
from kveik.native import i64

HEAD: Final = 4  # bytes of a message's length


class FrameDecoder:
    def __init__(self) -> None:
        self._data = b""
        self._at: i64 = 0
        self._later = bytearray()  # what has come of a message that is not whole
        self._want: i64 = 0  # bytes of _later that make it whole; 0: there is none
        self._skip: i64 = 0  # bytes still to come of a message that was refused

    def feed(self, data: bytes) -> None:
        if self._skip > 0:
            size: i64 = len(data)
            if size <= self._skip:
                self._skip -= size
                return
            data = data[self._skip :]
            self._skip = 0
        if self._want > 0:
            self._later += data
            if len(self._later) < self._want:
                return
            data = bytes(self._later)
            self._later = bytearray()
            self._want = 0
        elif self._at < len(self._data):
            data = self._data[self._at :] + data
        self._data = data
        self._at = 0

    def waiting(self) -> i64:
        """Bytes that have come and make no whole message yet."""
        if self._at >= len(self._data):
            self._data = b""
            self._at = 0
        return len(self._data) - self._at + len(self._later)

    def next(self) -> bytes | None:
        """One message, without its length."""
        if self._want > 0:
            return None
        data = self._data
        left: i64 = len(data) - self._at
        if left < HEAD:
            return None
        size: i64 = i64(read_i32_be(data, self._at)) & 0xFFFFFFFF
        if size > MAX_FRAME:
            self._refuse(left - HEAD, size)
        start = self._at + HEAD
        if left - HEAD < size:
            self._later = bytearray(data[self._at :])
            self._want = HEAD + size
            self._data = b""
            self._at = 0
            return None
        self._at = start + size
        return data[start : self._at]

    def _refuse(self, there: i64, size: i64) -> None:
        """Leave a message out, of which some bytes are there."""
        self._at += HEAD + min(there, size)
        self._skip = max(size - there, 0)
        raise CommandError(f"MESSAGE_TOO_LARGE a message has at most {MAX_FRAME} bytes, not {size}")


def decode_request(message: bytes) -> dict[object, object]:
    """The dict that a message holds; CommandError says what is wrong with it."""
    try:
        request = load(message)
    except UnsafeError as error:
        raise CommandError(f"UNSAFE_PICKLE {error}") from None
    except LimitError as error:
        raise CommandError(f"MESSAGE_TOO_LARGE {error}") from None
    except ValueError as error:
        raise CommandError(f"INVALID_REQUEST {error}") from None
    if not isinstance(request, dict):
        raise CommandError("INVALID_REQUEST a request is a dict such as {'cmd': 'GET', 'key': 'k'}")
    return request


def encode_answer(pickle: bytes) -> bytes:
    """The message that holds a pickle."""
    return len(pickle).to_bytes(HEAD, "big") + pickle


def encode_error(text: str) -> bytes:
    """The message for an error, whose text starts with its code."""
    code, _, message = text.partition(" ")
    return encode_answer(dump({"error": code, "message": message}))
