"""What stands in a log, read without the engine."""

from __future__ import annotations

from kveik.disk.api import Disk
from kveik.format.record import COMMITS, decode_commits, record_end, record_lsn, record_type
from kveik.format.segment import HEAD_SIZE, decode_head

Record = tuple[str, int]  # "commits" or "mark", LSN


def read(disk: Disk, name: str) -> bytes:
    file = disk.open(name)
    data = file.read(0, file.size())
    file.close()
    return data


def logs(disk: Disk) -> list[str]:
    return [name for name in disk.names() if name.endswith(".log")]


def places(disk: Disk, name: str) -> list[tuple[int, int]]:
    """Where each valid record of a segment begins and ends."""
    data = read(disk, name)
    salt = decode_head(data).salt
    found = []
    at = HEAD_SIZE
    while (end := record_end(data, at, salt)) >= 0:
        found.append((at, end))
        at = end
    return found


def records(disk: Disk, name: str) -> list[Record]:
    data = read(disk, name)
    return [
        ("commits" if record_type(data, at) == COMMITS else "mark", record_lsn(data, at))
        for at, _ in places(disk, name)
    ]


def lsns(disk: Disk) -> list[int]:
    """Of every commit in the log, in order."""
    found: list[int] = []
    for name in logs(disk):
        data = read(disk, name)
        for at, end in places(disk, name):
            if record_type(data, at) == COMMITS:
                first = record_lsn(data, at)
                found += range(first, first + len(decode_commits(data, at, end)))
    return found
