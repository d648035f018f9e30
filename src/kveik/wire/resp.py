"""Redis' protocol, RESP2 and RESP3: requests from bytes, replies to bytes. Called by the dialects.

Decoder invariants: bytes may come in any pieces; `next` returns one whole request, or None until
there is one, or raises ProtocolError, after which the connection's framing is lost. What has been
parsed of an unfinished request is kept, so no byte is parsed twice; a long argument is gathered in
pieces and joined once.
"""

from __future__ import annotations

from typing import Final

from kveik.errors import ProtocolError
from kveik.format.coding import BytesWriter
from kveik.limits import MAX_ARGUMENTS, MAX_INLINE, MAX_REQUEST, MAX_VALUE
from kveik.model import NO_REPLY, OK, Cell, Failure, Simple, Verbatim
from kveik.native import i64

CR: Final = 13
LF: Final = 10
STAR: Final = 42
DOLLAR: Final = 36
ZERO: Final = 48
NINE: Final = 57
SHORTEST: Final = 4  # bytes of the head of a request or an argument, at least
CRLF: Final = b"\r\n"
NULL: Final = b"-1\r\n"
SMALL: Final = 1024  # lengths whose heads are made beforehand
KEPT_BUFFER: Final = 1 << 18  # bytes; a larger buffer is let go after use
INLINE_DATA: Final = 16384  # bytes; longer data is not copied among the small replies


class RequestDecoder:
    def __init__(self) -> None:
        self._data = b""
        self._at: i64 = 0  # behind the last thing that was parsed
        self._later: list[bytes] = []  # came while a long argument is incomplete
        self._later_size: i64 = 0
        self._want: i64 = 0  # bytes that _data needs before parsing can go on
        self._arguments: list[bytes] = []
        self._missing: i64 = 0  # arguments of the unfinished request
        self._size: i64 = 0  # bytes of its arguments
        self._after: i64 = 0  # behind the line that _length read

    def feed(self, data: bytes) -> None:
        if self._want > 0:
            self._later.append(data)
            self._later_size += len(data)
            if len(self._data) + self._later_size < self._want:
                return
            self._data = b"".join([self._data, *self._later])
            self._later = []
            self._later_size = 0
            self._want = 0
        elif self._at >= len(self._data):
            self._data = data
            self._at = 0
        else:
            self._data = self._data[self._at :] + data
            self._at = 0

    def next(self) -> list[bytes] | None:
        """One request: its name and its arguments, never empty."""
        if self._want > 0:
            return None
        if self._missing == 0:
            whole = self._whole()
            if whole is not None:
                return whole
        while self._missing == 0 and not self._arguments:
            if not self._begin():
                return None
        data = self._data
        end: i64 = len(data)
        arguments = self._arguments
        while self._missing > 0:
            at = self._at
            if at >= end:
                return None
            if data[at] != DOLLAR:
                raise ProtocolError(f"Protocol error: expected '$', got '{chr(data[at])}'")
            size = self._length(at + 1, MAX_VALUE, "invalid bulk length")
            if size < 0:
                return None
            start = self._after
            stop: i64 = start + size
            if stop + 2 > end:
                self._await(stop + 2)
                return None
            if data[stop] != CR or data[stop + 1] != LF:
                raise ProtocolError("Protocol error: a bulk string does not end in CRLF")
            arguments.append(data[start:stop])
            self._size += size
            self._missing -= 1
            self._at = stop + 2
        self._arguments = []
        self._size = 0
        return arguments

    def _whole(self) -> list[bytes] | None:
        """The next request if all of it is there and it is short and plain, as nearly all are.

        None leaves everything as it was, for the careful way.
        """
        data = self._data
        end: i64 = len(data)
        at = self._at
        if end - at < SHORTEST or data[at] != STAR:
            return None
        missing: i64 = data[at + 1]
        missing -= ZERO
        if missing < 1 or missing > 9 or data[at + 2] != CR or data[at + 3] != LF:
            return None
        at += 4
        arguments: list[bytes] = []
        while missing > 0:
            if end - at < SHORTEST or data[at] != DOLLAR:
                return None
            size: i64 = 0
            at += 1
            byte: i64 = data[at]
            while byte >= ZERO and byte <= NINE:
                size = size * 10 + byte - ZERO
                at += 1
                if size < 1 or size > INLINE_DATA or at >= end:
                    return None
                byte = data[at]
            start: i64 = at + 2
            stop: i64 = start + size
            if size < 1 or stop + 2 > end or byte != CR or data[at + 1] != LF:
                return None
            if data[stop] != CR or data[stop + 1] != LF:
                return None
            arguments.append(data[start:stop])
            at = stop + 2
            missing -= 1
        self._at = at
        return arguments

    def _begin(self) -> bool:
        """Read the head of a request; False if there is none yet."""
        data = self._data
        at = self._at
        if at >= len(data):
            return False
        if data[at] != STAR:
            return self._inline()
        count = self._length(at + 1, MAX_ARGUMENTS, "invalid multibulk length")
        if count == INCOMPLETE:
            return False
        self._at = self._after
        self._missing = max(count, 0)
        return True

    def _inline(self) -> bool:
        """A request typed by hand: words on a line. A blank line asks for nothing."""
        end: i64 = self._data.find(b"\n", self._at)
        if end < 0:
            if len(self._data) - self._at > MAX_INLINE:
                raise ProtocolError("Protocol error: too big inline request")
            return False
        self._arguments = self._data[self._at : end].split()
        self._at = end + 1
        return True

    def _length(self, at: i64, most: i64, complaint: str) -> i64:
        """The number on the line at `at`; INCOMPLETE without a whole line. Sets _after."""
        data = self._data
        end: i64 = len(data)
        start = at
        number: i64 = 0
        byte: i64 = 0
        while at < end:
            byte = data[at]
            if byte < 48 or byte > 57 or number > most:
                break
            number = number * 10 + byte - 48
            at += 1
        if at - start > 1 and data[start] == ZERO:
            raise ProtocolError(f"Protocol error: {complaint}")
        if at + 1 >= end:
            return INCOMPLETE
        if byte == CR and data[at + 1] == LF and at > start and number <= most:
            self._after = at + 2
            return number
        if most == MAX_ARGUMENTS and NULL.startswith(data[start : start + len(NULL)]):
            self._after = start + len(NULL)  # a null array: nothing is asked for
            return 0 if self._after <= end else INCOMPLETE
        raise ProtocolError(f"Protocol error: {complaint}")

    def _await(self, position: i64) -> None:
        """Go on when the bytes up to `position` are there."""
        if self._size + position - self._at > MAX_REQUEST:
            raise ProtocolError(f"Protocol error: a request has at most {MAX_REQUEST} bytes")
        if self._at > 0:
            self._data = self._data[self._at :]
            position -= self._at
            self._at = 0
        self._want = position


INCOMPLETE: Final = -2

_BULK_HEADS: Final = [b"$%d\r\n" % size for size in range(SMALL)]
_INTEGERS: Final = [b":%d\r\n" % number for number in range(SMALL)]


class ReplyEncoder:
    """Replies as bytes, gathered until they are taken. protocol: 2 or 3."""

    def __init__(self) -> None:
        self.protocol: i64 = 2
        self._out = BytesWriter()
        self._parts: list[bytes] = []  # before what is in _out
        self._parts_size: i64 = 0

    def size(self) -> i64:
        """Bytes gathered."""
        return self._parts_size + len(self._out)

    def take(self) -> bytes:
        """All that was gathered, as one."""
        data = self._out.getvalue()
        if len(data) <= KEPT_BUFFER:
            self._out.truncate(0)
        else:
            self._out = BytesWriter()
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
            self._parts = []
            self._parts_size = 0
        return data

    def add(self, reply: object) -> None:
        if reply is OK:
            self._out.write(b"+OK\r\n")
        elif isinstance(reply, Simple):
            self._out.write(b"+%s\r\n" % reply.text)
        elif isinstance(reply, bytes):
            self._bulk(reply)
        elif reply is None:
            self._out.write(b"_\r\n" if self.protocol == 3 else b"$-1\r\n")
        elif isinstance(reply, Cell):
            self._bulk(reply.data)
        elif isinstance(reply, bool):
            self._boolean(reply)
        elif isinstance(reply, int):
            self._integer(reply)
        elif isinstance(reply, Failure):
            self._out.write(b"-%s\r\n" % clean_line(reply.text))
        else:
            self._add_rare(reply)

    def _add_rare(self, reply: object) -> None:
        if isinstance(reply, str):
            self._bulk(reply.encode())
        elif isinstance(reply, list):
            self._out.write(b"*%d\r\n" % len(reply))
            for item in reply:
                self.add(item)
        elif isinstance(reply, dict):
            head = b"%%%d\r\n" if self.protocol == 3 else b"*%d\r\n"
            self._out.write(head % (len(reply) if self.protocol == 3 else 2 * len(reply)))
            for key, value in reply.items():
                self.add(key)
                self.add(value)
        elif isinstance(reply, float):
            text = repr(reply).encode()
            if self.protocol == 3:
                self._out.write(b",%s\r\n" % text)
            else:
                self._bulk(text)
        elif isinstance(reply, Verbatim):
            text = reply.text.encode()
            if self.protocol == 3:
                self._out.write(b"=%d\r\ntxt:%s\r\n" % (len(text) + 4, text))
            else:
                self._bulk(text)
        elif reply is not NO_REPLY:
            raise TypeError(f"no reply: {type(reply).__name__}")

    def _boolean(self, value: bool) -> None:
        if self.protocol == 3:
            self._out.write(b"#t\r\n" if value else b"#f\r\n")
        else:
            self._out.write(b":1\r\n" if value else b":0\r\n")

    def _integer(self, number: int) -> None:
        if 0 <= number < SMALL:
            self._out.write(_INTEGERS[number])
        else:
            self._out.write(b":%d\r\n" % number)

    def _bulk(self, data: bytes) -> None:
        size: i64 = len(data)
        out = self._out
        out.write(_BULK_HEADS[size] if size < SMALL else b"$%d\r\n" % size)
        if size <= INLINE_DATA:
            out.write(data)
        else:
            self._parts.append(out.getvalue())
            self._parts.append(data)
            self._parts_size += len(out) + size
            out = self._out = BytesWriter()
        out.write(CRLF)


def clean_line(text: str) -> bytes:
    """A text as one line."""
    return text.replace("\r", " ").replace("\n", " ").encode("utf-8", "backslashreplace")
