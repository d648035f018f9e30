"""Redis' protocol, RESP2 and RESP3: replies to bytes. Called by the dialects."""

from __future__ import annotations

from typing import Final

from kveik.format.coding import BytesWriter
from kveik.model import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    Cell,
    Failure,
    Pages,
    Push,
    Replies,
    Simple,
    Verbatim,
)
from kveik.native import i64

CRLF: Final = b"\r\n"
SMALL: Final = 1024  # lengths whose heads are made beforehand
KEPT_BUFFER: Final = 1 << 18  # bytes; a larger buffer is let go after use
INLINE_DATA: Final = 16384  # bytes; longer data is not copied among the small replies
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

    def add_value(self, data: bytes) -> None:
        """A bulk string."""
        self._bulk(data)

    def add_values(self, values: list[bytes | None]) -> i64:
        """Bulk strings, and nulls for those that are not there; how many were not."""
        absent: i64 = 0
        for value in values:
            if value is not None:
                self._bulk(value)
            else:
                self.add(None)
                absent += 1
        return absent

    def add_ok(self) -> None:
        self._out.write(b"+OK\r\n")

    def add_oks(self, count: i64) -> None:
        """As add_ok, so many times."""
        self._out.write(b"+OK\r\n" * count)

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
        else:
            self._add_special(reply)

    def _add_special(self, reply: object) -> None:
        if isinstance(reply, (Push, Pages)):
            self._add_rarest(reply)
        elif isinstance(reply, Replies):
            for item in reply.items:
                self.add(item)
        elif reply is NULL_ARRAY:
            self._out.write(b"_\r\n" if self.protocol == 3 else b"*-1\r\n")
        elif reply is not NO_REPLY:
            raise TypeError(f"no reply: {type(reply).__name__}")

    def add_head(self, pages: Pages) -> None:
        """The head of a long array, whose parts follow."""
        self._out.write(b"*%d\r\n" % pages.count)

    def _add_rarest(self, reply: Push | Pages) -> None:
        if isinstance(reply, Push):
            self._push(reply)
            return
        self.add_head(reply)
        for part in reply.parts:
            self.add_part(list(part))

    def add_part(self, part: list[object]) -> None:
        for item in part:
            self.add(item)

    def _push(self, push: Push) -> None:
        known = push.encoded.get(self.protocol)
        if known is None:
            one = ReplyEncoder()
            one.protocol = self.protocol
            one.add(push.items)
            known = one.take()
            if self.protocol == 3 and isinstance(push.items, list):
                known = b">" + known[1:]
            push.encoded[self.protocol] = known
        self._out.write(known)

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
