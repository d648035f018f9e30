"""The real disk: what the system does, and what it does in its bad moments."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import kveik.errors
from kveik.disk.posix import PosixDisk, PosixFile
from kveik.errors import LockedError, OpenError

SOURCES = str(Path(kveik.errors.__file__).parents[1])

HOLDER = """
import sys
from kveik.disk.posix import PosixDisk
disk = PosixDisk(sys.argv[1])
disk.lock(shared=sys.argv[2] == "shared")
print("held", flush=True)
sys.stdin.read()
disk.close()
print("released", flush=True)
sys.stdin.close()
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PosixDisk]:
    disk = PosixDisk(tmp_path)
    yield disk
    disk.close()


def hold(path: Path, *, shared: bool = False) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), "shared" if shared else "alone"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": SOURCES},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory, and a user that permissions apply to."""
    with tempfile.TemporaryDirectory() as path:
        root = os.geteuid() == 0
        if root:
            os.chown(path, 65534, -1)
            os.seteuid(65534)
        try:
            yield Path(path)
        finally:
            if root:
                os.seteuid(0)


class ShortWrites:
    """System calls that write at most so many bytes at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        self.most = most
        self.calls = 0
        self.largest = 0
        self._pwrite = os.pwrite
        monkeypatch.setattr(os, "pwrite", self.pwrite)
        monkeypatch.setattr(os, "pwritev", self.pwritev)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        self.calls += 1
        return self._pwrite(descriptor, data[: self.most], offset)

    def pwritev(self, descriptor: int, pieces: list[bytes], offset: int) -> int:
        self.largest = max(self.largest, len(pieces))
        return self.pwrite(descriptor, b"".join(pieces), offset)


# --- opening ------------------------------------------------------------------------------------


def test_a_missing_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    PosixDisk(tmp_path / "a" / "b" / "c").create("x").close()
    assert (tmp_path / "a" / "b" / "c" / "x").is_file()


def test_a_new_directory_is_made_durable_in_each_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    PosixDisk(tmp_path / "a" / "b")
    assert synced == [str(tmp_path), str(tmp_path / "a")]


def test_a_directory_is_found_again_with_its_files(tmp_path: Path) -> None:
    first = PosixDisk(tmp_path)
    file = first.create("a")
    file.write(0, [b"hello"])
    first.close()
    assert PosixDisk(tmp_path, create=False).open("a").read(0, 10) == b"hello"


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_a_missing_directory_is_an_error_where_it_may_not_be_made(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    path = tmp_path / "missing"
    with pytest.raises(OpenError, match=f"^{path} does not exist$"):
        PosixDisk(path, **options)
    assert not path.exists()


@pytest.mark.parametrize("create", [False, True])
def test_a_file_in_place_of_the_directory_is_an_error(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"precious")
    with pytest.raises(OpenError, match=f"^{path} is a file, not a directory$"):
        PosixDisk(path, create=create)
    assert path.read_bytes() == b"precious"


def test_a_directory_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OpenError, match=r"cannot create .*/file/a: Not a directory"):
        PosixDisk(tmp_path / "file" / "a")


def test_a_directory_that_may_not_be_written_is_an_error(unprivileged: Path) -> None:
    path = unprivileged / "a"
    path.mkdir(mode=0o555)
    with pytest.raises(OpenError, match=f"^cannot write to {path}: Permission denied$"):
        PosixDisk(path)


def test_a_directory_that_may_not_be_made_is_an_error(unprivileged: Path) -> None:
    (unprivileged / "a").mkdir(mode=0o555)
    path = unprivileged / "a" / "b"
    with pytest.raises(OpenError, match=f"^cannot create {path}: Permission denied$"):
        PosixDisk(path)


def test_a_failed_opening_leaks_no_descriptor(unprivileged: Path) -> None:
    path = unprivileged / "a"
    path.mkdir(mode=0o555)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OpenError):
        PosixDisk(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_path_is_absolute_and_files_stay_where_they_were_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    disk = PosixDisk("base")
    monkeypatch.chdir(tmp_path / "elsewhere")
    disk.create("a").close()
    assert disk.path == str(tmp_path / "base")
    assert (tmp_path / "base" / "a").is_file()


def test_a_directory_that_takes_the_place_of_a_moved_one_is_not_touched(tmp_path: Path) -> None:
    disk = PosixDisk(tmp_path / "base")
    (tmp_path / "base").rename(tmp_path / "moved")
    (tmp_path / "base").mkdir()
    disk.create("a").close()
    assert disk.names() == ["a"]
    assert list((tmp_path / "base").iterdir()) == []


def test_only_plain_files_have_names(tmp_path: Path, disk: PosixDisk) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").write_bytes(b"")
    assert disk.names() == ["file"]


def test_a_closed_disk_refuses_every_use(tmp_path: Path) -> None:
    disk = PosixDisk(tmp_path)
    disk.create("a").close()
    disk.close()
    for use in (
        disk.names,
        disk.sync_names,
        lambda: disk.create("b"),
        lambda: disk.open("a"),
        lambda: disk.rename("a", "b"),
        lambda: disk.remove("a"),
    ):
        with pytest.raises(OSError, match="Bad file descriptor"):
            use()
    assert sorted(os.listdir(tmp_path)) == ["a"]


# --- read-only ----------------------------------------------------------------------------------


def test_a_read_only_disk_reads_and_refuses_changes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    disk = PosixDisk(tmp_path, read_only=True)
    assert (disk.names(), disk.open("a").read(0, 10)) == (["a"], b"hello")
    for change in (
        lambda: disk.create("b"),
        lambda: disk.open("a", writable=True),
        lambda: disk.rename("a", "b"),
        lambda: disk.remove("a"),
    ):
        with pytest.raises(OSError, match="opened read-only") as caught:
            change()
        assert caught.value.errno == errno.EROFS
    assert os.listdir(tmp_path) == ["a"]


# --- files --------------------------------------------------------------------------------------


def test_errors_name_the_whole_path(disk: PosixDisk) -> None:
    file = disk.create("a")
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        file.read(0, 1)
    assert caught.value.filename == f"{disk.path}/a"
    with pytest.raises(FileNotFoundError) as missing:
        disk.open("b")
    assert missing.value.filename == f"{disk.path}/b"


@pytest.mark.parametrize("most", [1, 3, 7, 1000])
def test_a_short_write_is_continued(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    pieces = [b"", b"a", b"bcd", b"", b"efghij", b"k", b""]
    file = disk.create("a")
    short = ShortWrites(monkeypatch, most)
    file.write(5, pieces)
    file.write(16, [b"lmnop"])
    assert file.read(0, 100) == b"\0\0\0\0\0abcdefghijklmnop"
    assert short.calls == -(-11 // most) + -(-5 // most)


def test_short_writes_of_more_pieces_than_one_call_takes_are_continued(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [b"%05d" % number for number in range(2500)]
    file = disk.create("a")
    short = ShortWrites(monkeypatch, 999)
    file.write(0, pieces)
    assert file.read(0, 20_000) == b"".join(pieces)
    assert short.largest == 1024


def test_a_write_that_writes_nothing_is_an_error_and_no_endless_loop(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk.create("a")
    ShortWrites(monkeypatch, 0)
    with pytest.raises(OSError, match="wrote nothing") as caught:
        file.write(0, [b"a", b"b"])
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, f"{disk.path}/a")


def test_a_short_read_is_continued(disk: PosixDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = disk.create("a")
    file.write(0, [b"0123456789"])
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, length, offset: pread(fd, min(length, 3), offset))
    assert [file.read(1, 8), file.read(5, 100)] == [b"12345678", b"56789"]


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="the system cannot tell")
def test_a_read_that_must_not_wait_asks_the_kernel_so(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk.create("a")
    file.write(0, [b"hello"])
    asked: list[int] = []

    def preadv(descriptor: int, buffers: list[bytearray], offset: int, flags: int) -> int:
        asked.append(flags)
        buffers[0][:] = os.pread(descriptor, len(buffers[0]), offset)
        return len(buffers[0])

    monkeypatch.setattr(os, "preadv", preadv)
    assert file.read_now(1, 3) == b"ell"
    assert asked == [os.RWF_NOWAIT]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_a_read_would_wait_or_nobody_can_tell_there_is_none(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def preadv(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    file = disk.create("a")
    file.write(0, [b"hello"])
    monkeypatch.setattr(os, "preadv", preadv)
    assert file.read_now(1, 3) is None


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="the system cannot tell")
def test_a_failed_read_that_must_not_wait_is_an_error_that_names_the_file(
    tmp_path: Path, disk: PosixDisk
) -> None:
    file = disk.create("a")
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        file.read_now(0, 1)
    assert caught.value.filename == str(tmp_path / "a")


def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    file = PosixFile(os.open("/dev/full", os.O_RDWR | os.O_CLOEXEC), "/dev", "full")
    with pytest.raises(OSError, match="No space left") as caught:
        file.write(0, [b"a", b"b"])
    file.close()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")


def test_allocated_room_is_really_taken(disk: PosixDisk) -> None:
    file = disk.create("a")
    file.allocate(1_000_000)
    assert os.stat(f"{disk.path}/a").st_blocks * 512 >= 1_000_000


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
def test_where_room_cannot_be_reserved_zeros_are_written(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(fd: int, offset: int, length: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    file = disk.create("a")
    file.write(0, [b"hello"])
    file.allocate(2_500_000)
    assert file.read(0, 3_000_000) == b"hello" + bytes(2_499_995)
    assert os.stat(f"{disk.path}/a").st_blocks * 512 >= 2_500_000


def test_where_there_is_no_room_no_zeros_are_written(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    file = disk.create("a")
    with pytest.raises(OSError, match="No space left"):
        file.allocate(1000)
    assert file.size() == 0


def test_syncing_reaches_the_system_and_its_failure_the_caller(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = disk.create("a")
    monkeypatch.setattr(os, "fdatasync", fail)
    monkeypatch.setattr(os, "fsync", fail)
    for sync, path in ((file.sync, f"{disk.path}/a"), (disk.sync_names, disk.path)):
        with pytest.raises(OSError, match="Input/output error") as caught:
            sync()
        assert caught.value.filename == path


def test_a_file_system_without_directory_syncs_is_accepted(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def refuse(fd: int) -> None:
        calls.append(fd)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", refuse)
    disk.sync_names()
    assert len(calls) == 1


def test_descriptors_are_not_inherited_by_programs(disk: PosixDisk) -> None:
    files = [disk.create("a"), disk.open("a")]
    disk.lock()
    listing = subprocess.run(
        ["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True, check=True
    ).stdout
    assert disk.path not in listing
    assert [file.size() for file in files] == [0, 0]


def test_dropped_objects_close_themselves(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    disk = PosixDisk(tmp_path)
    disk.lock()
    file = disk.create("a")
    assert len(os.listdir("/proc/self/fd")) == before + 3
    del disk, file
    assert len(os.listdir("/proc/self/fd")) == before
    PosixDisk(tmp_path).lock()


# --- the lock -----------------------------------------------------------------------------------


def test_the_lock_file_tells_the_pid_and_nothing_else(tmp_path: Path, disk: PosixDisk) -> None:
    (tmp_path / "LOCK").write_text("99999999999 left by a holder with a longer pid")
    disk.lock()
    assert (tmp_path / "LOCK").read_text() == str(os.getpid())


def test_a_second_opener_of_this_process_is_refused_until_the_first_closes(tmp_path: Path) -> None:
    first, second = PosixDisk(tmp_path), PosixDisk(tmp_path)
    first.lock()
    with pytest.raises(LockedError, match=f"^{tmp_path} is already open in this process$"):
        second.lock()
    first.close()
    second.lock()
    second.close()


def test_another_process_is_named_by_its_pid_until_it_releases(
    tmp_path: Path, disk: PosixDisk
) -> None:
    with hold(tmp_path) as holder:
        for shared in (False, True):
            message = f"^{tmp_path} is already open in process {holder.pid}$"
            with pytest.raises(LockedError, match=message):
                disk.lock(shared=shared)
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.close()
        assert holder.stdout.readline() == "released\n"
        disk.lock()


def test_another_process_that_took_over_is_not_mistaken_for_this_one(
    tmp_path: Path, disk: PosixDisk
) -> None:
    first = PosixDisk(tmp_path)
    first.lock()
    first.close()
    with hold(tmp_path) as holder:
        with pytest.raises(LockedError, match=f"process {holder.pid}$"):
            disk.lock()
        holder.kill()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, disk: PosixDisk) -> None:
    with hold(tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    disk.lock()
    assert (tmp_path / "LOCK").read_text() == str(os.getpid())


def test_shared_holders_keep_out_only_the_one_that_wants_it_alone(tmp_path: Path) -> None:
    first, second, writer = (PosixDisk(tmp_path) for _ in range(3))
    first.lock(shared=True)
    second.lock(shared=True)
    for holder in (first, second):
        with pytest.raises(LockedError, match="already open in this process"):
            writer.lock()
        holder.close()
    writer.lock()
    writer.close()


def test_a_shared_holder_in_another_process_is_named(tmp_path: Path, disk: PosixDisk) -> None:
    with hold(tmp_path, shared=True) as holder:
        with pytest.raises(LockedError, match=f"already open in process {holder.pid}$"):
            disk.lock()
        disk.lock(shared=True)
        holder.kill()


@pytest.mark.parametrize(
    "text",
    ["", "rubbish", "999999999", "9" * 100, str(os.getpid())],
    ids=["nothing", "rubbish", "nobody", "too large", "myself"],
)
def test_a_pid_that_cannot_be_the_holder_is_not_named(
    tmp_path: Path, disk: PosixDisk, text: str
) -> None:
    with hold(tmp_path) as holder:
        (tmp_path / "LOCK").write_text(text)
        with pytest.raises(LockedError, match=r"is already open in another process$"):
            disk.lock()
        holder.kill()


def test_a_refused_lock_leaks_no_descriptor(tmp_path: Path, disk: PosixDisk) -> None:
    disk.lock()
    second = PosixDisk(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LockedError):
        second.lock()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_forked_child_that_closes_does_not_take_the_lock_away(
    tmp_path: Path, disk: PosixDisk
) -> None:
    disk.lock()
    child = os.fork()
    if child == 0:
        disk.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with pytest.raises(LockedError):
        PosixDisk(tmp_path).lock()


def test_closing_releases_the_lock_though_a_forked_child_lives(tmp_path: Path) -> None:
    disk = PosixDisk(tmp_path)
    disk.lock()
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        disk.close()
        second = PosixDisk(tmp_path)
        second.lock()
        second.close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_the_lock_holds_though_the_pid_cannot_be_written(
    tmp_path: Path, disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", fail)
    disk.lock()
    with pytest.raises(LockedError):
        PosixDisk(tmp_path).lock()


def test_a_reader_without_permission_to_write_shares_the_lock_that_is_there(
    unprivileged: Path,
) -> None:
    path = unprivileged / "a"
    writer = PosixDisk(path)
    writer.lock()
    (path / "LOCK").chmod(0o444)
    path.chmod(0o555)
    reader = PosixDisk(path, read_only=True)
    with pytest.raises(LockedError, match="already open in this process"):
        reader.lock(shared=True)
    writer.close()
    reader.lock(shared=True)
    assert (path / "LOCK").read_text() == str(os.getpid())  # of the writer, and left as it was
    reader.close()
    path.chmod(0o755)


def test_a_reader_goes_without_a_lock_where_none_can_be_made(unprivileged: Path) -> None:
    path = unprivileged / "a"
    path.mkdir(mode=0o555)
    reader = PosixDisk(path, read_only=True)
    reader.lock(shared=True)
    reader.close()
    assert os.listdir(path) == []


def test_a_writer_that_may_not_write_the_lock_is_told_so(unprivileged: Path) -> None:
    (unprivileged / "LOCK").touch(mode=0o444)
    disk = PosixDisk(unprivileged)
    with pytest.raises(OpenError, match=f"^cannot write to {unprivileged}: Permission denied$"):
        disk.lock()
    disk.close()


def test_what_is_no_plain_file_is_not_linked(tmp_path: Path, disk: PosixDisk) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a").touch()
    (tmp_path / "symbolic").symlink_to("a")
    other = PosixDisk(tmp_path / "folder")
    for name in ("folder", "symbolic"):
        with pytest.raises(OSError, match="not permitted") as caught:
            disk.link(name, other)
        assert caught.value.filename == str(tmp_path / name)
    assert other.names() == []


def test_nothing_is_linked_into_a_directory_that_was_opened_read_only(
    tmp_path: Path, disk: PosixDisk
) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "folder").mkdir()
    other = PosixDisk(tmp_path / "folder", read_only=True)
    with pytest.raises(OSError, match="read-only") as caught:
        disk.link("a", other)
    assert caught.value.errno == errno.EROFS
    assert other.names() == []


def test_a_link_that_the_system_refuses_is_an_error_that_names_the_file(
    tmp_path: Path, disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    (tmp_path / "a").touch()
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="cross-device") as caught:
        disk.link("a", PosixDisk(tmp_path / "other"))
    assert caught.value.filename == str(tmp_path / "a")
