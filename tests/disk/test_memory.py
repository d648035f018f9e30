"""The disk in memory: what a crash takes, and what it may not take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.disk.api import Disk, File
from kveik.disk.memory import SECTOR, MemoryDisk
from kveik.errors import LockedError

SEEDS = range(200)


def content(disk: MemoryDisk, name: str = "a") -> bytes:
    file = disk.open(name)
    return file.read(0, file.size())


def durable_file(disk: MemoryDisk, name: str = "a", data: bytes = b"") -> File:
    file = disk.create(name)
    file.write(0, [data])
    file.sync()
    disk.sync_names()
    return file


def outcomes(disk: MemoryDisk, name: str = "a") -> set[bytes]:
    """Every content that some crash leaves."""
    return {content(disk.crash(seed), name) for seed in SEEDS}


# --- a crash that takes all it can --------------------------------------------------------------


def test_synced_bytes_under_a_synced_name_are_there_after_a_crash() -> None:
    disk = MemoryDisk()
    durable_file(disk, data=b"hello")
    assert content(disk.crash()) == b"hello"


def test_unsynced_bytes_are_gone_after_a_crash() -> None:
    disk = MemoryDisk()
    file = durable_file(disk, data=b"hello")
    file.write(1, [b"ipp"])
    file.write(5, [b" and more"])
    assert content(disk.crash()) == b"hello"


def test_a_sync_makes_the_names_of_its_file_no_safer() -> None:
    disk = MemoryDisk()
    file = disk.create("a")
    file.write(0, [b"hello"])
    file.sync()
    assert disk.crash().names() == []


def test_a_sync_of_names_makes_bytes_no_safer() -> None:
    disk = MemoryDisk()
    disk.create("a").write(0, [b"hello"])
    disk.sync_names()
    assert content(disk.crash()) == b""


def test_a_sync_is_of_one_file() -> None:
    disk = MemoryDisk()
    first, second = durable_file(disk, "a"), durable_file(disk, "b")
    first.write(0, [b"hello"])
    second.write(0, [b"hello"])
    second.sync()
    after = disk.crash()
    assert (content(after, "a"), content(after, "b")) == (b"", b"hello")


def test_a_sync_covers_what_was_written_through_another_open_file() -> None:
    disk = MemoryDisk()
    durable_file(disk).write(0, [b"hello"])
    disk.open("a").sync()
    assert content(disk.crash()) == b"hello"


def test_allocated_room_is_gone_after_a_crash_and_there_after_a_sync() -> None:
    disk = MemoryDisk()
    file = durable_file(disk, data=b"hello")
    file.allocate(1000)
    assert content(disk.crash()) == b"hello"

    disk = MemoryDisk()
    file = durable_file(disk, data=b"hello")
    file.allocate(1000)
    file.sync()
    assert content(disk.crash()) == b"hello" + bytes(995)


def test_a_removed_file_is_back_after_a_crash_until_names_are_synced() -> None:
    disk = MemoryDisk()
    durable_file(disk, data=b"hello")
    disk.remove("a")
    assert content(disk.crash()) == b"hello"

    disk = MemoryDisk()
    durable_file(disk)
    disk.remove("a")
    disk.sync_names()
    assert disk.crash().names() == []


def test_a_rename_is_undone_by_a_crash_until_names_are_synced() -> None:
    disk = MemoryDisk()
    durable_file(disk, "new", b"before")
    durable_file(disk, "old", b"after")
    disk.rename("old", "new")
    after = disk.crash()
    assert after.names() == ["new", "old"]
    assert (content(after, "new"), content(after, "old")) == (b"before", b"after")


def test_a_rename_of_unsynced_bytes_leaves_an_empty_file() -> None:
    disk = MemoryDisk()
    durable_file(disk, "new", b"before")
    disk.create("old").write(0, [b"after"])
    disk.rename("old", "new")
    disk.sync_names()
    after = disk.crash()
    assert (after.names(), content(after, "new")) == (["new"], b"")


def test_bytes_synced_after_a_rename_are_safe_under_the_new_name() -> None:
    disk = MemoryDisk()
    file = disk.create("old")
    disk.rename("old", "new")
    disk.sync_names()
    file.write(0, [b"hello"])
    file.sync()
    assert content(disk.crash(), "new") == b"hello"


def test_what_a_crash_left_is_durable() -> None:
    disk = MemoryDisk()
    durable_file(disk, data=bytes(5000)).write(0, [b"x" * 5000])
    left = disk.crash(1)
    before = content(left)
    assert content(left.crash()) == before


# --- a crash with a seed ------------------------------------------------------------------------


def test_the_same_seed_leaves_the_same() -> None:
    disk = MemoryDisk()
    durable_file(disk).write(0, [b"x" * 20_000])
    disk.create("b")
    for seed in SEEDS:
        first, second = disk.crash(seed), disk.crash(seed)
        assert first.names() == second.names()
        assert content(first) == content(second)


def test_synced_bytes_are_there_whatever_the_seed() -> None:
    disk = MemoryDisk()
    file = durable_file(disk, data=b"s" * 3000)
    file.write(3000, [b"u" * 3000])
    for left in outcomes(disk):
        assert left[:3000] == b"s" * 3000
        assert set(left[3000:]) <= {0, ord("u")}


def test_no_seed_brings_back_what_was_overwritten_and_synced() -> None:
    disk = MemoryDisk()
    file = durable_file(disk, data=b"first")
    for data in (b"second", b"third!"):
        file.write(0, [data])
        file.sync()
    assert outcomes(disk) == {b"third!"}


def test_a_write_may_tear_at_any_sector_and_in_any_order() -> None:
    disk = MemoryDisk()
    durable_file(disk, data=b"a" * 3 * SECTOR).write(0, [b"b" * 3 * SECTOR])
    marks = {bytes(left[sector * SECTOR] for sector in range(3)) for left in outcomes(disk)}
    assert marks == {b"aaa", b"aab", b"aba", b"abb", b"baa", b"bab", b"bba", b"bbb"}


def test_a_sector_never_tears() -> None:
    disk = MemoryDisk()
    durable_file(disk, data=b"a" * 2 * SECTOR).write(100, [b"b" * SECTOR])
    old, new = b"a" * (SECTOR - 100), b"b" * (SECTOR - 100)
    for left in outcomes(disk):
        assert left[100:SECTOR] in (old, new)
        assert left[SECTOR : SECTOR + 100] in (old[:100], new[:100])


def test_a_write_across_a_border_may_tear_there() -> None:
    disk = MemoryDisk()
    durable_file(disk, data=b"a" * 2 * SECTOR).write(SECTOR - 2, [b"bbbb"])
    seen = {left[SECTOR - 3 : SECTOR + 3] for left in outcomes(disk)}
    assert seen == {b"aaaaaa", b"abbaaa", b"aaabba", b"abbbba"}


def test_a_sector_shows_a_moment_of_its_own_history() -> None:
    disk = MemoryDisk()
    file = durable_file(disk, data=b"....")
    file.write(0, [b"1"])
    file.write(1, [b"2"])
    file.write(0, [b"3"])
    assert outcomes(disk) == {b"....", b"1...", b"12..", b"32.."}


def test_the_sector_at_the_end_is_zeros_up_to_a_later_one_that_was_kept() -> None:
    disk = MemoryDisk()
    file = durable_file(disk)
    file.write(0, [b"a" * SECTOR])
    file.write(SECTOR, [b"b"])
    assert outcomes(disk) == {
        b"",
        b"a" * SECTOR,
        bytes(SECTOR) + b"b",
        b"a" * SECTOR + b"b",
    }


def test_allocated_room_may_or_may_not_be_there() -> None:
    disk = MemoryDisk()
    durable_file(disk, data=b"x").allocate(10)
    assert outcomes(disk) == {b"x", b"x" + bytes(9)}


def test_the_names_show_a_moment_of_their_history() -> None:
    disk = MemoryDisk()
    durable_file(disk, "a", b"1")
    disk.create("b")
    disk.remove("a")
    disk.rename("b", "c")
    seen = {tuple(disk.crash(seed).names()) for seed in SEEDS}
    assert seen == {("a",), ("a", "b"), ("b",), ("c",)}


def test_synced_names_are_there_whatever_the_seed() -> None:
    disk = MemoryDisk()
    disk.create("a")
    disk.create("b")
    disk.rename("b", "c")
    disk.create("gone")
    disk.remove("gone")
    disk.sync_names()
    assert {tuple(disk.crash(seed).names()) for seed in SEEDS} == {("a", "c")}


def test_a_rename_over_a_file_shows_the_one_or_the_other_and_never_neither() -> None:
    disk = MemoryDisk()
    durable_file(disk, "new", b"before")
    durable_file(disk, "old", b"after")
    disk.rename("old", "new")
    seen = set()
    for seed in SEEDS:
        after = disk.crash(seed)
        seen.add((tuple(after.names()), content(after, "new")))
    assert seen == {(("new", "old"), b"before"), (("new",), b"after")}


WRITES = st.lists(
    st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=1500), st.booleans()),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(writes=WRITES, seed=st.one_of(st.none(), st.integers(0, 1000)))
def test_a_crash_leaves_of_each_byte_its_synced_value_or_a_later_one(
    writes: list[tuple[int, bytes, bool]], seed: int | None
) -> None:
    disk = MemoryDisk()
    file = durable_file(disk)
    possible: list[set[int]] = [{0} for _ in range(4000)]
    synced = current = bytes(4000)
    synced_size = size = 0
    for offset, data, sync in writes:
        file.write(offset, [data])
        current = current[:offset] + data + current[offset + len(data) :]
        size = max(size, offset + len(data))
        for place, byte in enumerate(data, offset):
            possible[place].add(byte)
        if sync:
            file.sync()
            synced, synced_size = current, size
            possible = [{byte} for byte in current]
    left = content(disk.crash(seed))
    if seed is None:
        assert left == synced[:synced_size]
    assert synced_size <= len(left) <= size
    assert all(byte in choices for byte, choices in zip(left, possible, strict=False))


# --- the death of the process -------------------------------------------------------------------


def test_everything_written_is_there_after_the_process_is_killed() -> None:
    disk = MemoryDisk()
    durable_file(disk, "a").write(0, [b"hello"])
    disk.create("b").allocate(3)
    disk.rename("a", "c")
    after = disk.kill()
    assert after.names() == ["b", "c"]
    assert (content(after, "c"), content(after, "b")) == (b"hello", b"\0\0\0")


def test_what_was_not_synced_before_a_kill_can_still_be_lost_in_a_crash() -> None:
    disk = MemoryDisk()
    file = durable_file(disk, "a", b"synced")
    file.write(6, [b" and not"])
    disk.create("b")
    after = disk.kill().crash()
    assert (after.names(), content(after)) == (["a"], b"synced")


def test_what_was_not_synced_before_a_kill_can_be_synced_after_it() -> None:
    disk = MemoryDisk()
    disk.create("a").write(0, [b"hello"])
    after = disk.kill()
    after.open("a").sync()
    after.sync_names()
    assert content(after.crash()) == b"hello"


def test_a_kill_keeps_the_durable_and_the_current_file_of_one_name_apart() -> None:
    disk = MemoryDisk()
    durable_file(disk, "a", b"before")
    disk.remove("a")
    disk.create("a").write(0, [b"after"])
    killed = disk.kill()
    assert content(killed) == b"after"
    assert content(killed.crash()) == b"before"


def test_a_kill_keeps_the_file_that_a_rename_replaced_until_names_are_synced() -> None:
    disk = MemoryDisk()
    durable_file(disk, "new", b"before")
    disk.create("old").write(0, [b"after"])
    disk.rename("old", "new")
    killed = disk.kill()
    assert content(killed, "new") == b"after"
    assert content(killed.crash(), "new") == b"before"


# --- what remains of the old objects ------------------------------------------------------------

END: list[Callable[[MemoryDisk], MemoryDisk]] = [
    MemoryDisk.crash,
    MemoryDisk.kill,
    lambda disk: disk.crash(7),
]


@pytest.mark.parametrize("end", END)
def test_the_old_disk_and_its_files_are_dead_after_the_end(
    end: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    disk = MemoryDisk()
    file = durable_file(disk, data=b"hello")
    after = end(disk)
    for use in (
        file.size,
        file.sync,
        lambda: file.read(0, 1),
        lambda: file.write(0, [b"x"]),
        lambda: file.allocate(10),
        disk.names,
        disk.sync_names,
        disk.lock,
        lambda: disk.create("b"),
        lambda: disk.open("a"),
        lambda: disk.rename("a", "b"),
        lambda: disk.remove("a"),
    ):
        with pytest.raises(OSError, match="gone in a crash"):
            use()
    file.close()
    disk.close()
    assert content(after) == b"hello"


@pytest.mark.parametrize("end", END)
def test_the_new_disk_is_not_locked(end: Callable[[MemoryDisk], MemoryDisk]) -> None:
    disk = MemoryDisk()
    disk.lock()
    after = end(disk)
    after.lock()
    with pytest.raises(LockedError):
        after.lock()


def test_each_outcome_of_a_crash_is_a_disk_of_its_own() -> None:
    disk = MemoryDisk("here")
    durable_file(disk, data=b"hello")
    first, second = disk.crash(), disk.kill()
    first.open("a", writable=True).write(0, [b"J"])
    assert (content(first), content(second)) == (b"Jello", b"hello")
    assert (first.path, second.path) == ("here", "here")


def test_a_closed_disk_can_be_locked_again() -> None:
    disk: Disk = MemoryDisk()
    disk.lock()
    disk.close()
    disk.lock()
    with pytest.raises(LockedError):
        disk.lock()


def test_a_link_is_undone_by_a_crash_until_names_are_synced_where_it_was_made() -> None:
    for synced in (False, True):
        disk, other = MemoryDisk(), MemoryDisk()
        file = disk.create("a")
        file.write(0, [b"hello"])
        file.sync()
        disk.link("a", other)
        disk.sync_names()
        if synced:
            other.sync_names()
        assert other.crash().names() == (["a"] if synced else [])


def test_a_sync_makes_bytes_safe_under_both_names_of_a_linked_file() -> None:
    disk, other = MemoryDisk(), MemoryDisk()
    file = disk.create("a")
    disk.link("a", other)
    other.sync_names()
    file.write(0, [b"hello"])
    file.sync()
    left = other.crash().open("a")
    assert left.read(0, 10) == b"hello"
