"""Python keys <-> key bytes, in an order that Python's users expect. docs/formats/keys.md.

bytes are themselves and text is its UTF-8. Everything else stands under a lead byte that UTF-8
never has, so it can be told from text (bytes keys that start with one are the caller's business):

    F8 tuple    F9 None    FA False    FB True    FC number

Numbers (int, float) sort by value, whatever their type: a float equal to an int is the same key.
Called by the public face; the server only ever sees bytes.
"""

from __future__ import annotations

import math
from typing import Final

from kveik.errors import LimitError
from kveik.limits import MAX_KEY, MAX_TUPLE_DEPTH

TUPLE: Final = 0xF8
NONE: Final = 0xF9
FALSE: Final = 0xFA
TRUE: Final = 0xFB
NUMBER: Final = 0xFC

# Inside a tuple an item must end where a longer one goes on: bytes-like items are escaped
# (00 -> 00 FF) and closed with 00 01, so that a tuple sorts before every longer one it begins.
_ITEM_BYTES: Final = 0x01
_ITEM_TEXT: Final = 0x02
_END: Final = 0x00

# A number's head says its sign and how many base-256 digits follow. A negative number is written as
# the complement of -number - 1, so that longer negatives sort first.
_ZERO: Final = 0x80
_LONG: Final = 0x7E  # digits: from here on their number follows as a byte of its own
_MAX_SIZE: Final = 255
_MINUS_INFINITY: Final = 0x00
_PLUS_INFINITY: Final = 0xFF


def encode_key(key: object) -> bytes:
    """The stored bytes of a key; LimitError past the bounds, TypeError for other types."""
    if isinstance(key, bytes):
        encoded = key
    elif isinstance(key, str):
        try:
            encoded = key.encode()
        except UnicodeEncodeError:
            raise LimitError("a text key must be valid Unicode (it has a lone surrogate)") from None
    else:
        encoded = _encode_other(key, 0)
    if not 0 < len(encoded) <= MAX_KEY:
        raise LimitError(f"a key has 1 to {MAX_KEY} bytes, not {len(encoded)}")
    return encoded


def encode_bound(key: object) -> bytes:
    """As encode_key, for the end of a range: empty, and one byte longer than a key, may be, too."""
    if isinstance(key, bytes) and len(key) in (0, MAX_KEY + 1):
        return key
    return encode_key(key) if key != "" else b""


def prefix_bounds(prefix: object) -> tuple[bytes, bytes | None]:
    """(low, high) of the keys that begin with bytes, a text, or the items of a tuple.

    None: there is no end. TypeError for other types, as nothing begins with a number.
    """
    if isinstance(prefix, tuple):
        low = encode_key(prefix)[:-1]
    elif isinstance(prefix, (bytes, str)):
        low = encode_key(prefix) if prefix else b""
    else:
        raise TypeError(f"a prefix is bytes, str or a tuple, not {type(prefix).__name__}")
    return low, successor(low)


def successor(prefix: bytes) -> bytes | None:
    """The first key behind all that begin with a prefix; None if there is none."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes((kept[-1] + 1,)) if kept else None


def _encode_other(key: object, depth: int) -> bytes:
    if key is None:
        return bytes((NONE,))
    if key is True:
        return bytes((TRUE,))
    if key is False:
        return bytes((FALSE,))
    if isinstance(key, (int, float)):
        return bytes((NUMBER,)) + _encode_number(key)
    if isinstance(key, tuple):
        if depth >= MAX_TUPLE_DEPTH:
            raise LimitError(f"tuples in a key nest at most {MAX_TUPLE_DEPTH} deep")
        items = [_encode_item(item, depth + 1) for item in key]
        return bytes((TUPLE,)) + b"".join(items) + bytes((_END,))
    if isinstance(key, (bytearray, memoryview)):
        raise TypeError(f"a key cannot be changed later: use bytes, not {type(key).__name__}")
    raise TypeError(
        f"a key is bytes, str, int, float, bool, None or a tuple of them, not {type(key).__name__}"
    )


def _encode_item(item: object, depth: int) -> bytes:
    if isinstance(item, bytes):
        return bytes((_ITEM_BYTES,)) + _escape(item)
    if isinstance(item, str):
        return bytes((_ITEM_TEXT,)) + _escape(encode_key(item) if item else b"")
    return _encode_other(item, depth)


def _escape(data: bytes) -> bytes:
    return data.replace(b"\x00", b"\x00\xff") + b"\x00\x01"


def _encode_number(number: int | float) -> bytes:
    """The whole part (rounded down) and what is left of it, as binary digits after the point."""
    if isinstance(number, float):
        if math.isnan(number):
            raise LimitError("NaN has no place in an order: it cannot be a key")
        if math.isinf(number):
            return bytes((_PLUS_INFINITY if number > 0 else _MINUS_INFINITY,))
    numerator, denominator = number.as_integer_ratio()  # the denominator is a power of two
    whole, rest = divmod(numerator, denominator)
    digits = (denominator.bit_length() + 6) // 8  # base-256 digits that hold the fraction exactly
    fraction = (rest << (8 * digits)) // denominator
    return _encode_whole(whole) + _escape(fraction.to_bytes(digits, "big").rstrip(b"\x00"))


def _encode_whole(whole: int) -> bytes:
    magnitude = whole if whole >= 0 else -whole - 1
    size = (magnitude.bit_length() + 7) // 8
    if size > _MAX_SIZE:
        raise LimitError(f"a number in a key has at most {_MAX_SIZE * 8} bits")
    short = size < _LONG
    head = bytes((_ZERO + size,)) if short else bytes((_ZERO + _LONG, size))
    positive = head + magnitude.to_bytes(size, "big")
    return positive if whole >= 0 else bytes(255 - byte for byte in positive)


def is_plain(data: bytes) -> bool:
    """Whether decode_key gives a key back as it is."""
    return not data or not TUPLE <= data[0] <= NUMBER


def decode_key(data: bytes) -> object:
    """What encode_key was given, but that text comes back as its UTF-8 bytes.

    Bytes that follow no encoding come back as they are.
    """
    if is_plain(data):
        return data
    try:
        key, end = _decode_other(data, 0, 0)
    except (IndexError, ValueError, OverflowError):
        return data
    return key if end == len(data) and encode_key(key) == data else data


def _decode_other(data: bytes, at: int, depth: int) -> tuple[object, int]:
    lead = data[at]
    if lead == NONE:
        return None, at + 1
    if lead in (FALSE, TRUE):
        return lead == TRUE, at + 1
    if lead == NUMBER:
        return _decode_number(data, at + 1)
    if lead != TUPLE or depth >= MAX_TUPLE_DEPTH:
        raise ValueError("unknown lead byte")
    items: list[object] = []
    at += 1
    while data[at] != _END:
        item, at = _decode_item(data, at, depth + 1)
        items.append(item)
    return tuple(items), at + 1


def _decode_item(data: bytes, at: int, depth: int) -> tuple[object, int]:
    lead = data[at]
    if lead not in (_ITEM_BYTES, _ITEM_TEXT):
        return _decode_other(data, at, depth)
    item, at = _unescape(data, at + 1)
    return (item.decode() if lead == _ITEM_TEXT else item), at


def _unescape(data: bytes, at: int) -> tuple[bytes, int]:
    """What was escaped from `at` on, and the position behind its end."""
    start = at
    while True:
        at = data.index(0, at) + 2
        if data[at - 1] == 1:
            return data[start : at - 2].replace(b"\x00\xff", b"\x00"), at
        if data[at - 1] != 0xFF:
            raise ValueError("bad escape")


def _decode_number(data: bytes, at: int) -> tuple[int | float, int]:
    head = data[at]
    at += 1
    if head in (_MINUS_INFINITY, _PLUS_INFINITY):
        return (math.inf if head == _PLUS_INFINITY else -math.inf), at
    negative = head < _ZERO
    size = (255 - head if negative else head) - _ZERO
    if size == _LONG:
        size = 255 - data[at] if negative else data[at]
        at += 1
    digits = data[at : at + size]
    if len(digits) < size:
        raise ValueError("number breaks off")
    whole = int.from_bytes(digits, "big") - (1 << (8 * size) if negative else 0)
    fraction, at = _unescape(data, at + size)
    if not fraction:
        return whole, at
    scale = 1 << (8 * len(fraction))
    return (whole * scale + int.from_bytes(fraction, "big")) / scale, at
