"""Upkeep: what turns frozen memtables into tables, and keeps the levels in shape.

`due` tells what should be done now, `Work.perform` does it beside the thread of truth (in a worker
process, but for names and the manifest), `finish` takes note of it on the thread of truth.
Invariants: one flush and one compaction at a time; nothing is removed before the edit that makes it
superfluous is on the disk; a failed step leaves everything as it was, and is tried again only if
the disk was full. Called by whoever owns the store.
"""

from __future__ import annotations

import secrets
from typing import Final

from kveik.disk.api import Disk
from kveik.engine import picker
from kveik.engine.lanes import Lane
from kveik.engine.leftovers import remove_quietly
from kveik.engine.log import FULL
from kveik.engine.manifest import Manifest
from kveik.engine.manual import pick_between
from kveik.engine.memtable import Memtable
from kveik.engine.picker import Compaction
from kveik.engine.segment import sync_segment
from kveik.engine.spill import spill_name, write_spill
from kveik.engine.store import Store
from kveik.errors import ClosedError, CorruptionError, DiskFullError
from kveik.format.edit import Edit
from kveik.format.jobs import CompactJob, FlushJob, Job, Outcome, half_made_end
from kveik.format.segment import segment_name, segment_number
from kveik.format.table import table_name
from kveik.limits import MAX_FROZEN, RETRY_FULL, SLOWEST_PACE, UNPACED
from kveik.native import i64

FLUSH: Final = 0
COMPACTION: Final = 1
REMOVAL: Final = 2


class Work:
    """One step. kind: FLUSH, COMPACTION or REMOVAL; error: what went wrong, None if nothing did."""

    def __init__(self, kind: i64, disk: Disk) -> None:
        self.kind = kind
        self.disk = disk
        self.error: Exception | None = None

    def perform(self) -> None:
        """Do it; safe beside the thread of truth. Errors are kept in `error`."""
        try:
            self._perform()
        except Exception as error:  # whatever it was, `finish` decides
            self.error = error

    def _perform(self) -> None:
        raise NotImplementedError


class Removal(Work):
    """Takes away files that nobody needs any more. left: those that are still there."""

    def __init__(self, disk: Disk, names: list[str]) -> None:
        super().__init__(REMOVAL, disk)
        self.left = names

    def _perform(self) -> None:
        while self.left:
            try:
                self.disk.remove(self.left[0])
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno in FULL:  # some file systems need room to remove, too
                    return
                raise
            del self.left[0]


class TableWork(Work):
    """Has a lane build tables, gives them their names and writes the edit that makes them count."""

    def __init__(
        self, kind: i64, disk: Disk, lane: Lane, manifest: Manifest, job: Job | None, level: i64
    ) -> None:
        super().__init__(kind, disk)
        self._lane = lane
        self._manifest = manifest
        self.job = job  # None: there is only an edit to be written
        self.level = level  # where new tables go
        self.outcome = Outcome([], 0, 0, 0.0)
        self.edit = Edit([], [])
        self.memtables: list[Memtable] = []  # that become a table
        self.segments: list[i64] = []  # that hold them

    def _perform(self) -> None:
        if self.memtables:
            self._find_segments()
        job = self.job
        try:
            if job is not None:
                self.outcome = self._run(job)
                self._name_tables(half_made_end(job.token))
            self._manifest.append(self.edit)
        except DiskFullError:  # it has not happened, and is not to take room for nothing
            if job is not None:
                self._remove_tables(half_made_end(job.token))
            raise

    def _run(self, job: Job) -> Outcome:
        if not isinstance(job, FlushJob) or not job.spill:
            return self._lane.run(job)
        name = job.spill
        try:
            job.spilled = write_spill(self.disk, name, job.table, self.memtables[0])
        except OSError:
            job.spill = ""  # from the segments; perhaps there is room for that
            return self._lane.run(job)
        try:
            return self._lane.run(job)
        except CorruptionError:
            job.spill = ""  # the segments say the same
            return self._lane.run(job)
        finally:
            remove_quietly(self.disk, name)

    def _name_tables(self, end: str) -> None:
        try:
            for info in self.outcome.tables:
                name = table_name(info.number)
                self.disk.rename(name + end, name)
                self.edit.added.append((self.level, info))
            self.disk.sync_names()
        except OSError as error:
            if error.errno in FULL:
                what = f"no room for the name of another table: {error.strerror}"
                raise DiskFullError(what) from None
            raise

    def _remove_tables(self, end: str) -> None:
        for info in self.outcome.tables:
            name = table_name(info.number)
            for made in (name, name + end):
                remove_quietly(self.disk, made)

    def _find_segments(self) -> None:
        """All before the first that is still needed, those that nothing was written to included."""
        first = self._manifest.state.log
        numbers = sorted([segment_number(name) for name in self.disk.names()])
        self.segments = [number for number in numbers if first <= number < self.edit.log]
        for number in self.segments:
            sync_segment(self.disk, number)
        if isinstance(self.job, FlushJob):
            self.job.segments = list(self.segments)


class Wanted:
    """Keys from low to high (excluded) that somebody wants compacted."""

    def __init__(self, low: bytes, high: bytes) -> None:
        self.low = low
        self.high = high


class Upkeep:
    def __init__(self, store: Store, flushes: Lane, compactions: Lane) -> None:
        """The lanes must not be the same one: a flush never waits for a compaction."""
        assert store.manifest is not None
        self._store = store
        self._disk = store.disk
        self._manifest = store.manifest
        self._lanes = [flushes, compactions]
        self._busy = [False, False, False]
        self._next_table: i64 = self._manifest.state.next_table
        self._quiet = False  # nobody has written for a while
        self._last_lsn: i64 = 0
        self._garbage: list[str] = []
        self._stuck: list[str] = []  # garbage that could not be removed for now
        self._behind = picker.debt(store.view.version.infos(), store.shape)
        self._retry: i64 = 0  # Unix milliseconds; nothing is begun before, as the disk is full
        self.wanted: Wanted | None = None  # None again once that is done
        self.compacting = True  # an owner that only wants flushes (it closes) says no
        self.flushes: i64 = 0
        self.flushed: i64 = 0  # bytes of tables that flushes made
        self.compactions: i64 = 0
        self.compacted: i64 = 0  # bytes that compactions read
        self.rewritten: i64 = 0  # bytes that they wrote
        self.compacting_seconds = 0.0

    def due(self) -> Work | None:
        """A step that may begin now; None if there is none."""
        store = self._store
        store.stirred = False
        if store.released:
            store.fold()
        self._garbage += store.view.version.graveyard.clear(store.cache)
        if self._garbage and not self._busy[REMOVAL]:
            names = self._garbage
            self._garbage = []
            self._busy[REMOVAL] = True
            return Removal(self._disk, names)
        if store.failure or store.now() < self._retry:
            return None
        work: TableWork | None = None
        if not self._busy[FLUSH]:
            work = self._flush()
        if work is None and self.compacting and not self._busy[COMPACTION]:
            work = self._compaction()
        if work is not None:
            self._busy[work.kind] = True
        return work

    def tick(self) -> None:
        """A second or so has passed."""
        lsn = self._store.lsn()
        self._quiet = lsn == self._last_lsn
        self._last_lsn = lsn
        self._garbage += self._stuck
        self._stuck = []

    def wanting(self) -> bool:
        """Whether somebody waits for a range to be compacted."""
        return self.wanted is not None

    def wants(self, mine: Wanted) -> bool:
        """Whether this is what somebody wants compacted, still."""
        return self.wanted is mine

    def compacts(self) -> bool:
        """Whether a compaction is under way."""
        return self._busy[COMPACTION]

    def idle(self) -> bool:
        """Whether nothing is under way."""
        return True not in self._busy

    def _flush(self) -> TableWork | None:
        """The oldest memtables whose segments have been written."""
        store = self._store
        log = store.log
        assert log is not None
        memtables = store.view.memtables
        oldest = memtables[-1]
        if len(memtables) == 1 or oldest.last_segment > log.ended:
            return None
        first: i64 = len(memtables) - 1  # layers of one segment become one table
        while first > 1 and memtables[first - 1].segment <= oldest.last_segment:
            first -= 1
        if memtables[first - 1].segment <= oldest.last_segment:
            return None
        job = FlushJob(
            [],
            self._manifest.state.lsn,
            memtables[first].lsn,
            self._numbers(1),
            token=secrets.token_hex(4),
            bottom=store.view.version.empty,
            now=store.now(),
            block_size=store.shape.block_size,
            codec=store.shape.codecs[0],
        )
        work = TableWork(FLUSH, self._disk, self._lanes[FLUSH], self._manifest, job, 0)
        work.memtables = memtables[first:]
        if len(work.memtables) == 1 and oldest.overwritten():
            job.spill = spill_name(job.table, job.token)
        work.edit.log = memtables[first - 1].segment
        work.edit.lsn = job.upto
        work.edit.next_table = self._next_table
        return work

    def _compaction(self) -> TableWork | None:
        store = self._store
        infos = store.view.version.infos()
        plan: Compaction | None = None
        wanted = self.wanted
        if wanted is not None:
            plan = pick_between(infos, store.shape, wanted.low, wanted.high)
            if plan is None:
                self.wanted = None
        if plan is None:
            clears = store.view.version.known_clears()
            plan = picker.pick(infos, store.shape, idle=self._quiet, clears=clears)
        if plan is None:
            return None
        job: CompactJob | None = None
        if not plan.move and plan.inputs:
            reserved = plan.most_tables()
            job = CompactJob(
                plan.inputs,
                self._numbers(reserved),
                reserved,
                plan.table_size,
                token=secrets.token_hex(4),
                bottom=plan.bottom,
                now=store.now(),
                block_size=store.shape.block_size,
                codec=store.shape.codecs[plan.target],
            )
        lane = self._lanes[COMPACTION]
        work = TableWork(COMPACTION, self._disk, lane, self._manifest, job, plan.target)
        for source in plan.inputs:
            for info in source:
                work.edit.removed.append(info.number)
                if plan.move:
                    work.edit.added.append((plan.target, info))
        for info in plan.drop:
            work.edit.removed.append(info.number)
        work.edit.next_table = self._next_table
        return work

    def _numbers(self, count: i64) -> i64:
        """The first of so many table numbers that nobody else has."""
        first = self._next_table
        self._next_table += count
        return first

    def finish(self, work: Work) -> None:
        """Take note of a step that has been performed."""
        self._busy[work.kind] = False
        store = self._store
        store.stirred = True
        if work.error is not None:
            self._failed(work.error)
            return
        if isinstance(work, Removal):
            self._stuck += work.left
        if not isinstance(work, TableWork):
            return
        store.full = ""
        version = store.view.version.apply(work.edit)
        memtables = [m for m in store.view.memtables if m not in work.memtables]
        store.look(memtables, version)
        if work.kind == FLUSH:
            if store.rows is not None:
                store.rows.flushed(work.memtables, work.outcome.written)
            store.flushed = work.edit.lsn
            self._retire(work)
        self._count(work)
        self._behind = picker.debt(version.infos(), store.shape)
        self.set_pace()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, DiskFullError):
            self._store.full = str(error)
            self._retry = self._store.now() + RETRY_FULL
        elif not isinstance(error, ClosedError):  # that was broken off
            self._store.stop(error)

    def _retire(self, work: TableWork) -> None:
        """The segments of a flush are no longer needed."""
        log = self._store.log
        assert log is not None
        for number in work.segments:
            log.forget(number)
            name = segment_name(number)
            if not log.reuse(name):
                self._garbage.append(name)

    def _count(self, work: TableWork) -> None:
        if work.kind == FLUSH:
            self.flushes += 1
            self.flushed += work.outcome.written
        elif work.job is not None:
            self.compactions += 1
            self.compacted += work.outcome.read
            self.rewritten += work.outcome.written
            self.compacting_seconds += work.outcome.seconds

    def set_pace(self) -> None:
        """How much writers are slowed down: not at all, then more and more as upkeep is behind."""
        debt = self.debt()
        if debt <= UNPACED:
            self._store.pace = 0.0
        else:
            share = min((debt - UNPACED) / (1.0 - UNPACED), 1.0)
            self._store.pace = SLOWEST_PACE * 1000.0 ** (share - 1.0)

    def debt(self) -> float:
        """How far upkeep is behind: 0 not at all, 1 as far as it may be."""
        store = self._store
        waiting: float = float(store.waiting()) - 1.0 + store.filled()
        memory: float = waiting / (MAX_FROZEN - 1)
        return max(memory, self._behind)

    def end_compactions(self) -> None:
        """Begin no other compaction, and break off the one that is under way."""
        self.compacting = False
        self._lanes[COMPACTION].close()

    def close(self) -> None:
        """End what is under way in the lanes."""
        for lane in self._lanes:
            lane.close()
