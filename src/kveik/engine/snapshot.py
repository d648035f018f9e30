"""A snapshot: what readers saw at one instant, unchanged by later writes.

Invariants: its memtables are frozen and its tables' files stay as long as it is held; it may be let
go of by any thread, at any moment (a forgotten iterator), and is freed by the thread of truth.
Made by the store.
"""

from __future__ import annotations

from kveik.engine.view import View, Viewpoint
from kveik.native import i64


class Snapshot(Viewpoint):
    def __init__(self, view: View, lsn: i64, now: i64, released: list[Snapshot]) -> None:
        """now: Unix milliseconds. It adds itself to `released` once nobody needs it any more."""
        super().__init__(view)
        self._lsn = lsn
        self._now = now
        self._released = released
        self._freed = False
        self.held = True
        for memtable in view.memtables:
            memtable.holders += 1

    def now(self) -> i64:
        return self._now

    def lsn(self) -> i64:
        return self._lsn

    def again(self) -> Snapshot:
        """Another one of the same instant, to be let go of by itself; on the thread of truth."""
        view = View(self.view.memtables, self.view.version, self.view.hit)
        return Snapshot(view, self._lsn, self._now, self._released)

    def let_go(self) -> None:
        """Nobody needs it any more. Idempotent; takes no lock and may be called by anybody."""
        if self.held:
            self.held = False
            self._released.append(self)

    def free(self) -> None:
        """On the thread of truth, once it was let go of; the second time does nothing."""
        if self._freed:
            return
        self._freed = True
        for memtable in self.view.memtables:
            memtable.holders -= 1
        self.view.release()
