"""A checkpoint: a copy of the tables of one instant, by hard links, that can be opened by itself.

Invariant: the copy becomes a database by its identity file, which is written last. Called by the
database, without its lock.
"""

from __future__ import annotations

import secrets

from kveik.disk.api import Disk
from kveik.engine.manifest import write_manifest
from kveik.engine.opening import write_identity
from kveik.engine.segment import create_segment
from kveik.engine.snapshot import Snapshot
from kveik.engine.state import State
from kveik.errors import OpenError
from kveik.format import identity
from kveik.format.table import table_name
from kveik.limits import MIN_SEGMENT
from kveik.native import i64


def write_checkpoint(snapshot: Snapshot, flushed: i64, source: Disk, target: Disk) -> None:
    """Copy what the snapshot's tables hold; flushed: the last commit in them.

    OpenError if the target holds anything. OSError: no copy was made, or only a part of it.
    """
    found = target.names() + target.others()
    if found:
        raise OpenError(f"{target.path} is not empty: it holds {found[0]!r}")
    target.lock()
    try:
        levels = [[table.info for table in level] for level in snapshot.view.version.levels]
        following: i64 = 1
        for level in levels:
            for info in level:
                source.link(table_name(info.number), target)
                following = max(following, info.number + 1)
        database_id = secrets.token_bytes(identity.ID_SIZE)
        create_segment(target, 1, MIN_SEGMENT, database_id).file.close()
        write_manifest(target, database_id, State(levels, 1, flushed, following))
        write_identity(target, database_id)
    finally:
        target.close()
