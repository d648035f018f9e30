"""The file KVEIK, by which a directory is known as a database. docs/formats/directory.md.

    kveik <format version>\\n
    id <32 hex digits>\\n

Plain text, so that a person who finds the directory learns what it is. A directory of version 2 has
a MANIFEST; one of version 1 has none, all of its data are in the log. Called by `engine.store`.
"""

from __future__ import annotations

from typing import Final

NAME: Final = "KVEIK"
VERSION: Final = 2
WITHOUT_MANIFEST: Final = 1  # the version before there were tables
ID_SIZE: Final = 16


def encode_identity(database_id: bytes) -> bytes:
    return f"kveik {VERSION}\nid {database_id.hex()}\n".encode()


def decode_identity(data: bytes) -> tuple[int, bytes]:
    """(format version, database id); ValueError if this is no identity."""
    lines = data.decode("ascii", "replace").splitlines()
    if not lines or not lines[0].startswith("kveik ") or not lines[0][6:].isdecimal():
        raise ValueError("the first line is not 'kveik <format version>'")
    version = int(lines[0][6:])
    if version < 1:
        raise ValueError("the first line has no format version of 1 or more")
    if version > VERSION:
        return version, b""  # a newer format may say the rest differently
    if len(lines) < 2 or not lines[1].startswith("id "):
        raise ValueError("the second line is not 'id <32 hex digits>'")
    database_id = bytes.fromhex(lines[1][3:])
    if len(database_id) != ID_SIZE:
        raise ValueError("the database id is not 32 hex digits")
    return version, database_id
