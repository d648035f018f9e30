"""What every disk does, whatever it is made of."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kveik.disk.api import Disk, File
from kveik.disk.faulty import FaultyDisk
from kveik.disk.memory import MemoryDisk
from kveik.disk.posix import PosixDisk
from kveik.errors import LockedError

MAKERS: dict[str, Callable[[Path], Disk]] = {
    "posix": PosixDisk,
    "memory": lambda path: MemoryDisk(),
    "faulty": lambda path: FaultyDisk(MemoryDisk()),
}


@pytest.fixture(params=MAKERS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return MAKERS[request.param](tmp_path / "base")


def write_file(disk: Disk, name: str, data: bytes) -> None:
    file = disk.create(name)
    file.write(0, [data])
    file.close()


def read_file(disk: Disk, name: str) -> bytes:
    file = disk.open(name)
    data = file.read(0, file.size())
    file.close()
    return data


def test_a_new_disk_has_no_files(disk: Disk) -> None:
    assert disk.names() == []


def test_a_created_file_is_empty_and_knows_its_name(disk: Disk) -> None:
    file = disk.create("a")
    assert (file.name, file.size(), file.read(0, 10)) == ("a", 0, b"")


def test_names_are_sorted(disk: Disk) -> None:
    for name in ("b", "c", "a"):
        disk.create(name).close()
    assert disk.names() == ["a", "b", "c"]


def test_the_lock_file_is_not_among_the_names(disk: Disk) -> None:
    disk.lock()
    disk.create("a").close()
    assert disk.names() == ["a"]


def test_what_is_written_can_be_read_at_once(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    assert (file.size(), file.read(1, 3)) == (5, b"ell")


def test_what_is_written_can_be_read_through_another_open_file(disk: Disk) -> None:
    writer = disk.create("a")
    reader = disk.open("a")
    writer.write(0, [b"hello"])
    assert reader.read(0, 5) == b"hello"


def test_a_created_file_can_be_opened_for_writing_again(disk: Disk) -> None:
    write_file(disk, "a", b"hello")
    file = disk.open("a", writable=True)
    file.write(1, [b"u"])
    assert file.read(0, 5) == b"hullo"


def test_a_read_is_short_only_at_the_end_of_the_file(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    assert [file.read(3, 10), file.read(5, 10), file.read(9, 1)] == [b"lo", b"", b""]


def test_what_is_read_without_waiting_is_what_a_read_gives_or_none(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    assert file.read_now(1, 3) in (b"ell", None)


def test_past_the_end_of_the_file_nothing_is_read_without_waiting(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    assert [file.read_now(3, 10), file.read_now(9, 1)] == [None, None]


def test_pieces_are_written_one_after_the_other(disk: Disk) -> None:
    file = disk.create("a")
    file.write(2, [b"ab", b"", b"cd", b"e"])
    assert file.read(0, 100) == b"\0\0abcde"


def test_no_pieces_and_empty_pieces_write_nothing(disk: Disk) -> None:
    file = disk.create("a")
    file.write(7, [])
    file.write(7, [b""])
    file.write(7, [b"", b""])
    assert file.size() == 0


def test_more_pieces_than_one_system_call_takes_are_all_written(disk: Disk) -> None:
    pieces = [b"%05d" % number for number in range(3000)]
    file = disk.create("a")
    file.write(3, pieces)
    assert file.read(3, 20_000) == b"".join(pieces)


def test_writing_inside_a_file_leaves_its_size(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    file.write(1, [b"a"])
    assert file.read(0, 100) == b"hallo"


def test_a_gap_reads_as_zeros(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"a"])
    file.write(3, [b"b"])
    assert file.read(0, 100) == b"a\0\0b"


def test_allocated_room_reads_as_zeros(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"ab"])
    file.allocate(5000)
    assert file.read(0, 10_000) == b"ab" + bytes(4998)


def test_allocating_less_than_the_file_has_changes_nothing(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    file.allocate(2)
    file.allocate(0)
    assert file.read(0, 100) == b"hello"


def test_syncing_changes_nothing_to_see(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    file.sync()
    disk.sync_names()
    assert file.read(0, 100) == b"hello"
    assert disk.names() == ["a"]


def test_creating_what_is_there_is_an_error_and_harmless(disk: Disk) -> None:
    write_file(disk, "a", b"hello")
    with pytest.raises(FileExistsError):
        disk.create("a")
    assert read_file(disk, "a") == b"hello"


@pytest.mark.parametrize(
    "use",
    [
        lambda disk: disk.open("a"),
        lambda disk: disk.open("a", writable=True),
        lambda disk: disk.rename("a", "b"),
        lambda disk: disk.remove("a"),
        lambda disk: disk.link("a", disk),
    ],
)
def test_a_missing_file_is_an_error_that_names_it(
    disk: Disk, use: Callable[[Disk], object]
) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        use(disk)
    assert str(caught.value.filename).endswith("a")
    assert disk.names() == []


def test_a_rename_replaces_the_file_that_had_the_name(disk: Disk) -> None:
    write_file(disk, "old", b"new content")
    write_file(disk, "new", b"old content")
    disk.rename("old", "new")
    assert disk.names() == ["new"]
    assert read_file(disk, "new") == b"new content"


def test_a_rename_to_the_same_name_changes_nothing(disk: Disk) -> None:
    write_file(disk, "a", b"hello")
    disk.rename("a", "a")
    assert read_file(disk, "a") == b"hello"


def test_an_open_file_outlives_its_rename_and_its_removal(disk: Disk) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    disk.rename("a", "b")
    disk.remove("b")
    assert disk.names() == []
    assert (file.name, file.read(0, 10)) == ("a", b"hello")


def test_a_name_can_be_used_again_after_its_removal(disk: Disk) -> None:
    write_file(disk, "a", b"hello")
    disk.remove("a")
    disk.create("a").close()
    assert read_file(disk, "a") == b""


@pytest.fixture
def other(disk: Disk, tmp_path: Path) -> Disk:
    """Another directory, of the same kind as the first."""
    if isinstance(disk, PosixDisk):
        return PosixDisk(tmp_path / "other")
    return FaultyDisk(MemoryDisk()) if isinstance(disk, FaultyDisk) else MemoryDisk()


def test_a_linked_file_is_one_content_under_a_name_in_each_directory(
    disk: Disk, other: Disk
) -> None:
    write_file(disk, "a", b"hello")
    disk.link("a", other)
    assert (disk.names(), other.names()) == (["a"], ["a"])
    file = disk.open("a", writable=True)
    file.write(1, [b"u"])
    assert read_file(other, "a") == b"hullo"


def test_a_linked_file_outlives_the_name_it_was_linked_from(disk: Disk, other: Disk) -> None:
    write_file(disk, "a", b"hello")
    disk.link("a", other)
    disk.remove("a")
    assert (disk.names(), read_file(other, "a")) == ([], b"hello")


def test_linking_over_a_name_is_an_error_and_harmless(disk: Disk, other: Disk) -> None:
    write_file(disk, "a", b"hello")
    write_file(other, "a", b"there")
    with pytest.raises(FileExistsError):
        disk.link("a", other)
    with pytest.raises(FileExistsError):
        disk.link("a", disk)
    assert (read_file(disk, "a"), read_file(other, "a")) == (b"hello", b"there")


def test_linking_to_a_disk_of_another_kind_is_an_error(disk: Disk, tmp_path: Path) -> None:
    inner = disk.disk if isinstance(disk, FaultyDisk) else disk
    stranger = MemoryDisk() if isinstance(inner, PosixDisk) else PosixDisk(tmp_path / "stranger")
    write_file(disk, "a", b"hello")
    with pytest.raises(OSError, match="cross-device") as caught:
        disk.link("a", stranger)
    assert (caught.value.errno, stranger.names()) == (errno.EXDEV, [])


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\0b", "LOCK"])
def test_what_is_no_plain_file_name_is_refused(disk: Disk, name: str) -> None:
    write_file(disk, "a", b"")
    for use in (
        lambda: disk.create(name),
        lambda: disk.open(name),
        lambda: disk.rename(name, "b"),
        lambda: disk.rename("a", name),
        lambda: disk.remove(name),
        lambda: disk.link(name, disk),
    ):
        with pytest.raises(ValueError, match="not a file name"):
            use()
    assert disk.names() == ["a"]


@pytest.mark.parametrize(
    "use",
    [
        lambda file: file.size(),
        lambda file: file.read(0, 1),
        lambda file: file.write(0, [b"x"]),
        lambda file: file.allocate(10),
        lambda file: file.sync(),
    ],
)
def test_a_closed_file_refuses_every_use(disk: Disk, use: Callable[[File], object]) -> None:
    file = disk.create("a")
    file.close()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        use(file)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize(
    "change", [lambda file: file.write(0, [b"x"]), lambda file: file.allocate(10)]
)
def test_a_file_opened_for_reading_cannot_be_changed(
    disk: Disk, change: Callable[[File], object]
) -> None:
    write_file(disk, "a", b"hello")
    file = disk.open("a")
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        change(file)
    assert caught.value.errno == errno.EBADF
    assert read_file(disk, "a") == b"hello"


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1)])
def test_a_read_before_the_start_or_of_less_than_nothing_is_refused(
    disk: Disk, offset: int, length: int
) -> None:
    file = disk.create("a")
    with pytest.raises(OSError, match="Invalid argument"):
        file.read(offset, length)


def test_a_write_before_the_start_is_refused(disk: Disk) -> None:
    file = disk.create("a")
    with pytest.raises(OSError, match="Invalid argument"):
        file.write(-1, [b"x"])
    assert file.size() == 0


@pytest.mark.parametrize("shared", [False, True])
def test_a_disk_locks_once(disk: Disk, shared: bool) -> None:
    disk.lock(shared=shared)
    with pytest.raises(LockedError, match="already open in this process"):
        disk.lock(shared=shared)


def test_closing_a_disk_twice_is_harmless(disk: Disk) -> None:
    disk.lock()
    disk.close()
    disk.close()


def test_open_files_work_on_after_their_disk_is_closed(disk: Disk) -> None:
    file = disk.create("a")
    disk.close()
    file.write(0, [b"hello"])
    assert file.read(0, 10) == b"hello"


STEPS: st.SearchStrategy[tuple[str, int, list[bytes]]] = st.one_of(
    st.tuples(
        st.just("write"),
        st.integers(0, 3000),
        st.lists(st.binary(max_size=700), max_size=5),
    ),
    st.tuples(st.just("allocate"), st.integers(0, 4000), st.just([])),
    st.tuples(st.just("sync"), st.just(0), st.just([])),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, max_size=12))
def test_any_history_of_a_file_reads_like_an_array_of_bytes(
    disk: Disk, steps: list[tuple[str, int, list[bytes]]]
) -> None:
    model = bytearray()
    if "a" in disk.names():
        disk.remove("a")
    file = disk.create("a")
    for step, number, pieces in steps:
        data = b"".join(pieces)
        if step == "write":
            file.write(number, pieces)
            if data:
                model.extend(bytes(max(0, number - len(model))))
                model[number : number + len(data)] = data
        elif step == "allocate":
            file.allocate(number)
            model.extend(bytes(max(0, number - len(model))))
        else:
            file.sync()
        assert file.read(0, 10_000) == model
    file.close()
