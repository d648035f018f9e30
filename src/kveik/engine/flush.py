"""Flush: log segments, or a spill in their place -> one table of level 0. Called by `engine.job`.

What is read is what the log's reader would read: records that are whole, commits one behind the
other. Everything up to the job's last commit had been written before the job was given, so
whatever is missing is damage.
"""

from __future__ import annotations

from kveik.disk.api import Disk, File
from kveik.engine.output import Far, Output, bury_expired
from kveik.engine.ranges import Ranges
from kveik.errors import CorruptionError, NewerFormatError
from kveik.format.gather import Gathered, Place, gather
from kveik.format.jobs import FlushJob
from kveik.format.record import COMMITS, record_end, record_lsn, record_size, record_type
from kveik.format.segment import HEAD_SIZE, VERSION, decode_head, segment_name
from kveik.limits import READ_SIZE
from kveik.native import i64


class SegmentReader:
    """Gathers the commits behind `after` and up to `upto` from segments.

    The newest segment comes first: where keys are overwritten, of older ones little but the keys
    is looked at.
    """

    def __init__(self, disk: Disk, after: i64, upto: i64) -> None:
        self._disk = disk
        self._after = after
        self._upto = upto  # the last commit that is wanted and not gathered yet
        self._name = ""
        self._at: i64 = 0  # in the segment: what has been read
        self._file: File | None = None
        self._size: i64 = 0
        self._salt: int = 0
        self._first: i64 = 0  # commit gathered from the segment; 0 while there is none
        self._lsn: i64 = 0  # the last one
        self.read: i64 = 0  # bytes
        self.gathered = Gathered()

    def run(self, names: list[str], numbers: list[int]) -> None:
        """Read the files, in the log's order; numbers: that their heads should have."""
        at: i64 = len(names)
        while at > 0:
            at -= 1
            self._open(names[at], numbers[at])
            newer = self.gathered
            self.gathered = Gathered(newer)
            self.gathered.file = at
            try:
                self._read_records()
            finally:
                assert self._file is not None
                self._file.close()
            self.gathered.join(newer)
            if self._first > 0:
                self._upto = self._first - 1
        if self._upto > self._after:
            self._miss(self._after)

    def _miss(self, lsn: i64) -> None:
        what = f"commits {lsn + 1} to {self._upto} are missing or damaged"
        raise CorruptionError(self._name, self._at, what)

    def _open(self, name: str, number: int) -> None:
        file = self._disk.open(name)
        self._name = name
        self._file = file
        self._size = file.size()
        try:
            head = decode_head(file.read(0, HEAD_SIZE))
        except ValueError as error:
            file.close()
            raise CorruptionError(name, 0, str(error)) from None
        if head.version > VERSION:
            file.close()
            raise NewerFormatError(f"{name} has log format {head.version}")
        if head.number != number or head.size != self._size:
            file.close()
            raise CorruptionError(name, 0, "it is another segment under this name")
        self._salt = head.salt

    def _read_records(self) -> None:
        self._at = HEAD_SIZE
        self._first = 0
        self._lsn = 0
        length: i64 = READ_SIZE
        while self._lsn < self._upto:
            window = self._read(length)
            used = self._gather_window(window)
            self._at += used
            if used > 0:
                length = READ_SIZE
                continue
            length = record_size(window, 0)  # perhaps it is longer than what was read
            if length <= len(window) or self._at + length > self._size:
                break
        if self._first > 0 and self._lsn < self._upto:
            self._miss(self._lsn)

    def _read(self, length: i64) -> bytes:
        assert self._file is not None
        window = self._file.read(self._at, min(length, self._size - self._at))
        self.read += len(window)
        return window

    def _gather_window(self, window: bytes) -> i64:
        """Gather the whole records that window begins with; how many bytes they have."""
        at: i64 = 0
        while self._lsn < self._upto:
            end = record_end(window, at, self._salt)
            if end < 0:
                break
            if record_type(window, at) == COMMITS:
                self._gather(window, at, end)
            at = end
        return at

    def _gather(self, window: bytes, at: i64, end: i64) -> None:
        lsn = record_lsn(window, at)
        if self._first == 0 and lsn > self._upto:
            self._lsn = self._upto  # nothing of this segment is wanted
            return
        if self._first > 0 and lsn > self._lsn + 1:
            what = f"commit {self._lsn + 1} should stand here, not {lsn}"
            raise CorruptionError(self._name, self._at + at, what)
        done = max(self._lsn, self._after)
        skip = done + 1 - lsn
        take = self._upto + 1 - lsn
        try:
            count = gather(window, at, end, self._at, skip, take, self.gathered)
        except ValueError as error:
            raise CorruptionError(self._name, self._at + at, f"commit {lsn}: {error}") from None
        if self._first == 0:
            self._first = max(lsn, self._after + 1)
        self._lsn = max(done, min(lsn + count - 1, self._upto))


class FarData(Far):
    """A value that waits in its segment."""

    def __init__(self, disk: Disk, name: str, place: Place) -> None:
        self._disk = disk
        self._name = name
        self._place = place

    def load(self) -> bytes:
        file = self._disk.open(self._name)
        try:
            data = file.read(self._place.offset, self._place.size)
        finally:
            file.close()
        return self._place.head + data


def flush(disk: Disk, job: FlushJob, output: Output) -> i64:
    """Make the table; how many bytes were read."""
    if job.spill:
        names = [job.spill]
        reader = SegmentReader(disk, 0, job.spilled)
        reader.run(names, [job.table])
    else:
        names = [segment_name(number) for number in job.segments]
        reader = SegmentReader(disk, job.after, job.upto)
        reader.run(names, job.segments)
    gathered = reader.gathered
    values = settle(gathered, output.clears)
    keys = sorted(values)
    ordered = list(map(values.__getitem__, keys))
    values.clear()
    far: dict[bytes, Far] = {}
    for key, place in gathered.far.items():
        far[key] = FarData(disk, names[place.file], place)
    if gathered.special:
        keys, ordered = bury_expired(keys, ordered, job.now, job.bottom)
    output.add(keys, ordered, far)
    return reader.read


def settle(gathered: Gathered, clears: Ranges) -> dict[bytes, bytes]:
    """What is left once range tombstones have hidden what is older; they are added to clears."""
    values = gathered.values
    while gathered.epochs:
        epoch = gathered.epochs.pop()
        for start, stop in epoch.clears:
            clears.add(start, stop)
        for key, value in epoch.values.items():
            if key not in values and not clears.covers(key):
                values[key] = value
    return values
