"""One damaged byte anywhere in a directory with tables: all of it, or an error that says where.

Never a wrong answer: not when it is opened, not when it is read, and not after tables were merged.
"""

from __future__ import annotations

import pytest
from tests.engine.support.driver import Driver, alive, clear, delete, put, tiny
from tests.engine.support.stores import disk_with, flip, stored, value

from kveik.disk.memory import MemoryDisk
from kveik.engine.opening import open_store
from kveik.errors import CorruptionError, KveikError, NewerFormatError
from kveik.format.codec import ZLIB
from kveik.format.segment import segment_number
from kveik.format.table import FOOTER_SIZE, table_number

pytestmark = pytest.mark.slow

MASKS = (0xFF, 1)
KEYS = [b"k%02d" % number for number in range(24)]

Found = dict[bytes, bytes] | KveikError

both_masks = pytest.mark.parametrize("mask", MASKS)


def driver_of(disk: MemoryDisk, codec: int = 0) -> Driver:
    made = tiny(1024)
    made.block_size = 128
    made.codecs = [codec] * len(made.codecs)
    return Driver(disk, ahead=False, rows=False, shape=made)


def written(*, codec: int = 0, closed: bool = True) -> Driver:
    """Two tables in level 1, two in level 0, one of them with a clear, and more in the log."""
    driver = driver_of(MemoryDisk(), codec)
    driver.open()
    for key in KEYS:
        driver.save(put(key, value(30)))
    driver.compact()
    driver.save(put(KEYS[0], b"two"), delete(KEYS[1]), clear(KEYS[3], KEYS[5]))
    driver.make_tables()
    driver.save(put(KEYS[4], b"back"), put(KEYS[6], b"until later", 1000))
    driver.make_tables()
    driver.save(put(KEYS[9], b"in the log"), delete(KEYS[10]))
    driver.save(put(KEYS[11], b"the last"))
    driver.check()
    assert [len(level) for level in driver.store.view.version.levels[:3]] == [2, 2, 0]
    if closed:
        driver.close()
    return driver


def what_is_read(driver: Driver) -> Found:
    """All of it, in one go and key by key, or why not."""
    try:
        scanned = driver.scan(driver.store)
        for key in KEYS:
            assert driver.get(driver.store, key) == scanned.get(key)
    except (CorruptionError, NewerFormatError) as error:
        return error
    return scanned


def opened(model: Driver, disk: MemoryDisk) -> Driver | KveikError:
    driver = driver_of(disk)
    driver.shape = model.shape
    now = (model.now + 0.5) / 1000
    try:
        driver.store = open_store(disk, memory=0, shape=model.shape, clock=lambda: now)
    except (CorruptionError, NewerFormatError) as error:
        return error
    return driver


def outcome(model: Driver, disk: MemoryDisk) -> Found:
    driver = opened(model, disk)
    return what_is_read(driver) if isinstance(driver, Driver) else driver


def sizes(files: dict[str, bytes]) -> dict[str, int]:
    """Of each file that is needed, what of it is used."""
    return {name: len(data.rstrip(b"\x00")) for name, data in files.items()}


def is_told(found: Found, name: str, offset: int) -> bool:
    """The error names the file, and where in it the damaged part begins."""
    if name == "KVEIK":  # the id may also seem to be another database's, or the format newer
        return isinstance(found, (CorruptionError, NewerFormatError))
    if isinstance(found, NewerFormatError):
        return name in str(found)
    return isinstance(found, CorruptionError) and found.file == name and found.offset <= offset


@both_masks
@pytest.mark.parametrize("codec", [0, ZLIB])
def test_no_flipped_byte_of_a_closed_database_gives_a_wrong_answer(codec: int, mask: int) -> None:
    model = written(codec=codec)
    files = stored(model.disk)
    whole = alive(model.states[-1], model.now)
    told = 0
    for name, size in sizes(files).items():
        for offset in range(0, size, 1 if mask == 0xFF and not codec else 5):
            disk = disk_with(files)
            flip(disk, name, offset, mask)
            found = outcome(model, disk)
            assert found == whole or is_told(found, name, offset), (name, offset, found)
            told += found != whole
    assert told > 500


@both_masks
def test_every_flipped_byte_of_a_table_s_blocks_is_told_with_its_block(mask: int) -> None:
    """The footer, which says what the manifest says, too, is not needed."""
    model = written()
    files = stored(model.disk)
    whole = alive(model.states[-1], model.now)
    infos = {info.number: info for level in model.upkeep._manifest.state.levels for info in level}
    for name in filter(table_number, files):
        root = infos[table_number(name)].root_offset
        for offset in range(len(files[name])):
            disk = disk_with(files)
            flip(disk, name, offset, mask)
            found = outcome(model, disk)
            if offset >= len(files[name]) - FOOTER_SIZE:
                assert found == whole
            else:
                assert isinstance(found, CorruptionError), (name, offset)
                assert found.file == name
                assert offset - 400 < found.offset <= min(offset, root)


@both_masks
def test_a_crashed_database_with_a_flipped_byte_in_its_manifest_is_whole_or_says_so(
    mask: int,
) -> None:
    """The last edit may look torn: then what it made superfluous is missing, or is still there."""
    model = written(closed=False)
    for files in (stored(model.disk.crash()), stored(without_spares(model))):
        whole = alive(model.states[-1], model.now)
        for offset in range(len(files["MANIFEST"])):
            disk = disk_with(files)
            flip(disk, "MANIFEST", offset, mask)
            before = stored(disk)
            found = outcome(model, disk)
            assert found == whole or isinstance(found, CorruptionError), (offset, found)
            if isinstance(found, CorruptionError):
                assert stored(disk) == before, offset


def without_spares(model: Driver) -> MemoryDisk:
    """As when the segments that became tables have been used again."""
    manifest = model.store.manifest
    assert manifest is not None
    disk = disk_with(stored(model.disk.kill()))
    for name in disk.names():
        if 0 < segment_number(name) < manifest.state.log:
            disk.remove(name)
    return disk


@both_masks
def test_damaged_tables_are_never_merged_into_good_ones(mask: int) -> None:
    """Compaction reads all of its tables: it ends in an error, and they stay as they are."""
    model = written()
    files = stored(model.disk)
    whole = alive(model.states[-1], model.now)
    told = 0
    for name in filter(table_number, files):
        for offset in range(0, len(files[name]) - FOOTER_SIZE, 3):
            disk = disk_with(files)
            flip(disk, name, offset, mask)
            driver = model.like_me(disk)
            driver.check = lambda: None  # type: ignore[method-assign]
            driver.open()
            driver.compact()
            failed = f"{name}: offset " in driver.store.failure
            assert failed or not driver.store.failure, (name, offset)
            assert name in disk.names()  # also where there was no need to merge it
            driver.close()
            told += failed
            flip(disk, name, offset, mask)  # mended
            found = outcome(model, disk)
            assert found == whole, (name, offset)
    assert told > 300


@both_masks
def test_a_damaged_segment_is_never_made_a_table(mask: int) -> None:
    """The store stops, and shows what it has in memory; who opens it next is told, too."""
    model = written(closed=False)
    log = model.store.log
    assert log is not None
    name = f"{log.number():010d}.log"
    files = stored(model.disk.kill())
    model_of_files = model.like_me(MemoryDisk())
    for offset in range(64, log.offset(), 2):  # bytes of another life of the file may follow
        disk = disk_with(files)
        driver = model_of_files.like_me(disk)
        driver.open()
        driver.save(put(b"k00", b"one more"))
        flip(disk, name, offset, mask)
        driver.make_tables()
        driver.check()
        if driver.store.failure:  # else it was a mark, which says nothing about commits
            assert name in driver.store.failure
            assert driver.acknowledged == len(driver.states) - 1
        driver.store.close()
        found = outcome(driver, disk)
        assert found == alive(driver.states[-1], driver.now) or is_told(found, name, offset)
