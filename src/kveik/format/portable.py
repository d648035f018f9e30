"""Plain-Python stand-ins for librt.strings, for where nothing can be installed.

Only `coding` imports this module. Same names, same bytes; slower.
"""

from __future__ import annotations

from kveik.native import i16, i32, i64


class BytesWriter:
    """Bytes gathered piece by piece."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def append(self, byte: int, /) -> None:
        self._bytes.append(byte)

    def write(self, data: bytes | bytearray, /) -> None:
        self._bytes += data

    def truncate(self, size: i64, /) -> None:
        del self._bytes[size:]

    def getvalue(self) -> bytes:
        return bytes(self._bytes)

    def __len__(self) -> int:
        return len(self._bytes)

    def __getitem__(self, index: i64, /) -> int:
        return self._bytes[index]

    def __setitem__(self, index: i64, byte: int, /) -> None:
        self._bytes[index] = byte


def write_i32_le(out: BytesWriter, number: i32, /) -> None:
    out.write(int(number).to_bytes(4, "little", signed=True))


def write_i32_be(out: BytesWriter, number: i32, /) -> None:
    out.write(int(number).to_bytes(4, "big", signed=True))


def write_i64_le(out: BytesWriter, number: i64, /) -> None:
    out.write(int(number).to_bytes(8, "little", signed=True))


def read_i16_be(data: bytes, index: i64, /) -> i16:
    return i16(int.from_bytes(data[index : index + 2], "big", signed=True))


def read_i32_le(data: bytes, index: i64, /) -> i32:
    return i32(int.from_bytes(data[index : index + 4], "little", signed=True))


def read_i64_le(data: bytes, index: i64, /) -> i64:
    return i64(int.from_bytes(data[index : index + 8], "little", signed=True))


def read_i32_be(data: bytes, index: i64, /) -> i32:
    return i32(int.from_bytes(data[index : index + 4], "big", signed=True))


def read_i64_be(data: bytes, index: i64, /) -> i64:
    return i64(int.from_bytes(data[index : index + 8], "big", signed=True))
