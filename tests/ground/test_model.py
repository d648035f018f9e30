"""What flows through every layer."""

from __future__ import annotations

from kveik import model
from kveik.model import BYTES, CLEARED, DELETED, KEPT_PLACES, Cell, Writes


def contents(writes: Writes) -> list[tuple[bytes, int, bytes]]:
    """What is in the places in use."""
    count = writes.count
    cells = writes.cells[:count]
    return [(k, c.kind, c.data) for k, c in zip(writes.keys[:count], cells, strict=True)]


def test_content_types_keep_their_numbers_as_they_are_on_disk() -> None:
    numbers = (model.DELETED, model.BYTES, model.TEXT, model.JSON, model.PICKLE, model.CLEARED)
    assert numbers == (0, 1, 2, 3, 4, 15)


def test_a_cell_never_expires_and_is_not_committed_unless_said() -> None:
    cell = Cell(BYTES, b"v")
    assert (cell.expires, cell.lsn) == (0, 0)


def test_writes_keep_their_order_and_their_repeats() -> None:
    writes = Writes()
    writes.put(b"b", Cell(BYTES, b"1"))
    writes.delete(b"a")
    writes.clear(b"a", b"c")
    writes.put(b"b", Cell(BYTES, b"2"))
    assert contents(writes) == [
        (b"b", BYTES, b"1"),
        (b"a", DELETED, b""),
        (b"a", CLEARED, b"c"),
        (b"b", BYTES, b"2"),
    ]


def test_writes_that_were_reset_are_empty_and_can_be_used_again() -> None:
    writes = Writes()
    for size in (1, 3, KEPT_PLACES + 5, 2):
        for number in range(size):
            writes.put(b"%d" % number, Cell(BYTES, b"of %d" % size))
        assert contents(writes) == [(b"%d" % n, BYTES, b"of %d" % size) for n in range(size)]
        writes.reset()
        assert contents(writes) == []


def test_writes_that_were_large_do_not_hold_on_to_what_they_wrote() -> None:
    writes = Writes()
    for number in range(1000):
        writes.delete(b"%d" % number)
    writes.reset()
    assert len(writes.keys) <= KEPT_PLACES
    assert len(writes.cells) <= KEPT_PLACES
