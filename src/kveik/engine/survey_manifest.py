"""A manifest read as far as it goes, damaged or not. Called by check, repair and inspect.

Unlike `engine.manifest`, which refuses what is damaged, this notes what is wrong and goes on.
Invariant: without problems, state is what the engine would read.
"""

from __future__ import annotations

from kveik.engine.state import State, empty_levels
from kveik.format.edit import (
    TEXT,
    VERSION,
    Edit,
    decode_manifest_head,
    edit_of,
    find_edit,
    salvage_edit,
)
from kveik.format.record import record_end, record_lsn
from kveik.format.salt import salt_of
from kveik.format.segment import HEAD_SIZE, SegmentHead
from kveik.native import i64


class SurveyedEdit:
    """From offset to end. error: empty if it is valid and fits; intact: its checksum matches."""

    __slots__ = ("edit", "end", "error", "intact", "number", "offset")

    def __init__(
        self, offset: i64, end: i64, number: i64, edit: Edit, error: str, intact: bool
    ) -> None:
        self.offset = offset
        self.end = end
        self.number = number
        self.edit = edit
        self.error = error
        self.intact = intact


class ManifestSurvey:
    """head: None if it is damaged. problems: (offset, what). state: None where there are any.

    torn: bytes behind the last edit, which never held; torn_edit: what they seem to say.
    """

    def __init__(self, data: bytes) -> None:
        self.head: SegmentHead | None = None
        self.edits: list[SurveyedEdit] = []
        self.problems: list[tuple[int, str]] = []
        self.torn: i64 = 0
        self.torn_edit = Edit([], [])
        self._state: State | None = State(empty_levels())
        salt = self._read_head(data)
        self._read_edits(data, salt)
        self.state = None if self.problems else self._state

    def _read_head(self, data: bytes) -> int:
        try:
            head = decode_manifest_head(data)
        except ValueError as error:
            self.problems.append((0, str(error)))
            return salt_of(data, HEAD_SIZE) if len(data) >= HEAD_SIZE else 0
        if head.version > VERSION:
            self.problems.append((0, f"it has format {head.version}: a newer Kveik wrote it"))
        self.head = head
        return head.salt

    def _read_edits(self, data: bytes, salt: int) -> None:
        at: i64 = HEAD_SIZE
        number: i64 = 0
        while at < len(data):
            end = record_end(data, at, salt)
            if end < 0:
                later = find_edit(data, at, salt, number + 1)
                if later < 0:
                    break
                what = f"an edit is damaged (offset {later} has a later one)"
                self._note_damaged(data, at, later, number + 1, what)
                number = record_lsn(data, later) - 1
                at = later
                continue
            number += 1
            self._take(data, at, end, number)
            number = record_lsn(data, at)
            at = end
        if number == 0:
            what = "the first edit, which is the full state, is damaged"
            self._note_damaged(data, at, len(data), 1, what)
        else:
            self.torn = len(data) - at
            self.torn_edit = salvage_edit(data[at:])

    def _note_damaged(self, data: bytes, at: i64, end: i64, number: i64, what: str) -> None:
        self.problems.append((at, what))
        salvaged = salvage_edit(data[at:end])
        self.edits.append(SurveyedEdit(at, end, number, salvaged, what, False))
        self._state = None

    def _take(self, data: bytes, at: i64, end: i64, number: i64) -> None:
        edit = Edit([], [])
        error = ""
        try:
            edit = edit_of(data, at, end)
            if record_lsn(data, at) != number:
                error = f"edit {number} should stand here, not {record_lsn(data, at)}"
            elif self._state is not None:
                self._state = self._state.after(edit)
        except ValueError as problem:
            error = f"edit {number}: {problem}"
            edit = salvage_edit(data[at + TEXT : end])
        if error:
            self.problems.append((at, error))
            self._state = None
        self.edits.append(SurveyedEdit(at, end, record_lsn(data, at), edit, error, True))
