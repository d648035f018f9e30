"""Commands on parts, numbers and bits of values, against a plain reading of what they mean."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.command.desk import Desk

from kveik.command import longdouble
from kveik.command.lcs import LcsJob, LcsOptions
from kveik.errors import CommandError

DATA = st.binary(max_size=6) | st.sampled_from([b"", b"\x00\x00", b"\xff\xff\xff", b"12", b"-7"])
NUMBER = st.integers(-30, 30) | st.sampled_from([-(2**63), 2**63 - 1, 1000])
OFFSET = st.integers(0, 40)
UNIT = st.sampled_from(["BYTE", "BIT"])

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("SET"), DATA),
        st.tuples(st.just("APPEND"), DATA),
        st.tuples(st.just("SETRANGE"), OFFSET, DATA),
        st.tuples(st.just("GETRANGE"), NUMBER, NUMBER),
        st.tuples(st.just("INCRBY"), NUMBER),
        st.tuples(st.just("SETBIT"), OFFSET, st.integers(0, 1)),
        st.tuples(st.just("GETBIT"), OFFSET),
        st.tuples(st.just("BITCOUNT"), NUMBER, NUMBER, UNIT),
        st.tuples(st.just("BITPOS"), st.integers(0, 1), NUMBER, NUMBER, UNIT),
    ),
    max_size=20,
)


def bits(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def from_bits(text: str) -> bytes:
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def selected(items: list[int], start: int, end: int) -> list[int]:
    """The places of a range with both ends included, negative ones counted from the end."""
    size = len(items)
    start = max(start + size, 0) if start < 0 else start
    end = max(end + size, 0) if end < 0 else end
    return [item for at, item in enumerate(items) if start <= at <= end]


class Model:
    """One value. Each method is a command: its reply, None for an error."""

    def __init__(self) -> None:
        self.data = b""

    def set(self, data: bytes) -> object:
        self.data = data
        return "OK"

    def append(self, data: bytes) -> object:
        self.data += data
        return len(self.data)

    def setrange(self, offset: int, data: bytes) -> object:
        if data:
            old = self.data.ljust(offset, b"\x00")
            self.data = old[:offset] + data + old[offset + len(data) :]
        return len(self.data)

    def getrange(self, start: int, end: int) -> object:
        if start < 0 and end < 0 and start > end:
            return b""
        return bytes(selected(list(self.data), start, end))

    def incrby(self, by: int) -> object:
        try:
            old = int(self.data)
        except ValueError:
            return None
        if b"%d" % old != self.data or not -(2**63) <= old + by < 2**63:
            return None
        self.data = b"%d" % (old + by)
        return old + by

    def setbit(self, offset: int, bit: int) -> object:
        text = bits(self.data)
        old = int(text[offset]) if offset < len(text) else 0
        text = text.ljust(8 * (offset // 8 + 1), "0")
        self.data = from_bits(text[:offset] + str(bit) + text[offset + 1 :])
        return old

    def getbit(self, offset: int) -> object:
        return int(bits(self.data).ljust(offset + 1, "0")[offset])

    def bitcount(self, start: int, end: int, unit: str) -> object:
        if start < 0 and end < 0 and start > end:
            return 0
        text = bits(self.data)
        return sum(text[at] == "1" for at in self._places(start, end, unit))

    def bitpos(self, bit: int, start: int, end: int, unit: str) -> object:
        text = bits(self.data)
        return next((at for at in self._places(start, end, unit) if text[at] == str(bit)), -1)

    def _places(self, start: int, end: int, unit: str) -> list[int]:
        if unit == "BIT":
            return selected(list(range(8 * len(self.data))), start, end)
        chosen = selected(list(range(len(self.data))), start, end)
        return [8 * byte + bit for byte in chosen for bit in range(8)]


@given(STEPS)
@settings(deadline=None, max_examples=400)
def test_a_value_is_what_was_made_of_it(steps: list[tuple[object, ...]]) -> None:
    desk = Desk()
    model = Model()
    desk.run("SET k", b"")
    for name, *rest in steps:
        args = [part if isinstance(part, bytes) else str(part).encode() for part in rest]
        expected = getattr(model, str(name).lower())(*rest)
        try:
            reply = desk.run(f"{name} k", *args)
        except CommandError:
            reply = None
        assert reply == expected
        assert desk.run("GET k") == model.data


VALUES = st.lists(st.binary(max_size=5), min_size=1, max_size=4)
OPERATIONS = {"AND": min, "OR": max, "XOR": lambda column: str(column.count("1") % 2)}


@given(st.sampled_from(sorted(OPERATIONS)), VALUES)
@settings(deadline=None, max_examples=200)
def test_values_are_combined_bit_by_bit(operation: str, values: list[bytes]) -> None:
    desk = Desk()
    for at, value in enumerate(values):
        desk.run(f"SET {at}", value)
    size = max(len(value) for value in values)
    columns = zip(*[bits(value.ljust(size, b"\x00")) for value in values], strict=True)
    expected = from_bits("".join(OPERATIONS[operation](column) for column in columns))
    names = " ".join(str(at) for at in range(len(values)))
    assert desk.run(f"BITOP {operation} d {names}") == size
    assert (desk.run("GET d") or b"") == expected


FIELDS = st.tuples(
    st.sampled_from(["GET", "SET", "INCRBY"]),
    st.sampled_from([("u", 1), ("u", 5), ("u", 8), ("u", 63), ("i", 1), ("i", 7), ("i", 64)]),
    st.integers(0, 70),
    st.integers(-300, 300) | st.integers(-(2**62), 2**63 - 1),
    st.sampled_from(["WRAP", "SAT", "FAIL"]),
)


@given(st.binary(max_size=12), st.lists(FIELDS, min_size=1, max_size=6))
@settings(deadline=None, max_examples=400)
def test_fields_are_the_integers_in_their_bits(
    data: bytes, steps: list[tuple[str, tuple[str, int], int, int, str]]
) -> None:
    desk = Desk()
    desk.run("SET k", data)
    text = bits(data)
    words: list[str] = []
    expected: list[int | None] = []
    for name, (sign, width), offset, number, overflow in steps:
        words.append(f"OVERFLOW {overflow} {name} {sign}{width} {offset}")
        least = -(1 << (width - 1)) if sign == "i" else 0
        most = least + (1 << width) - 1
        if name != "GET":
            words.append(str(number))
            text = text.ljust(-(-(offset + width) // 8) * 8, "0")
        field = int(text.ljust(offset + width, "0")[offset : offset + width], 2)
        old = field - (1 << width) if field > most else field
        if name == "GET":
            expected.append(old)
            continue
        new = old + number if name == "INCRBY" else number
        if name == "SET" and sign == "u":
            new %= 1 << 64
        if not least <= new <= most:
            if overflow == "FAIL":
                expected.append(None)
                continue
            near = least if new < least else most
            new = (new - least) % (1 << width) + least if overflow == "WRAP" else near
        text = text[:offset] + f"{new % (1 << width):0{width}b}" + text[offset + width :]
        expected.append(new if name == "INCRBY" else old)
    assert desk.run("BITFIELD k " + " ".join(words)) == expected
    assert desk.run("GET k") == from_bits(text.ljust(-(-len(text) // 8) * 8, "0"))


# --- the longest common subsequence -------------------------------------------------------------


def longest(one: bytes, other: bytes) -> tuple[int, bytes]:
    """Its length and, of several, the one that Redis' way back from the end finds."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            above, left = table[i - 1][j], table[i][j - 1]
            table[i][j] = table[i - 1][j - 1] + 1 if a == b else max(above, left)
    i, j = len(one), len(other)
    found = b""
    while i and j:
        if one[i - 1] == other[j - 1]:
            i, j = i - 1, j - 1
            found = one[i : i + 1] + found
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return table[-1][-1], found


TEXT = st.text("abc", max_size=40).map(str.encode)


@given(TEXT, TEXT)
@settings(deadline=None, max_examples=400)
def test_a_common_subsequence_is_the_one_that_redis_finds(one: bytes, other: bytes) -> None:
    desk = Desk()
    desk.run("MSET a", one, b"b", other)
    length, found = longest(one, other)
    assert desk.run("LCS a b LEN") == length
    assert desk.run("LCS a b") == found
    reply = desk.run("LCS a b IDX WITHMATCHLEN")
    assert isinstance(reply, dict)
    pieces = [one[low : high + 1] for (low, high), _, _ in reversed(reply[b"matches"])]
    assert b"".join(pieces) == found
    for (low, high), (other_low, other_high), size in reply[b"matches"]:
        assert one[low : high + 1] == other[other_low : other_high + 1]
        assert high - low + 1 == size


def test_a_long_search_is_a_job_of_many_steps() -> None:
    one = b"abcde" * 300
    other = b"badce" * 300
    job = LcsJob(one, other, LcsOptions([b"LCS", b"a", b"b"]))
    steps = 0
    while job.step():
        steps += 1
    assert steps > 2
    assert job.reply() == longest(one, other)[1]


# --- floating-point numbers ---------------------------------------------------------------------


@given(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62))
def test_whole_numbers_are_added_exactly(one: int, other: int) -> None:
    total = longdouble.add(parsed(one), parsed(other))
    assert total is not None
    assert longdouble.show(total) == b"%d" % (one + other)


def parsed(number: int) -> longdouble.Number:
    found = longdouble.parse(b"%d" % number)
    assert found is not None
    return found


@given(st.binary(max_size=12) | st.text("0123456789.eE+-xpinfa", max_size=12).map(str.encode))
@settings(max_examples=1000)
def test_what_is_no_number_is_told_apart(text: bytes) -> None:
    try:
        expected = float(text) if b"_" not in text and text.strip() == text else None
    except ValueError:
        expected = None
    found = longdouble.parse(text)
    if expected is None or expected != expected:
        assert found is None or b"x" in text.lower()
    elif expected not in (0.0, float("inf"), float("-inf")):
        assert found is not None
        assert abs(found[0] / found[1] - expected) <= abs(expected) * 1e-12
