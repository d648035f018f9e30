"""Floating-point numbers of 64 bits of precision, as Redis reckons with on x86 (C's long double).

So that INCRBYFLOAT gives the same digits: 0.1 + 0.2 is 0.3. A number is (n, d), the exact fraction
n / d in which d is a power of two; reading and adding round to nearest, ties to even. Pure.
"""

from __future__ import annotations

import re
from typing import Final

Number = tuple[int, int]

PRECISION: Final = 64  # bits
LEAST: Final = -16445  # the smallest number is 2 to this
MOST: Final = 16384  # all numbers are below 2 to this
MAX_TEXT: Final = 5 * 1024 - 1  # bytes; Redis' own bound
DIGITS: Final = 17  # behind the point

ZERO: Final[Number] = (0, 1)
INFINITE: Final[Number] = (1, 0)
MINUS_INFINITE: Final[Number] = (-1, 0)

_DECIMAL: Final = re.compile(rb"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?")
_HEX: Final = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?")
_WORDS: Final = re.compile(rb"([+-]?)(?:inf|infinity)", re.IGNORECASE)
_AT_ONCE: Final = 4000  # digits, of at most twice as many
_FAR: Final = 100_000  # an exponent past this is as good as any larger one


def parse(text: bytes) -> Number | None:
    """The number that a text stands for; None if it is none, or too large or too small for one."""
    if len(text) > MAX_TEXT:
        return None
    word = _WORDS.fullmatch(text)
    if word is not None:
        return MINUS_INFINITE if word[1] == b"-" else INFINITE
    found = _DECIMAL.fullmatch(text)
    base = 10
    if found is None:
        found = _HEX.fullmatch(text)
        base = 16
    if found is None or not (found[2] or found[3]):
        return None
    fraction = found[3] or b""
    digits = _whole(found[2] + fraction, base)
    power = max(-_FAR, min(_whole(found[4] or b"0", 10), _FAR))
    if digits == 0:
        return ZERO
    if base == 10:
        number = _scaled(digits, 10, power - len(fraction))
    else:
        number = _scaled(digits, 2, power - 4 * len(fraction))
    if number is None or number[0] == 0:
        return None
    return (-number[0], number[1]) if found[1] == b"-" else number


def add(one: Number, other: Number) -> Number | None:
    """The sum; None if that is no number."""
    if one[1] == 0 or other[1] == 0:
        return None
    total = one[0] * other[1] + other[0] * one[1]
    rounded = _rounded(abs(total), one[1] * other[1])
    if rounded is None:
        return None
    return (-rounded[0], rounded[1]) if total < 0 else rounded


def show(number: Number) -> bytes:
    """As Redis writes it: up to 17 digits behind the point, no zeros at the end."""
    high, low = divmod(_divided(abs(number[0]) * 10**DIGITS, number[1]), 10**_AT_ONCE)
    digits = b"%d%0*d" % (high, _AT_ONCE, low) if high else b"%d" % low
    digits = digits.rjust(DIGITS + 1, b"0")
    text = (digits[:-DIGITS] + b"." + digits[-DIGITS:]).rstrip(b"0").rstrip(b".")
    return b"-" + text if number[0] < 0 and text != b"0" else text


def _whole(text: bytes, base: int) -> int:
    """An integer; Python reads and writes a few thousand digits at a time."""
    if len(text) <= _AT_ONCE:
        return int(text, base)
    high, low = text[:-_AT_ONCE], text[-_AT_ONCE:]
    above: int = base**_AT_ONCE
    return int(high, base) * above + int(low, base)


def _scaled(digits: int, base: int, power: int) -> Number | None:
    """digits * base ** power, rounded."""
    if power > MOST:
        return None
    if power < 4 * LEAST:  # the digits are too few to make up for it
        return ZERO
    return _rounded(digits * base**power, 1) if power >= 0 else _rounded(digits, base**-power)


def _rounded(n: int, d: int) -> Number | None:
    """n / d, not negative, with 64 bits at most; None if it is too large."""
    if n == 0:
        return ZERO
    exponent = n.bit_length() - d.bit_length() - PRECISION
    if _shifted(n, d, exponent) >> PRECISION:
        exponent += 1
    exponent = max(exponent, LEAST)
    mantissa = _shifted(n, d, exponent)
    if exponent >= 0:
        whole = mantissa << exponent
        return None if whole >> MOST else (whole, 1)
    return mantissa, 1 << -exponent


def _shifted(n: int, d: int, exponent: int) -> int:
    """n / d / 2 ** exponent as the nearest integer."""
    return _divided(n, d << exponent) if exponent >= 0 else _divided(n << -exponent, d)


def _divided(n: int, d: int) -> int:
    """n / d as the nearest integer, the even one of two."""
    quotient, rest = divmod(n, d)
    return quotient + (2 * rest > d or (2 * rest == d and quotient & 1))
