"""Replies that wait behind the gate leave in their order, and not before they may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kveik.server.held import Held

pieces = st.lists(st.tuples(st.integers(0, 5), st.binary(min_size=1, max_size=3)), max_size=8)


@given(st.lists(st.one_of(pieces, st.integers(0, 30)), max_size=20))
def test_what_is_taken_is_what_may_leave_in_its_order(steps: list[object]) -> None:
    held = Held()
    waiting: list[tuple[int, bytes]] = []
    need = 0
    for step in steps:
        if isinstance(step, list):
            for more, data in step:
                need += more
                held.add(need, data)
                waiting.append((need, data))
        else:
            assert isinstance(step, int)
            expected = b""
            while waiting and waiting[0][0] <= step:
                expected += waiting.pop(0)[1]
            assert held.take(step) == expected
        assert held.size == sum(len(data) for _, data in waiting)
        assert held.empty() == (not waiting)
    held.drop()
    assert (held.empty(), held.take(99)) == (True, b"")
