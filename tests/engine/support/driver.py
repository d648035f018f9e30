"""A store whose upkeep is stepped by hand, on any disk, beside a plain dict for each commit.

Everything happens in one thread and in one order, so that a history can be stopped, or failed, at
each of its disk operations. Sizes are tiny: a few hundred writes fill several levels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.engine.support.stores import at_once

from kveik.disk.api import Disk
from kveik.disk.memory import MemoryDisk
from kveik.engine.cache import Cached
from kveik.engine.lanes import ThreadLane
from kveik.engine.log import MAX_SPARES, Group
from kveik.engine.opening import open_store
from kveik.engine.shape import Shape
from kveik.engine.snapshot import Snapshot
from kveik.engine.store import Store
from kveik.engine.table import Fault
from kveik.engine.transaction import Transaction, unpin
from kveik.engine.upkeep import Upkeep, Wanted, Work
from kveik.engine.view import Viewpoint
from kveik.errors import KveikError, StorageError
from kveik.format.segment import segment_name, segment_number
from kveik.format.table import table_name
from kveik.model import BYTES, Cell, Writes

START = 1_000_000  # Unix milliseconds
ALL = Wanted(b"\x00", b"\x10")
SYSTEM = {"KVEIK", "MANIFEST"}

State = dict[bytes, tuple[bytes, int]]  # key -> data and expiry in Unix milliseconds, 0 for never
Step = tuple[str, bytes, bytes, int]  # kind, key, value or end of the range, milliseconds to live
Result = TypeVar("Result")


def put(key: bytes, data: bytes, ttl: int = 0) -> Step:
    return ("put", key, data, ttl)


def delete(key: bytes) -> Step:
    return ("delete", key, b"", 0)


def clear(start: bytes, stop: bytes) -> Step:
    return ("clear", start, stop, 0)


def tiny(segment: int = 4096) -> Shape:
    """Levels that fill after a few hundred small writes, and a cache that does not hold them."""
    shape = Shape(segment, 8 * segment)
    shape.table_size = segment
    shape.level0_trigger = 3
    shape.level0_idle = 2
    shape.level0_slow = 6
    shape.level0_full = 12
    shape.level1_size = 2 * segment
    shape.fanout = 2
    shape.job_size = 12 * segment
    shape.block_size = 512
    return shape


def after(state: State, steps: tuple[Step, ...], now: int) -> State:
    left = dict(state)
    for kind, key, data, ttl in steps:
        if kind == "put":
            left[key] = (data, now + ttl if ttl else 0)
        elif kind == "delete":
            left.pop(key, None)
        else:
            for other in [other for other in left if key <= other < data]:
                del left[other]
    return left


def alive(state: State, now: int) -> dict[bytes, bytes]:
    return {key: data for key, (data, expires) in sorted(state.items()) if not 0 < expires <= now}


class Frozen:
    """A snapshot, and what must be seen in it."""

    def __init__(self, snapshot: Snapshot, expected: dict[bytes, bytes]) -> None:
        self.snapshot = snapshot
        self.expected = expected


class Driver:
    """states: what each commit left, by LSN. acknowledged: the last one that must not be lost.

    What the disk refuses or fails is remembered in `errors`, and the history goes on.
    """

    def __init__(
        self,
        disk: Disk,
        *,
        durability: str = "always",
        ahead: bool = True,
        rows: bool = True,
        shape: Shape | None = None,
        now: int = START,
    ) -> None:
        """ahead: segments are made beforehand; rows: single values are kept, as a server does."""
        self.disk = disk
        self.durability = durability
        self.ahead = ahead
        self.rows = rows
        self.shape = shape or tiny()
        self.now = now
        self.states: list[State] = [{}]
        self.acknowledged = 0
        self.errors: list[Exception] = []
        self.frozen: list[Frozen] = []
        self.begun: list[Work] = []  # steps of the upkeep: due, not performed
        self.performed: list[Work] = []  # and not finished

    def like_me(self, disk: Disk) -> Driver:
        """A driver of another disk, on which the same must be found."""
        other = Driver(
            disk,
            durability=self.durability,
            ahead=self.ahead,
            rows=self.rows,
            shape=self.shape,
            now=self.now,
        )
        other.states = list(self.states)
        other.acknowledged = self.acknowledged
        return other

    # --- beginnings and ends --------------------------------------------------------------------

    def open(self) -> None:
        """Open; what is then there is what some commit left, and counts from now on."""
        self.store: Store = open_store(
            self.disk,
            memory=0,
            shape=self.shape,
            clock=lambda: (self.now + 0.5) / 1000,  # its product with 1000 is rounded down
            spawn=at_once if self.ahead else None,
        )
        self.store.gated = self.durability == "always"
        assert self.store.log is not None
        self.store.log.lazy = self.durability == "none"
        if self.rows:
            self.store.keep_rows()
        self.upkeep = Upkeep(self.store, ThreadLane(self.disk), ThreadLane(self.disk))
        self.frozen = []
        self.begun = []
        self.performed = []
        found = self.store.lsn()
        assert self.acknowledged <= found < len(self.states), (self.acknowledged, found)
        self.states = self.states[: found + 1]
        self.acknowledged = found
        self.check()

    def open_again(self) -> None:
        """Open, once more if the disk fails."""
        error = outcome(self)
        if error is not None:
            self.errors.append(error)
            self.open()

    def close(self) -> None:
        """A clean end: everything is safe then, at any durability."""
        failed = bool(self.store.failure)
        try:
            self.store.close()
        except OSError as error:
            self.errors.append(error)
        else:
            if not failed:
                self.acknowledged = len(self.states) - 1

    # --- writes ---------------------------------------------------------------------------------

    def commit(self, *steps: Step) -> bool:
        """One commit, not yet written; whether it was taken."""
        writes = Writes()
        for kind, key, data, ttl in steps:
            if kind == "put":
                expires = self.now + ttl if ttl else 0
                writes.put(b"\x00" + key, Cell(BYTES, data, expires))
            elif kind == "delete":
                writes.delete(b"\x00" + key)
            else:
                writes.clear(b"\x00" + key, b"\x00" + data)
        try:
            lsn = self.store.commit(writes)
        except StorageError as error:
            self.errors.append(error)
            return False
        assert lsn == len(self.states)
        self.states.append(after(self.states[-1], steps, self.now))
        return True

    def save(self, *steps: Step) -> None:
        """One commit, acknowledged as the durability says."""
        self.commit(*steps)
        self.flush()

    def flush(self, *, sync: bool | None = None) -> None:
        """Write what has gathered, and sync it where the durability, or the caller, says so."""
        group = self.store.take(self.durability == "always" if sync is None else sync)
        if group is not None:
            self.perform(group)

    def perform(self, group: Group) -> None:
        try:
            group.perform()
        except OSError as error:
            self.errors.append(error)
            self.store.fail(error)
        else:
            self.store.settle(group)
        self._note_safe()

    def _note_safe(self) -> None:
        manifest = self.store.manifest
        assert manifest is not None
        self.acknowledged = max(self.acknowledged, self.store.synced(), manifest.state.lsn)

    # --- upkeep ---------------------------------------------------------------------------------

    def begin_work(self) -> bool:
        """Begin a step of the upkeep, if one is due."""
        work = self.upkeep.due()
        if work is not None:
            self.begun.append(work)
        return work is not None

    def perform_work(self) -> None:
        """Perform the step that was begun first."""
        if self.begun:
            work = self.begun.pop(0)
            work.perform()
            self.performed.append(work)
            self._note_safe()

    def finish_work(self) -> None:
        """Take note of the step that was performed first."""
        if self.performed:
            work = self.performed.pop(0)
            if work.error is not None:
                self.errors.append(work.error)
            self.upkeep.finish(work)

    def keep_up(self) -> None:
        """Everything that is due, to its end."""
        while self.begun or self.performed or self.begin_work():
            self.perform_work()
            self.finish_work()

    def make_tables(self) -> None:
        """Bring everything that was written into tables."""
        try:
            self.store.rotate()
        except StorageError as error:
            self.errors.append(error)
        self.flush()
        self.keep_up()

    def compact(self) -> None:
        """Bring everything into one level."""
        self.make_tables()
        self.upkeep.wanted = ALL
        self.keep_up()
        self.upkeep.wanted = None

    def room_again(self) -> None:
        """Time enough has passed for the upkeep to try again on a disk that was full."""
        self.now += 1001
        self.upkeep.tick()
        self.keep_up()

    # --- reads ----------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Hold a snapshot of what is there."""
        self.frozen.append(Frozen(self.store.snapshot(), alive(self.states[-1], self.now)))

    def thaw(self) -> None:
        """Let go of the oldest snapshot, which has not changed."""
        if self.frozen:
            frozen = self.frozen.pop(0)
            self.check_frozen(frozen)
            frozen.snapshot.let_go()

    def check_frozen(self, frozen: Frozen) -> None:
        assert self.scan(frozen.snapshot) == frozen.expected

    def check(self) -> None:
        """What is seen is what the last commit left."""
        assert self.scan(self.store) == alive(self.states[-1], self.now)

    def check_keys(self, keys: list[bytes]) -> None:
        """The same of single keys."""
        expected = alive(self.states[-1], self.now)
        for key in keys:
            assert self.get(self.store, key) == expected.get(key)

    def read(self, point: Viewpoint, query: Callable[[Transaction], Result]) -> Result:
        """Run a query until no block is missing."""
        txn = Transaction(point)
        txn.begin(0)
        held: list[Cached] = []
        try:
            while True:
                try:
                    return query(txn)
                except Fault as fault:
                    self._load(fault)
                    fault.settle(self.store.cache)
                    held += fault.pinned
                    txn.begin(0)
        finally:
            unpin(held)

    def _load(self, fault: Fault) -> None:
        """As whoever reads would: a read that failed is tried again."""
        try:
            fault.load(False)
        except OSError as error:
            self.errors.append(error)
            fault.load(False)

    def scan(self, point: Viewpoint, *, reverse: bool = False) -> dict[bytes, bytes]:
        rows = self.read(point, lambda txn: txn.scan(b"", None, reverse))
        return {key: rows.data(at) for at, key in enumerate(rows.keys)}

    def get(self, point: Viewpoint, key: bytes) -> bytes | None:
        cell = self.read(point, lambda txn: txn.get(key))
        return None if cell is None else cell.data

    # --- files ----------------------------------------------------------------------------------

    def strangers(self) -> set[str]:
        """Files that neither the manifest nor the log accounts for."""
        manifest = self.store.manifest
        log = self.store.log
        assert manifest is not None
        assert log is not None
        state = manifest.state
        known = {table_name(info.number) for level in state.levels for info in level}
        names = set(self.disk.names())
        assert known <= names
        segments = {name for name in names if segment_number(name) >= state.log}
        assert segment_name(log.number()) in segments
        spares = {name for name in names if 0 < segment_number(name) < state.log}
        left = names - known - segments - spares - SYSTEM
        return left | (spares if len(spares) > MAX_SPARES else set())


def outcome(driver: Driver) -> Exception | None:
    """Open; why that did not work, if it did not."""
    try:
        driver.open()
    except (KveikError, OSError) as error:
        return error
    return None


def check_survival(driver: Driver, disk: MemoryDisk, *, deep: bool = True) -> None:
    """What a crash left opens and holds what it must; deep: then goes on as if nothing was."""
    left = driver.like_me(disk)
    left.open()
    assert left.strangers() == set()
    if not deep:
        left.close()
        return
    left.save(put(b"after", b"the crash"), delete(b"k001"))
    left.compact()
    left.check()
    assert left.strangers() == set()
    assert left.errors == []
    left.commit(put(b"never", b"acknowledged"))
    again = left.like_me(disk.crash())
    again.open()
    again.now += 1_000_000  # whatever could expire has
    again.check()
    again.close()
