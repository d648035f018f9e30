"""The salt of a file whose head is damaged, from its records. Called by who reads damaged files.

A CRC can be run backwards: from a record and its checksum to where it started, the salt. That it is
the right one shows in the next record.
"""

from __future__ import annotations

from typing import Final

from kveik.format.coding import read_i32_le
from kveik.format.record import HEADER, record_end
from kveik.native import i64

POLYNOMIAL: Final = 0xEDB88320  # of CRC-32
SALT_OFFSET: Final = 12  # in the head


def _table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (POLYNOMIAL if number & 1 else 0)
        table.append(number)
    return table


TABLE: Final = _table()
BY_TOP: Final = {value >> 24: at for at, value in enumerate(TABLE)}


def salt_of(data: bytes, at: i64) -> int:
    """As the head has it, if the record at `at` is valid with it; else what two records agree on.

    What the head has if there are no two.
    """
    salt = int(read_i32_le(data, SALT_OFFSET)) & 0xFFFFFFFF
    if record_end(data, at, salt) >= 0 or at + HEADER > len(data):
        return salt
    size: i64 = i64(read_i32_le(data, at + 4))
    end = at + HEADER + size
    if size < 1 or end > len(data):
        return salt
    crc = int(read_i32_le(data, at)) & 0xFFFFFFFF
    found = crc_start(data[at + 4 : end], crc)
    return found if record_end(data, end, found) >= 0 else salt


def crc_start(data: bytes, crc: int) -> int:
    """Where the CRC started that has come to this value over the data."""
    state: i64 = crc ^ 0xFFFFFFFF
    at: i64 = len(data) - 1
    while at >= 0:
        index: i64 = BY_TOP[state >> 24]
        entry: i64 = TABLE[index]
        byte: i64 = data[at]
        state = ((state ^ entry) << 8 & 0xFFFFFFFF) | (index ^ byte)
        at -= 1
    return state ^ 0xFFFFFFFF
