"""Redis' inline commands: words on a line, with Redis' rules for quotes. Called by `resp`."""

from __future__ import annotations

from typing import Final

from kveik.errors import ProtocolError
from kveik.native import i64

BLANKS: Final = b" \t\n\v\f\r\x00"
DOUBLE: Final = 0x22
SINGLE: Final = 0x27
BACKSLASH: Final = 0x5C
_ESCAPES: Final[dict[int, int]] = {0x6E: 10, 0x72: 13, 0x74: 9, 0x62: 8, 0x61: 7}  # n r t b a
_HEX: Final = b"0123456789abcdefABCDEF"


def split_line(line: bytes) -> list[bytes]:
    """The words of a line; ProtocolError where a quote is not closed, as Redis has it."""
    if DOUBLE not in line and SINGLE not in line and 0 not in line:
        return line.split()
    words: list[bytes] = []
    at: i64 = 0
    end: i64 = len(line)
    while at < end:
        if line[at] in BLANKS:
            at += 1
            continue
        word = bytearray()
        while at < end and line[at] not in BLANKS:
            byte: i64 = line[at]
            if byte in (DOUBLE, SINGLE):
                at = _quoted(line, at, byte, word)
            else:
                word.append(byte)
                at += 1
        words.append(bytes(word))
    return words


def _quoted(line: bytes, at: i64, quote: i64, word: bytearray) -> i64:
    """Append what stands between the quote at `at` and the next; the position behind that."""
    end: i64 = len(line)
    at += 1
    while at < end:
        byte: i64 = line[at]
        if byte == quote:
            if at + 1 < end and line[at + 1] not in BLANKS:
                break
            return at + 1
        if byte == BACKSLASH and at + 1 < end and (quote == DOUBLE or line[at + 1] == SINGLE):
            at = _escaped(line, at + 1, quote, word)
        else:
            word.append(byte)
            at += 1
    raise ProtocolError("Protocol error: unbalanced quotes in request")


def _escaped(line: bytes, at: i64, quote: i64, word: bytearray) -> i64:
    """Append what the escape means whose letter stands at `at`; the position behind it."""
    byte: int = line[at]
    if quote == SINGLE:
        word.append(byte)
        return at + 1
    digits = line[at + 1 : at + 3]
    if byte == 0x78 and len(digits) == 2 and digits[0] in _HEX and digits[1] in _HEX:
        word.append(int(digits, 16))
        return at + 3
    word.append(_ESCAPES.get(byte, byte))
    return at + 1
