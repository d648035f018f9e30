"""Blocks of a table as they stand on the disk: compressed or not, and checksummed.

    stored = body | codec:u8 | crc:u32        body = payload, or raw size:i32 | compressed payload

The crc covers body and codec and starts from the block's `seed`, so that a block of another table
or of another place never validates. The one place that knows zstandard, which is optional.
Called by the builder, by tables, and by whoever checks them.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any, Final

from kveik.format.coding import BytesWriter, read_i32_le, write_i32_le
from kveik.native import i32, i64, u8

try:
    zstandard: Any = import_module("zstandard")
except ImportError:
    zstandard = None

NONE: Final = 0
ZLIB: Final = 1
ZSTD: Final = 2
TRAILER: Final = 5  # bytes behind the body
ZLIB_LEVEL: Final = 1
ZSTD_LEVEL: Final = 1
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_ERROR: Final = zlib.error if zstandard is None else zstandard.ZstdError


def has_zstd() -> bool:
    """Whether blocks can be compressed with zstd, and such blocks be read."""
    return zstandard is not None


def seed(number: i64, offset: i64) -> i64:
    """Where the checksum of the block at this offset of this table starts, 0 to 2**32 - 1."""
    return ((number & 0x7FFFFFFF) * 0x9E3779B1 + offset) & 0xFFFFFFFF


def seal(pieces: list[bytes], codec: i64, start: i64) -> i64:
    """Make the pieces of a payload those of the stored block; start is its seed.

    Returns the size of the stored block. What compressing does not make an eighth smaller stays
    uncompressed.
    """
    if codec != NONE:
        codec = _compress(pieces, codec)
    out = BytesWriter()
    out.append(u8(codec))
    crc = start
    size: i64 = TRAILER
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
        size += len(piece)
    crc = zlib.crc32(out.getvalue(), crc)
    write_i32_le(out, i32(crc - 0x100000000 if crc > 0x7FFFFFFF else crc))
    pieces.append(out.getvalue())
    return size


def _compress(pieces: list[bytes], codec: i64) -> i64:
    """Compress the pieces into two if that is worth it; the codec to note."""
    payload = b"".join(pieces)
    if codec == ZLIB:
        body = zlib.compress(payload, ZLIB_LEVEL)
    elif codec == ZSTD and zstandard is not None:
        body = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(payload)
    else:
        raise ValueError(_unknown(codec))
    if len(body) > len(payload) - len(payload) // 8:
        return NONE
    size = BytesWriter()
    write_i32_le(size, i32(len(payload)))
    pieces[:] = [size.getvalue(), body]
    return codec


def unseal(data: bytes, start: i64) -> bytes:
    """The payload of a stored block, whose seed is start; ValueError says what is wrong with it."""
    end: i64 = len(data) - TRAILER
    if end < 0:
        raise ValueError("a block breaks off")
    crc: i64 = i64(read_i32_le(data, end + 1)) & 0xFFFFFFFF
    body = data[:end]
    computed: i64 = zlib.crc32(data[end : end + 1], zlib.crc32(body, start))
    if crc != computed:
        raise ValueError("the checksum of a block does not match")
    codec: i64 = data[end]
    if codec == NONE:
        return body
    if end < 4:
        raise ValueError("a compressed block breaks off")
    return _decompress(body[4:], codec, i64(read_i32_le(body, 0)))


def _decompress(body: bytes, codec: i64, size: i64) -> bytes:
    if codec == ZLIB:
        try:  # hardly more than it should be, whatever it is
            payload = zlib.decompressobj().decompress(body, max(size, 63) + 1)
        except zlib.error as error:
            raise ValueError(f"a block cannot be decompressed: {error}") from None
    elif codec == ZSTD and zstandard is not None:
        try:
            if zstandard.frame_content_size(body) > max(size, 64):  # room is made for as much
                raise ValueError("a block has more bytes decompressed than it says")
            payload = zstandard.ZstdDecompressor().decompress(body, max_output_size=size)
        except zstandard.ZstdError as error:
            raise ValueError(f"a block cannot be decompressed: {error}") from None
    else:
        raise ValueError(_unknown(codec))
    if len(payload) != size:
        raise ValueError(f"a block has {len(payload)} bytes decompressed, not {size}")
    return payload


def compressed_size(data: bytes) -> i64:
    """How long the compressed block is that data begins with; 0 if none is seen to end in it.

    For whoever has lost the index. Its checksum is still to be verified.
    """
    body = data[4:]
    rest = b""
    try:
        if body[:1] == b"\x78":
            inflater = zlib.decompressobj()
            inflater.decompress(body)
            if not inflater.eof:
                return 0
            rest = inflater.unused_data
        elif body[:4] == ZSTD_MAGIC and zstandard is not None:
            expander = zstandard.ZstdDecompressor().decompressobj()
            expander.decompress(body)
            if not expander.eof:
                return 0
            rest = expander.unused_data
        else:
            return 0
    except (zlib.error, _ZSTD_ERROR):
        return 0
    return len(data) - len(rest) + TRAILER


def _unknown(codec: i64) -> str:
    if codec == ZSTD:
        return "a block is compressed with zstd: install zstandard to read it"
    return f"a block has the unknown codec {codec}"
