"""Which plain values of a memtable were written by commits that may not be safe yet.

What stands in the memtable for such a value is its bytes and nothing else, safe or not, so that a
write makes one object, and one that overwrites it drops one. A write only leaves its key here;
readers look it up while there is anything to look up.
Invariant: a commit that was noted is known until it is settled. Called by the memtable.
"""

from __future__ import annotations

from typing import Final

from kveik.native import i64

STALE: Final = 4096  # keys that are looked up in vain before they are forgotten


class Unsynced:
    def __init__(self) -> None:
        self._base: i64 = 0  # the commit before the first one of _written
        self._written: list[object] = []  # by each commit: a key, a list of keys, or None
        self._lsns: dict[bytes, int] = {}  # of these keys, as far as somebody has asked
        self._indexed: i64 = 0  # the last commit that was looked at for it

    def note(self, key: object, lsn: i64) -> None:
        """A commit has written a plain value under a key, or under each of a list of keys."""
        self._begin(lsn)
        self._written.append(key)

    def note_run(self, keys: list[bytes], first: i64) -> None:
        """As note, for a commit each, the first of which is `first`.

        To note a run twice does no harm: somebody was interrupted.
        """
        if self._written and first <= self._base + len(self._written):
            return
        self._begin(first)
        self._written.extend(keys)

    def _begin(self, lsn: i64) -> None:
        """Make the commit `lsn` the next one; those in between left nothing here."""
        written = self._written
        if not written:
            self._base = lsn - 1
        while self._base + len(written) + 1 < lsn:
            written.append(None)

    def lsn_of(self, key: bytes) -> i64:
        """The commit that last wrote a plain value under a key; 0 if it is long safe."""
        if not self._written:
            return 0
        last: i64 = self._base + len(self._written)
        if self._indexed < last:
            self._index(last)
        lsn: i64 = self._lsns.get(key, 0)
        return lsn if lsn > self._base else 0

    def _index(self, last: i64) -> None:
        lsns = self._lsns
        lsn = max(self._indexed, self._base)
        while lsn < last:
            written = self._written[lsn - self._base]
            lsn += 1
            if isinstance(written, bytes):
                lsns[written] = lsn
            elif isinstance(written, list):
                for key in written:
                    lsns[key] = lsn
        self._indexed = last

    def settle(self, safe: i64) -> None:
        """Nobody waits any more for commits up to `safe`."""
        settled: i64 = min(safe - self._base, len(self._written))
        if settled <= 0:
            return
        del self._written[:settled]
        self._base += settled
        if self._lsns and (not self._written or len(self._lsns) > len(self._written) + STALE):
            self._lsns = {}
            self._indexed = self._base

    def follow(self, newer: Unsynced) -> None:
        """Take over what a newer memtable's commits have written."""
        for at, written in enumerate(newer._written):
            if written is not None:
                self.note(written, newer._base + at + 1)
