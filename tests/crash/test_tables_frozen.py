"""Short histories that once went wrong, each as the drawn one that found it was cut down to."""

from __future__ import annotations

from tests.engine.support.drawn import drawn, told

from kveik.engine.picker import pick
from kveik.engine.shape import Shape
from kveik.limits import MIB


def test_level_0_is_not_merged_at_the_bottom_where_what_it_takes_along_reaches_further() -> None:
    """The tombstones of b-z would be dropped, and hide what level 2 has of y and z."""
    shape = Shape(4 * MIB, 8 * MIB)
    line = "L0: " + "a-c:4 " * 8 + "L1: b-z:8!  L2: y-zz"
    sources = ", ".join(["a-c"] * 8)
    assert told(pick(drawn(line), shape)) == f"0>1: {sources}, b-z"
    assert told(pick(drawn(line.replace("y-zz", "z-zz")), shape)) == f"0>1 bottom: {sources}, b-z"
