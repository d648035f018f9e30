"""What is compacted next, on drawn levels (support/drawn.py says how to read them).

The shape here: tables of 8 MiB, level 1 of 64 MiB, level 2 of 384 MiB, jobs of 256 MiB; level 0 is
compacted from 8 tables on, when idle from 4.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.drawn import drawn, names, told
from tests.format.infos import info

from kveik.engine.hidden import Clears
from kveik.engine.levels import Levels, overlapping, total
from kveik.engine.picker import Compaction, debt, pick
from kveik.engine.shape import Shape
from kveik.engine.state import State, empty_levels
from kveik.format.edit import Edit
from kveik.limits import MIB

SHAPE = Shape(4 * MIB, 8 * MIB)
RANDOM = "a-z:4 " * 8  # what eight flushes of random keys leave in level 0


def picked(line: str, *, idle: bool = False, clears: Clears | None = None) -> str:
    return told(pick(drawn(line), SHAPE, idle=idle, clears=clears))


# --- level 0 ------------------------------------------------------------------------------------


def test_nothing_is_done_about_nothing() -> None:
    assert picked("") == "nothing"
    assert picked("", idle=True) == "nothing"


def test_level_0_may_have_seven_tables_and_three_when_idle() -> None:
    assert picked("L0: " + "a-z " * 7) == "nothing"
    assert picked("L0: " + "a-z " * 3, idle=True) == "nothing"
    assert picked("L0: " + "a-z " * 4, idle=True) == "0>1 bottom: a-z, a-z, a-z, a-z"


def test_all_of_level_0_goes_down_at_once_with_what_it_overlaps() -> None:
    line = "L0: " + " ".join(f"a-{end}:4" for end in "nopqrstuvw") + "  L1: a-c:8 k-n:8 v-w:8 x-z:8"
    sources = ", ".join(f"a-{end}" for end in "nopqrstuvw")
    assert picked(line) == f"0>1 bottom: {sources}, a-c k-n v-w"


def test_it_is_not_the_bottom_if_a_level_further_down_has_the_keys() -> None:
    assert picked(f"L0: {RANDOM} L1: a-c:8  L3: y-zz").startswith("0>1: ")
    assert picked(f"L0: {RANDOM} L1: a-c:8  L3: z-zz").startswith("0>1 bottom: ")


def test_tables_that_share_no_keys_with_the_oldest_group_wait() -> None:
    line = "L0: r-t:4 a-d:4 x-z:4 c-f:4 e-h:4 s-u:4 y-zz:4 b-c:4  L1: a-b:4 g-h:4 s-t:4"
    assert picked(line) == "0>1 bottom: a-d, c-f, e-h, b-c, a-b g-h"


def test_a_newer_table_of_the_same_keys_never_overtakes_an_older_one() -> None:
    line = "L0: a-c:90 a-c:90 a-c:90 a-c:90 a-c:90 a-c:90 a-c:90 a-c:90"
    assert picked(line) == "0>1 bottom: a-c, a-c"  # as much as one job takes, and the oldest


def test_one_table_larger_than_a_job_goes_down_all_the_same() -> None:
    line = "L0: a-c a-c a-c a-c a-c a-c a-c a-c:900  L1: a-b:32 b-c:32"
    assert picked(line) == "0>1 bottom: a-c, a-b b-c"


def test_tables_that_share_keys_with_no_other_only_move() -> None:
    line = "L0: o-q:4 m-o:4 k-m:4 i-k:4 g-i:4 e-g:4 c-e:4 a-c:4  L1: A-a:8"
    assert picked(line) == "0>1 move: a-c c-e e-g g-i i-k k-m m-o o-q"


def test_of_a_mixed_level_0_the_tables_that_are_alone_move() -> None:
    line = "L0: a-z:4 a-z:4 a-z:4 a-z:4 a-z:4 zz-zzz:4 a-z:4 zx-zz:4  L1: b-c:8 zy-zz:8"
    assert picked(line) == "0>1 move: zz-zzz"


def test_a_table_inside_another_ones_range_is_not_alone() -> None:
    line = "L0: d-e:4 b-c:4 a-k:4 m-n:4 l-m:4 n-o:4 o-p:4 p-q:4"
    assert picked(line) == "0>1 move: l-m m-n n-o o-p p-q"


def test_small_tables_written_in_order_are_merged_and_not_moved() -> None:
    line = "L0: h-i:.1 g-h:.1 f-g:.1 e-f:.1 d-e:.1 c-d:.1 b-c:.1 a-b:.1  L1: A-a:8"
    assert picked(line) == "0>1 bottom: h-i, g-h, f-g, e-f, d-e, c-d, b-c, a-b"


def test_tiny_tables_are_merged_with_each_other_before_they_rewrite_a_large_level() -> None:
    tiny = "L0: " + "a-z:.1 " * 8
    assert picked(tiny + "L1: a-k:7 k-z:6") == "0>0: " + ", ".join(["a-z"] * 8)
    assert picked(tiny + "L1: a-k:6 k-z:6") == "0>1 bottom: " + "a-z, " * 8 + "a-k k-z"


def test_one_tiny_table_is_not_merged_with_itself() -> None:
    assert picked("L0: " + "a-z:300 " * 7 + "a-z:.1  L1: a-z:60") == "0>1 bottom: a-z, a-z"


def test_what_is_merged_within_level_0_becomes_one_table() -> None:
    compaction = pick(drawn("L0: " + "a-z:.1 " * 8 + "L1: a-k:60"), SHAPE)
    assert compaction is not None
    assert (compaction.table_size, compaction.most_tables()) == (0, 1)


# --- the levels below ---------------------------------------------------------------------------


def test_a_level_within_its_size_stays_as_it_is() -> None:
    assert picked("L1: a-b:32 b-c:32  L2: a-c:384") == "nothing"


def test_a_level_over_its_size_goes_down_where_that_costs_least_a_byte() -> None:
    line = "L1: a-d:20 d-g:20 g-k:20 k-n:20  L2: a-b:30 c-e:10 f-h:5 h-j:30 k-z:60"
    assert picked(line) == "1>2 bottom: d-g, c-e f-h"


def test_level_0_waits_for_the_levels_below() -> None:
    assert picked(f"L0: {RANDOM} L1: a-d:65  L2: a-c:10") == "1>2 bottom: a-d, a-c"


def test_the_level_that_is_over_by_most_comes_first() -> None:
    assert picked("L1: a-b:70  L2: a-b:450") == "2>3 move: a-b"
    assert picked("L1: a-b:90  L2: a-b:450") == "1>2 bottom: a-b, a-b"


def test_neighbours_go_with_it_while_they_make_a_byte_no_dearer() -> None:
    line = "L1: a-b:10 b-c:10 c-d:10 d-e:50 e-f:30  L2: a-c:40 c-cc:10 ccc-d:10 d-f:500"
    assert picked(line) == "1>2 bottom: c-d, c-cc ccc-d"
    line = "L1: a-b:10 b-c:10 c-d:10 d-e:50 e-f:30  L2: a-c:20 c-cc:10 ccc-d:10 d-f:500"
    assert picked(line) == "1>2 bottom: a-b b-c, a-c"
    line = "L1: a-b:10 b-c:10 c-d:70  L2: a-b:10 b-c:11 c-d:140"
    assert picked(line) == "1>2 bottom: a-b, a-b"
    line = "L1: a-b:10 b-c:10 c-d:10 d-e:50 e-f:30  L2: a-d:30 d-f:500"
    assert picked(line) == "1>2 bottom: a-b b-c c-d, a-d"


def test_no_more_goes_down_than_brings_the_level_to_nine_tenths_of_its_size() -> None:
    line = "L1: a-b:10 b-c:10 c-d:10 d-e:10 e-f:10 f-g:10 g-h:10  L2: a-g:50 g-h:10"
    assert picked(line) == "1>2 bottom: g-h, g-h"  # 70 - 10 = 60, and one more would be 50
    line = "L1: a-b:10 b-c:10 c-d:10 d-e:10 e-f:10 f-g:10 g-h:20  L2: A-a"
    assert picked(line) == "1>2 move: a-b b-c"


def test_no_more_goes_down_than_a_job_takes() -> None:
    line = "L1: a-b:50 b-c:50 c-d:50 d-e:50 e-f:50  L2: a-f:50"
    assert picked(line) == "1>2 bottom: a-b b-c c-d, a-f"  # with one more it would be 250
    line = "L1: a-b:900  L2: a-b:900"
    assert picked(line) == "1>2 bottom: a-b, a-b"


def test_what_overlaps_nothing_below_only_moves() -> None:
    assert picked("L1: a-b:40 b-c:40  L2: a-b:90  L3: a-c:9") == "1>2 move: b-c"


def test_the_last_level_is_never_too_large() -> None:
    assert picked("L6: a-b:9999999") == "nothing"


def test_a_table_of_mostly_tombstones_goes_down_when_nothing_presses() -> None:
    assert picked("L1: a-b b-c! c-d  L2: a-c:4  L3: a-d") == "1>2: b-c, a-c"
    assert picked(f"L0: {RANDOM} L1: A-a!").startswith("0>1")


def test_at_the_bottom_such_a_table_is_rewritten_and_not_moved() -> None:
    assert picked("L1: b-c!  L2: a-b") == "1>2 bottom: b-c"


def test_in_the_last_level_it_stays() -> None:
    assert picked("L6: b-c!") == "nothing"


# --- what is not read ---------------------------------------------------------------------------


def test_what_a_newer_clear_hides_wholly_is_dropped() -> None:
    line = "L0: A-a b-y~ c-d a-c  L1: b-c c-k k-z  L2: b-y b-z"
    assert picked(line) == "drop: c-d b-c c-k b-y"


def test_a_clear_hides_nothing_newer() -> None:
    assert picked("L0: c-d b-y~  L1: a-z") == "nothing"


def test_a_clear_hides_nothing_beside_it_in_its_level() -> None:
    line = "L1: a-c^ c-e  L2: a-b c-d"
    assert picked(line, clears={1: [(b"\0a", b"\0z")]}) == "drop: a-b c-d"


def test_the_clears_of_a_table_with_entries_count_where_they_are_known() -> None:
    line = "L0: a-z^  L1: b-c d-k m-n"
    assert picked(line) == "nothing"
    assert picked(line, clears={1: [(b"\0a", b"\0d"), (b"\0k", b"\0z")]}) == "drop: b-c m-n"


def test_a_clear_with_nothing_older_below_it_is_dropped_itself() -> None:
    assert picked("L0: a-z c-k~ k-m  L1: a-c  L2: k-m") == "drop: c-k"
    assert picked("L0: a-z c-k~ j-m  L1: a-c") == "nothing"
    assert picked("L0: c-k~  L3: j-m") == "nothing"


def test_after_everything_was_cleared_everything_goes() -> None:
    line = "L0: A-zz~ a-z a-z  L1: a-k:40 k-z:40  L2: a-z:900"
    assert picked(line) == "drop: a-z a-z a-k k-z a-z"
    assert picked("L0: A-zz~") == "drop: A-zz"


# --- what a compaction says of itself -----------------------------------------------------------


def test_the_tables_made_are_about_as_large_as_each_other() -> None:
    compaction = pick(drawn("L0: " + "a-z:1 " * 9), SHAPE)
    assert compaction is not None
    assert compaction.size() == 9 * MIB
    assert 4.5 * MIB < compaction.table_size < 4.7 * MIB


def test_more_numbers_are_reserved_than_tables_are_made() -> None:
    compaction = pick(drawn("L0: " + "a-z:20 " * 9), SHAPE)
    assert compaction is not None
    assert compaction.most_tables() > 2 * compaction.size() / compaction.table_size


def test_overlapping_tables_are_those_that_share_a_key() -> None:
    level = drawn("L1: b-d d-f h-k")[1]
    for low, high, found in (
        ("a", "b", ""),
        ("a", "bb", "b-d"),
        ("c", "d", "b-d"),
        ("c", "dd", "b-d d-f"),
        ("f", "h", ""),
        ("a", "z", "b-d d-f h-k"),
        ("k", "z", ""),
    ):
        assert names(overlapping(level, b"\0" + low.encode(), b"\0" + high.encode())) == found


# --- debt ---------------------------------------------------------------------------------------


def owed(line: str) -> float:
    return debt(drawn(line), SHAPE)


def test_there_is_no_debt_while_level_0_is_short_and_levels_have_their_size() -> None:
    assert owed("") == 0.0
    assert owed("L0: " + "a-z " * 16 + "L1: a-z:64  L2: a-z:384") == 0.0
    assert owed("L6: a-z:99999999") == 0.0


def test_debt_grows_evenly_with_level_0_up_to_one() -> None:
    debts = [owed("L0: " + "a-z " * count) for count in range(60)]
    assert debts[48] == debts[59] == 1.0
    steps = [after - before for before, after in pairwise(debts)]
    assert steps[16:48] == pytest.approx([1 / 32] * 32)


def test_bytes_over_a_levels_size_count_as_tables_of_level_0() -> None:
    busy = "L0: " + "a-z " * 20
    debts = [owed(f"{busy} L1: a-z:{size}  L2: a-z:100") for size in range(64, 180, 4)]
    assert debts[0] == owed(busy) == pytest.approx(4 / 32)
    steps = [after - before for before, after in pairwise(debts)]
    assert min(steps) > 0
    assert max(steps) < 1 / 32  # four MiB, of which a whole table of level 0 makes 1 / 32


def test_what_only_has_to_move_is_no_debt() -> None:
    busy = "L0: " + "a-z " * 20
    assert owed(busy + "L1: a-z:300") == owed(busy)
    assert owed(busy + "L2: a-z:900") == owed(busy)


def test_levels_below_0_alone_never_make_the_whole_debt() -> None:
    assert owed("L1: a-z:99999  L2: a-z:99999") == pytest.approx(0.8 - 16 / 32)
    assert owed("L0: " + "a-z " * 23 + "L1: a-z:99999  L2: a-z:99999") > 0.99


@pytest.mark.parametrize("below", [0, 10, 384, 3000])
def test_a_job_never_raises_the_debt(below: int) -> None:
    lower = f"L2: a-z:{below}" if below else ""
    for count in range(1, 49):
        before = owed("L0: " + "a-z:4 " * count + f"L1: a-z:64 {lower}")
        after = owed(f"L1: a-z:{64 + 4 * count} {lower}")
        assert after <= before + 0.01


# --- any levels ---------------------------------------------------------------------------------


def key(number: int) -> bytes:
    return b"\0%03d" % number


@st.composite
def any_levels(draw: st.DrawFn) -> Levels:
    levels = empty_levels()
    number = 0
    points = st.integers(0, 999)
    sizes = st.sampled_from([MIB // 10, MIB, 8 * MIB, 60 * MIB])
    for level in range(4):
        cuts = draw(st.lists(points, max_size=12, unique=level > 0))
        if level > 0:
            cuts.sort()
        for a, b in zip(cuts[::2], cuts[1::2], strict=False):
            number += 1
            bounds = (key(min(a, b)), key(max(a, b) + (a == b)))
            entries = draw(st.integers(0, 3))
            levels[level].append(
                info(
                    number,
                    *bounds,
                    size=draw(sizes),
                    entries=entries,
                    tombstones=draw(st.integers(0, entries)),
                    clears=1 if entries == 0 else 0,
                )
            )
    return levels


def outputs(compaction: Compaction) -> Edit:
    """What becomes of the levels: one table in place of the inputs, or the inputs moved."""
    tables = compaction.tables()
    removed = [one.number for one in tables + compaction.drop]
    if compaction.move:
        return Edit([(compaction.target, one) for one in tables], removed)
    if compaction.drop:
        return Edit([], removed)
    low = min(one.low for one in tables)
    high = max(one.high for one in tables)
    return Edit([(compaction.target, info(900, low, high, size=total(tables)))], removed)


@settings(deadline=None, max_examples=300)
@given(any_levels(), st.booleans())
def test_any_compaction_keeps_newer_above_older_and_levels_disjoint(
    levels: Levels, idle: bool
) -> None:
    compaction = pick(levels, SHAPE, idle=idle)
    if compaction is None:
        return
    State(levels, next_table=1000).after(outputs(compaction))  # ValueError where tables overlap
    for source in compaction.inputs:
        for before, behind in pairwise(source):
            assert before.high <= behind.low
    taken = {one.number for one in compaction.tables()}
    if compaction.level == 0 and not compaction.drop:
        for at, newer in enumerate(levels[0]):
            for older in levels[0][at + 1 :]:
                shared = newer.low < older.high and older.low < newer.high
                assert not (shared and newer.number in taken and older.number not in taken)
    order = [one.number for one in compaction.tables()]
    level_0 = [one.number for one in levels[0] if one.number in taken]
    if not compaction.move:
        assert order[: len(level_0)] == level_0


@settings(deadline=None, max_examples=100)
@given(any_levels())
def test_idle_levels_come_to_rest(levels: Levels) -> None:
    state = State(levels, next_table=10_000)
    number = 1000
    for _ in range(200):
        compaction = pick(state.levels, SHAPE, idle=True)
        if compaction is None:
            return
        edit = outputs(compaction)
        for _, made in edit.added:
            if not compaction.move:
                number += 1
                made.number = number
        state = state.after(edit)
    pytest.fail("there is always something to do")
