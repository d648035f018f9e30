"""Redis' protocol, RESP2 and RESP3: requests from bytes. Called by the dialects.

Invariants: bytes may come in any pieces; `next` returns one whole request, or None until
there is one, or raises ProtocolError, after which the connection's framing is lost. What has been
parsed of an unfinished request is kept, so no byte is parsed twice; a long argument is gathered in
pieces and joined once.
"""

from __future__ import annotations

from typing import Final

from kveik.errors import ProtocolError
from kveik.format.coding import read_i16_be, read_i64_be
from kveik.limits import ITEM_SIZE, MAX_ARGUMENTS, MAX_INLINE, MAX_REQUEST, MAX_VALUE
from kveik.native import i64
from kveik.wire.alike import CRLF, Alike
from kveik.wire.inline import split_line

CR: Final = 13
LF: Final = 10
STAR: Final = 42
DOLLAR: Final = 36
ZERO: Final = 48
NINE: Final = 57
SHORTEST: Final = 4  # bytes of the head of a request or an argument, at least
NULL: Final = b"-1\r\n"
SHORT: Final = 16384  # bytes of an argument that is short
# Lines of an HTTP request that carry what a web page wants: never taken for commands.
FOREIGN: Final = (b"POST", b"HOST:")

# What `short` finds. The heads of these requests, as numbers of eight bytes: the first eight, and
# the eight from the sixth on.
OTHER: Final = 0
GET: Final = 1
SET: Final = 2
HEAD: Final = 14
RUN: Final = 32  # GETs, or SETs, that are taken together
_TWO: Final = int.from_bytes(b"*2\r\n$3\r\n", "big")
_THREE: Final = int.from_bytes(b"*3\r\n$3\r\n", "big")
_GET: Final = int.from_bytes(b"\r\nGET\r\n$", "big")
_SET: Final = int.from_bytes(b"\r\nSET\r\n$", "big")
_LETTERS: Final = 0x0000202020000000  # set in small letters


class RequestDecoder:
    def __init__(self) -> None:
        self.key = b""  # of the request that `short` has found
        self.value = b""
        self.values: list[bytes] = []  # of the SETs that `run` has taken
        self._data = b""
        self._at: i64 = 0  # behind the last thing that was parsed
        self._later: list[bytes] = []  # came while a long argument is incomplete
        self._later_size: i64 = 0
        self._want: i64 = 0  # bytes that _data needs before parsing can go on
        self._arguments: list[bytes] = []
        self._missing: i64 = 0  # arguments of the unfinished request
        self._size: i64 = 0  # bytes of its arguments
        self._after: i64 = 0  # behind the line that _length read
        self._began: i64 = 0  # where `run` did

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

    def waiting(self) -> i64:
        """Bytes that have come and make no whole request yet."""
        if self._want == 0 and self._at >= len(self._data):
            self._data = b""  # a long one is not kept
            self._at = 0
        unread: i64 = len(self._data) - self._at + self._later_size
        return unread + self._size + ITEM_SIZE * len(self._arguments)

    def more(self) -> bool:
        """Whether there are bytes that have not been parsed."""
        return self._at < len(self._data)

    def short(self) -> i64:
        """GET or SET, taken, with `key` and `value`, if the next request is just that, and short.

        They make most of all traffic, so they have this way of their own. OTHER: ask `next`.
        """
        data = self._data
        at = self._at
        if len(data) < at + HEAD + SHORTEST or self._want > 0 or self._missing > 0:
            return OTHER
        head: i64 = read_i64_be(data, at)
        name: i64 = read_i64_be(data, at + 6) & ~_LETTERS
        if head == _TWO and name == _GET:
            end = self._argument(at + HEAD)
            if end < 0:
                return OTHER
            self.key = data[self._after : end]
            self._at = end + 2
            return GET
        if head == _THREE and name == _SET:
            end = self._argument(at + HEAD)
            start = self._after
            stop = self._second(end)
            if stop < 0:
                return OTHER
            self.key = data[start:end]
            self.value = data[self._after : stop]
            self._at = stop + 2
            return SET
        return OTHER

    def run(self, kind: i64, prefix: bytes) -> list[bytes]:
        """The keys, behind a prefix, of the plain GETs, or SETs, that come next, at most RUN.

        All are taken, and `values` has the SETs' values; `give_back` takes back those that cannot
        be answered.
        """
        data = self._data
        keys: list[bytes] = []
        values: list[bytes] = []
        self.values = values
        at = self._at
        self._began = at
        if self._want > 0 or self._missing > 0:
            return keys
        count: i64 = _TWO if kind == GET else _THREE
        called: i64 = _GET if kind == GET else _SET
        last: i64 = len(data) - HEAD - SHORTEST
        alike = Alike()
        while at <= last and len(keys) < RUN:
            head: i64 = read_i64_be(data, at)
            name: i64 = read_i64_be(data, at + 6) & ~_LETTERS
            if head != count or name != called:
                break
            if not alike.fits(data, at):
                end = self._argument(at + HEAD)
                start = self._after
                stop = end if kind == GET else self._second(end)
                if stop < 0:
                    break
                alike.learn(data, at, start, end, end if kind == GET else self._after, stop)
            keys.append(prefix + data[alike.key : alike.end])
            if kind == SET:
                values.append(data[alike.value : alike.stop])
            at = alike.stop + 2
        self._at = at
        return keys

    def give_back(self, answered: i64) -> None:
        """Of those only so many have been answered: the others are to come again."""
        self._at = self._began
        while answered > 0:
            self.short()
            answered -= 1

    def _second(self, end: i64) -> i64:
        """As _argument, for the one behind that which ended at `end`; -1 if it did not."""
        data = self._data
        if end < 0 or end + 2 + SHORTEST > len(data) or data[end + 2] != DOLLAR:
            return -1
        return self._argument(end + 3)

    def _argument(self, at: i64) -> i64:
        """The end of the argument whose length stands at `at`; _after: its start. -1: not plain."""
        data = self._data
        end: i64 = len(data)
        if at + SHORTEST > end:
            return -1
        size: i64 = 0
        byte: i64 = data[at]
        while byte >= ZERO and byte <= NINE:
            size = size * 10 + byte - ZERO
            at += 1
            if size < 1 or size > SHORT or at >= end:
                return -1
            byte = data[at]
        start: i64 = at + 2
        stop: i64 = start + size
        if size < 1 or stop + 2 > end or i64(read_i16_be(data, at)) != CRLF:
            return -1
        if i64(read_i16_be(data, stop)) != CRLF:
            return -1
        self._after = start
        return stop

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
            if at >= end or data[at] != DOLLAR:
                return None
            stop = self._argument(at + 1)
            if stop < 0:
                return None
            arguments.append(data[self._after : stop])
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
        self._arguments = split_line(self._data[self._at : end])
        self._at = end + 1
        if self._arguments and self._arguments[0].upper() in FOREIGN:
            raise ProtocolError("Protocol error: this is no HTTP server")
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
