"""A directory that Kveik wrote before there were tables: all of its data are in its log.

The files are part of the format's promise. They were made by the code of that time: an identity of
version 1, and one segment with three commits and the mark of a clean close.
"""

from __future__ import annotations

from pathlib import Path

from tests.engine.support.stores import contents, disk_with, put, reopen, save, stored

from kveik.disk.memory import MemoryDisk
from kveik.format.identity import NAME, WITHOUT_MANIFEST, decode_identity

GOLDEN = Path(__file__).parents[1] / "format" / "golden" / "directory-v1"
ID = bytes.fromhex("00112233445566778899aabbccddeeff")
HELD = {b"hello": b"world", b"other": b"2"}


def directory() -> MemoryDisk:
    return disk_with({path.name: path.read_bytes() for path in sorted(GOLDEN.iterdir())})


def test_its_identity_says_that_it_has_no_manifest() -> None:
    files = stored(directory())
    assert sorted(files) == ["0000000001.log", "KVEIK"]
    assert decode_identity(files[NAME]) == (WITHOUT_MANIFEST, ID)


def test_its_data_are_read() -> None:
    store = reopen(directory())
    assert contents(store) == HELD
    assert store.lsn() == 3
    store.close()


def test_it_can_be_written_to_and_keeps_its_id() -> None:
    disk = directory()
    store = reopen(disk)
    save(store, put(b"new", b"3"))
    store.close()
    left = disk.crash()
    assert decode_identity(stored(left)[NAME])[1] == ID
    assert contents(reopen(left)) == {**HELD, b"new": b"3"}


def test_who_only_reads_it_leaves_it_as_it_is() -> None:
    disk = directory()
    before = stored(disk)
    store = reopen(disk, read_only=True)
    assert contents(store) == HELD
    store.close()
    assert stored(disk) == before
