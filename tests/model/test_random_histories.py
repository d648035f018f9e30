"""Drawn histories of a store on a disk that crashes, against a dict for each commit.

A history that fails is shortened, printed step by step, and played first when the test runs again.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.support.stores import MEMORY, at_once, stored, value

from kveik.disk.memory import MemoryDisk
from kveik.engine.log import Group
from kveik.engine.opening import open_store
from kveik.engine.store import Store
from kveik.engine.transaction import Transaction
from kveik.limits import MIB
from kveik.model import BYTES

Place = tuple[int, bytes]  # database, key
State = dict[Place, tuple[bytes, int]]  # data and expiry in Unix milliseconds, 0 for never
Step = tuple[str, int, bytes, int, int]  # kind, database, key, size of the value, ttl

DATABASES = (0, 1, 15)
START = 1_000_000  # Unix milliseconds

databases = st.sampled_from(DATABASES)
keys = st.sampled_from([b"a", b"b", b"c", b"\x00", b"\xff\xff"]) | st.binary(min_size=1, max_size=2)
sizes = st.sampled_from([0, 1, 10, 700, 5000])
ttls = st.sampled_from([0, 0, 0, 1, 5, 1000])
puts = st.tuples(st.just("put"), databases, keys, sizes, ttls)
deletes = st.tuples(st.just("delete"), databases, keys, st.just(0), st.just(0))
clears = st.tuples(
    st.sampled_from(["clear", "clear all"]), databases, st.just(b""), *[st.just(0)] * 2
)
seeds = st.none() | st.integers(0, 1000)


class StoreMachine(RuleBasedStateMachine):
    """states: what each commit left, by LSN. acknowledged: the last that must not be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk()
        self.now = START
        self.states: list[State] = [{}]
        self.acknowledged = 0
        self.written = 0  # handed to the system: only a crash can take it
        self.group: Group | None = None  # taken, and not yet performed
        self.values = 0

    def open(self, *, read_only: bool = False, ahead: bool = True) -> Store:
        return open_store(
            self.disk,
            memory=MEMORY,
            clock=lambda: (self.now + 0.5) / 1000,  # its product with 1000 is rounded down
            spawn=at_once if ahead else None,
            read_only=read_only,
        )

    @initialize(ahead=st.booleans())
    def begin(self, ahead: bool) -> None:
        self.store = self.open(ahead=ahead)

    # --- writes ---------------------------------------------------------------------------------

    @rule(step=puts | deletes | clears)
    def one_write(self, step: Step) -> None:
        self.commit([step])

    @rule(steps=st.lists(puts | deletes | clears, min_size=2, max_size=6))
    def several_in_one_commit(self, steps: list[Step]) -> None:
        self.commit(steps)

    @rule(step=puts, count=st.integers(2, 20))
    def many_commits(self, step: Step, count: int) -> None:
        for _ in range(count):
            self.commit([step])

    @rule(database=databases, size=st.sampled_from([MIB // 3, MIB - 200, MIB + 1]))
    def a_large_write(self, database: int, size: int) -> None:
        self.commit([("put", database, b"large", size, 0)])

    @rule(step=puts | deletes)
    def a_write_that_is_not_committed(self, step: Step) -> None:
        txn = Transaction(self.store)
        self.do(txn, dict(self.states[-1]), step)

    def commit(self, steps: list[Step]) -> None:
        """All steps in one transaction; the database of the first is that of all."""
        txn = Transaction(self.store)
        txn.begin(steps[0][1])
        state = dict(self.states[-1])
        for step in steps:
            self.do(txn, state, step)
        if txn.dirty():
            assert self.store.commit(txn.writes) == len(self.states)
            self.states.append(state)

    def do(self, txn: Transaction, state: State, step: Step) -> None:
        kind, _, key, size, ttl = step
        place = (txn.database, key)
        if kind == "put":
            self.values += 1
            data = value(size, self.values % 7)
            expires = self.now + ttl if ttl else 0
            txn.put(key, BYTES, data, expires)
            state[place] = (data, expires)
        elif kind == "delete":
            alive = place in state and self.alive(state[place])
            assert txn.delete(key) == alive
            if alive:
                del state[place]
        else:
            txn.clear(kind == "clear all")
            for other in list(state):
                if kind == "clear all" or other[0] == txn.database:
                    del state[other]

    # --- the disk's work ------------------------------------------------------------------------

    @precondition(lambda self: self.group is None)
    @rule(sync=st.booleans())
    def take_a_group(self, sync: bool) -> None:
        self.group = self.store.take(sync)

    @precondition(lambda self: self.group is not None)
    @rule()
    def perform_the_group(self) -> None:
        group, self.group = self.group, None
        assert group is not None
        group.perform()
        self.store.settle(group)
        self.written = group.lsn
        if group.sync:
            self.acknowledged = group.lsn
        assert self.store.synced() == self.acknowledged

    @rule()
    def sync(self) -> None:
        if self.group is not None:
            self.perform_the_group()
        self.take_a_group(True)
        if self.group is not None:
            self.perform_the_group()
        assert self.acknowledged == len(self.states) - 1

    # --- ends and beginnings --------------------------------------------------------------------

    @rule(seed=seeds)
    def crash(self, seed: int | None) -> None:
        self.disk = self.disk.crash(seed)
        self.recover()

    @rule()
    def kill(self) -> None:
        written = self.written
        self.disk = self.disk.kill()
        self.recover()
        assert self.acknowledged == written

    @rule(seed=seeds)
    def crash_after_a_kill(self, seed: int | None) -> None:
        self.kill()
        self.crash(seed)

    @rule()
    def close_and_open(self) -> None:
        if self.group is not None:
            self.perform_the_group()
        self.store.close()
        self.acknowledged = len(self.states) - 1
        self.recover()

    @rule()
    def close_and_crash(self) -> None:
        if self.group is not None:
            self.perform_the_group()
        self.store.close()
        self.acknowledged = len(self.states) - 1
        self.crash(None)

    def recover(self) -> None:
        """What is there is what some commit left, and it is from now on safe."""
        self.group = None
        self.look_without_touching()
        self.store = self.open()
        found = self.store.lsn()
        assert self.acknowledged <= found < len(self.states)
        self.states = self.states[: found + 1]
        self.acknowledged = self.written = found
        self.check()

    def look_without_touching(self) -> None:
        before = stored(self.disk)
        reader = self.open(read_only=True)
        found = reader.lsn()
        assert self.acknowledged <= found < len(self.states)
        for database in DATABASES:
            assert self.contents(reader, database) == self.expected(database, self.states[found])
        reader.close()
        assert stored(self.disk) == before

    # --- reads ----------------------------------------------------------------------------------

    @rule(milliseconds=st.sampled_from([1, 4, 999, 10_000]))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(
        database=databases,
        start=st.binary(max_size=2),
        stop=st.none() | st.binary(max_size=2),
        reverse=st.booleans(),
        limit=st.integers(-1, 5),
    )
    def scan(
        self, database: int, start: bytes, stop: bytes | None, reverse: bool, limit: int
    ) -> None:
        txn = Transaction(self.store)
        txn.begin(database)
        alive = self.expected(database, self.states[-1])
        wanted = sorted(key for key in alive if start <= key and (stop is None or key < stop))
        if reverse:
            wanted.reverse()
        if limit >= 0:
            wanted = wanted[:limit]
        rows = txn.scan(start, stop, reverse, limit)
        assert rows.keys == wanted
        assert [rows.data(at) for at in range(len(rows.keys))] == [alive[key] for key in wanted]

    @rule(database=databases, key=keys)
    def get(self, database: int, key: bytes) -> None:
        txn = Transaction(self.store)
        txn.begin(database)
        cell = txn.get(key)
        expected = self.expected(database, self.states[-1]).get(key)
        assert (None if cell is None else cell.data) == expected

    @invariant()
    def check(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.lsn() == len(self.states) - 1
        for database in DATABASES:
            found = self.contents(self.store, database)
            assert found == self.expected(database, self.states[-1])

    def alive(self, entry: tuple[bytes, int]) -> bool:
        return entry[1] == 0 or entry[1] > self.now

    def expected(self, database: int, state: State) -> dict[bytes, bytes]:
        return {
            key: entry[0]
            for (number, key), entry in state.items()
            if number == database and self.alive(entry)
        }

    def contents(self, store: Store, database: int) -> dict[bytes, bytes]:
        txn = Transaction(store)
        txn.begin(database)
        rows = txn.scan(b"", None)
        assert txn.count() == -1 or txn.count() >= len(rows.keys)  # -1: it would have to look
        return {key: rows.data(at) for at, key in enumerate(rows.keys)}


TestRandomHistories = StoreMachine.TestCase
TestRandomHistories.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, print_blob=True
)
