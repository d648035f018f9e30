"""What has been written and may not be safe yet, against a model that keeps every commit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kveik.engine import unsynced
from kveik.engine.unsynced import Unsynced

KEYS = [b"a", b"b", b"c", b"d"]
keys = st.sampled_from(KEYS)
steps = st.one_of(
    st.tuples(st.just("note"), keys),
    st.tuples(st.just("many"), st.lists(keys, max_size=3)),
    st.tuples(st.just("run"), st.lists(keys, min_size=1, max_size=4)),
    st.tuples(st.just("skip"), st.integers(1, 3)),  # commits without a plain value
    st.tuples(st.just("look"), keys),
    st.tuples(st.just("settle"), st.integers(0, 5)),  # all but so many
)


class Model:
    def __init__(self, first: int) -> None:
        self.lsn = first
        self.safe = first
        self.written: dict[bytes, int] = {}

    def note(self, key: bytes) -> None:
        self.written[key] = self.lsn

    def lsn_of(self, key: bytes) -> int:
        lsn = self.written.get(key, 0)
        return lsn if lsn > self.safe else 0


def play(tracked: Unsynced, model: Model, step: tuple[str, object]) -> None:
    name, what = step
    if name == "note":
        assert isinstance(what, bytes)
        model.lsn += 1
        model.note(what)
        tracked.note(what, model.lsn)
    elif name in ("many", "run"):
        assert isinstance(what, list)
        first = model.lsn + 1
        model.lsn += name == "many"
        for key in what:
            model.lsn += name == "run"
            model.note(key)
        if name == "many":
            tracked.note(what, first)
        else:
            tracked.note_run(what, first)
    elif name == "skip":
        assert isinstance(what, int)
        model.lsn += what
    elif name == "look":
        assert isinstance(what, bytes)
        assert tracked.lsn_of(what) == model.lsn_of(what)
    else:
        assert isinstance(what, int)
        model.safe = max(model.safe, model.lsn - what)
        tracked.settle(model.safe)


@given(st.integers(0, 3), st.lists(steps, max_size=40), st.sampled_from([0, 1, 4096]))
@settings(max_examples=300, deadline=None)
def test_a_key_has_the_commit_that_wrote_it_last_until_that_is_safe(
    first: int, history: list[tuple[str, object]], stale: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unsynced, "STALE", stale)
        tracked, model = Unsynced(), Model(first)
        for step in history:
            play(tracked, model, step)
        for key in KEYS:
            assert tracked.lsn_of(key) == model.lsn_of(key)


@given(st.lists(steps, max_size=20), st.lists(steps, max_size=20))
@settings(deadline=None)
def test_one_that_follows_another_is_taken_over(
    before: list[tuple[str, object]], behind: list[tuple[str, object]]
) -> None:
    older, newer, model = Unsynced(), Unsynced(), Model(0)
    for step in before:
        play(older, model, step)
    for name, what in behind:
        if name == "settle":
            older.settle(max(model.safe, model.lsn - int(str(what))))
        if name != "look":
            play(newer, model, (name, what))
    older.follow(newer)
    for key in KEYS:
        assert older.lsn_of(key) == model.lsn_of(key)


def test_what_is_looked_up_while_much_is_written_does_not_pile_up() -> None:
    tracked = Unsynced()
    for lsn in range(1, 3 * unsynced.STALE):
        tracked.note(b"%d" % lsn, lsn)
        assert tracked.lsn_of(b"%d" % lsn) == lsn
        tracked.settle(lsn - 1)
        assert len(tracked._lsns) <= unsynced.STALE + 2
