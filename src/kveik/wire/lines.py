"""Bytes to lines. Called by the dialects of the protocols that have them.

Invariants: bytes may come in any pieces; `next` returns one whole line without its end, or None,
and what stands behind the last end is a line once `end` was called; ProtocolError for a line that
is longer than MAX_LINE.
"""

from __future__ import annotations

from kveik.errors import ProtocolError
from kveik.limits import MAX_LINE
from kveik.native import i64


class LineDecoder:
    def __init__(self) -> None:
        self._data = b""
        self._at: i64 = 0
        self._later = bytearray()  # of a line whose end has not come
        self._cut = False  # the last line's end never came
        self.whole = True  # the line that `next` gave had its end

    def feed(self, data: bytes) -> None:
        if b"\n" not in data:
            self._later += data
            if len(self._data) - self._at + len(self._later) > MAX_LINE:
                raise ProtocolError(f"a line has at most {MAX_LINE} bytes")
        elif self._later or self._at < len(self._data):
            self._data = b"".join([self._data[self._at :], self._later, data])
            self._at = 0
            self._later = bytearray()
        else:
            self._data = data
            self._at = 0

    def waiting(self) -> i64:
        """Bytes that have come and make no whole line yet."""
        if self._at >= len(self._data):
            self._data = b""
            self._at = 0
        return len(self._data) - self._at + len(self._later)

    def end(self) -> None:
        """No more will come. Nothing happens the second time."""
        if self._later or self._data.rfind(b"\n") < len(self._data) - 1:
            self._cut = True
            self.feed(b"\n")

    def next(self) -> bytes | None:
        """One line that is not blank, without blanks around it."""
        while True:
            end: i64 = self._data.find(b"\n", self._at)
            if end < 0:
                return None
            if end - self._at > MAX_LINE:
                raise ProtocolError(f"a line has at most {MAX_LINE} bytes")
            line = self._data[self._at : end].strip()
            self._at = end + 1
            self.whole = not (self._cut and self._at == len(self._data))
            if line:
                return line
