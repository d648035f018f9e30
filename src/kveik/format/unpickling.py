"""A pickle's plain data, read without running anything that stands in it. docs/formats/values.md.

Plain data are None, bool, int, float, str, bytes, list, tuple, dict, set and frozenset. Opcodes of
protocols 0 to 5 that can say no more than these are read; every other one is refused by its name.
Invariants: time and memory are bounded by the pickle's size and by limits.py, whatever it says; in
what is returned nothing holds itself, and what is referred to often counts as often. Called by the
framed protocol and for stored pickles.
"""

from __future__ import annotations

import struct
from typing import Final

from kveik.errors import LimitError, UnsafeError
from kveik.limits import (
    MAX_COLLISIONS,
    MAX_DIGITS,
    MAX_EXPANDED,
    MAX_NESTING,
    MAX_PICKLE_OBJECTS,
)
from kveik.native import i64

_REFUSED: Final[dict[int, str]] = {
    0x30: "POP", 0x31: "POP_MARK", 0x32: "DUP", 0x50: "PERSID", 0x51: "BINPERSID",
    0x52: "REDUCE", 0x53: "STRING", 0x54: "BINSTRING", 0x55: "SHORT_BINSTRING", 0x62: "BUILD",
    0x63: "GLOBAL", 0x69: "INST", 0x6F: "OBJ", 0x81: "NEWOBJ", 0x82: "EXT1", 0x83: "EXT2",
    0x84: "EXT4", 0x92: "NEWOBJ_EX", 0x93: "STACK_GLOBAL", 0x96: "BYTEARRAY8",
    0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}  # fmt: skip

# What an opcode does, by its number.
_OTHER: Final = 0
_STRING: Final = 1
_MEMO: Final = 2
_NUMBER: Final = 3
_CONSTANT: Final = 4
_GATHER: Final = 5
_TUPLE: Final = 6
_LINE: Final = 7
_GROUPED: Final[dict[int, bytes]] = {
    _STRING: b"X\x8c\x8dBC\x8e",
    _MEMO: b"qr\x94hj",
    _NUMBER: b"JKM\x8a\x8bG",
    _CONSTANT: b"N\x88\x89])}\x8f",
    _GATHER: b"aesu\x90\x91tld",
    _TUPLE: b"\x85\x86\x87",
    _LINE: b"ILFVpg",
}


def _groups() -> bytes:
    table = bytearray(256)
    for group, opcodes in _GROUPED.items():
        for opcode in opcodes:
            table[opcode] = group
    return bytes(table)


_GROUPS: Final[bytes] = _groups()
_WIDTHS: Final[bytes] = bytes(
    {0x58: 4, 0x8C: 1, 0x8D: 8, 0x42: 4, 0x43: 1, 0x8E: 8}.get(opcode, 0) for opcode in range(256)
)
STOP: Final = 0x2E
OBJECT: Final = 64  # bytes that any object weighs besides those it says


def load(data: bytes) -> object:
    """The plain data in a pickle.

    UnsafeError: it may hold more than that; LimitError: too much of it; ValueError: no pickle.
    """
    try:
        return _Unpickler(data).load()
    except IndexError:
        raise ValueError("no valid pickle: something is missing on its stack") from None


def weigh(value: object, left: i64, depth: i64) -> i64:
    """What of a budget is left when everything in a value is counted wherever it stands."""
    left -= OBJECT
    if isinstance(value, (str, bytes)):
        left -= len(value)
    elif isinstance(value, int):
        left -= value.bit_length() >> 3
    elif isinstance(value, (list, tuple, set, frozenset, dict)):
        depth += 1
        if depth > MAX_NESTING:
            raise LimitError(f"data are nested at most {MAX_NESTING} deep, and never in themselves")
        left = _weigh_items(value, left, depth)
    if left < 0:
        raise LimitError(f"data have at most {MAX_EXPANDED} bytes once nothing is shared")
    return left


def _weigh_items(value: object, left: i64, depth: i64) -> i64:
    if isinstance(value, list):
        for item in value:
            left = weigh(item, left, depth)
    elif isinstance(value, dict):
        for key, item in value.items():
            left = weigh(key, left, depth)
            left = weigh(item, left, depth)
    elif isinstance(value, (tuple, set, frozenset)):
        for item in tuple(value):
            left = weigh(item, left, depth)
    return left


class _Unpickler:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at: i64 = 0
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}
        self._room: i64 = MAX_PICKLE_OBJECTS
        self._left: i64 = MAX_EXPANDED  # for keys
        self._crowds: dict[int, dict[int, int]] = {}  # container -> hash -> keys that have it

    def load(self) -> object:
        data = self._data
        end: i64 = len(data)
        while True:
            at = self._at
            if at >= end:
                raise ValueError("no valid pickle: it breaks off")
            self._room -= 1
            if self._room < 0:
                raise LimitError(f"a pickle has at most {MAX_PICKLE_OBJECTS} objects")
            opcode: i64 = data[at]
            self._at = at + 1
            group: i64 = _GROUPS[opcode]
            if group == _STRING:
                self._string(opcode)
            elif group == _MEMO:
                self._remember(opcode)
            elif group == _NUMBER:
                self._number(opcode)
            elif group == _CONSTANT:
                self._stack.append(_constant(opcode))
            elif group == _GATHER:
                self._gather(opcode)
            elif group == _TUPLE:
                self._tuple(opcode - 0x84)
            elif group == _LINE:
                self._line(opcode)
            elif opcode == STOP:
                return self._whole()
            else:
                self._rare(opcode)

    def _whole(self) -> object:
        if self._at != len(self._data) or len(self._stack) != 1 or self._marks:
            raise ValueError("no valid pickle: it holds more than one value")
        value = self._stack[0]
        weigh(value, MAX_EXPANDED, 0)
        return value

    def _rare(self, opcode: i64) -> None:
        if opcode == 0x28:  # MARK
            self._marks.append(len(self._stack))
        elif opcode == 0x80:  # PROTO
            version = self._take(1)[0]
            if version > 5:
                raise ValueError(f"pickles of protocol {version} are not known, only 0 to 5")
        elif opcode == 0x95:  # FRAME: only says how much comes; what comes tells it anyway
            if int.from_bytes(self._take(8), "little") > len(self._data) - self._at:
                raise ValueError("no valid pickle: a frame breaks off")
        elif opcode in _REFUSED:
            name = _REFUSED[opcode]
            raise UnsafeError(f"plain data only: the pickle's opcode {name} is refused")
        else:
            raise ValueError(f"no valid pickle: there is no opcode 0x{opcode:02x}")

    def _take(self, size: int) -> bytes:
        start = self._at
        if size < 0 or size > len(self._data) - start:
            raise ValueError("no valid pickle: it breaks off")
        self._at = start + size
        return self._data[start : self._at]

    def _unsigned(self, width: i64) -> int:
        if width == 1:
            return self._take(1)[0]
        return int.from_bytes(self._take(width), "little")

    # --- single objects -------------------------------------------------------------------------

    def _string(self, opcode: i64) -> None:
        data = self._take(self._unsigned(_WIDTHS[opcode]))
        if opcode == 0x58 or opcode == 0x8C or opcode == 0x8D:
            self._stack.append(_text(data))
        else:
            self._stack.append(data)

    def _number(self, opcode: i64) -> None:
        if opcode == 0x4B:  # BININT1
            number: object = self._unsigned(1)
        elif opcode == 0x4D:  # BININT2
            number = self._unsigned(2)
        elif opcode == 0x4A:  # BININT
            number = int.from_bytes(self._take(4), "little", signed=True)
        elif opcode == 0x47:  # BINFLOAT
            number = struct.unpack(">d", self._take(8))[0]
        else:  # LONG1, LONG4
            size = self._unsigned(1 if opcode == 0x8A else 4)
            number = int.from_bytes(self._take(size), "little", signed=True)
        self._stack.append(number)

    def _line(self, opcode: i64) -> None:
        """What protocol 0 writes as lines of text."""
        end: i64 = self._data.find(b"\n", self._at)
        if end < 0:
            raise ValueError("no valid pickle: it breaks off")
        line = self._data[self._at : end]
        self._at = end + 1
        if opcode == 0x56:  # UNICODE
            self._stack.append(line.decode("raw-unicode-escape"))
            return
        if len(line) > MAX_DIGITS:
            raise LimitError(f"a number has at most {MAX_DIGITS} digits")
        if opcode == 0x49:  # INT
            if line in (b"00", b"01"):
                self._stack.append(line == b"01")
            else:
                self._stack.append(int(line))
        elif opcode == 0x4C:  # LONG
            self._stack.append(int(line.removesuffix(b"L")))
        elif opcode == 0x46:  # FLOAT
            self._stack.append(float(line))
        elif opcode == 0x70:  # PUT
            place = int(line)
            if not 0 <= place < 1 << 32:
                raise ValueError("no valid pickle: it remembers something in no place")
            self._memo[place] = self._stack[-1]
        else:  # GET
            self._recall(int(line))

    def _remember(self, opcode: i64) -> None:
        if opcode == 0x94:  # MEMOIZE
            self._memo[len(self._memo)] = self._stack[-1]
        elif opcode == 0x71:  # BINPUT
            self._memo[self._unsigned(1)] = self._stack[-1]
        elif opcode == 0x72:  # LONG_BINPUT
            self._memo[self._unsigned(4)] = self._stack[-1]
        else:  # BINGET, LONG_BINGET
            self._recall(self._unsigned(1 if opcode == 0x68 else 4))

    def _recall(self, place: int) -> None:
        if place not in self._memo:
            raise ValueError(f"no valid pickle: nothing was remembered as {place}")
        self._stack.append(self._memo[place])

    # --- containers -----------------------------------------------------------------------------

    def _tuple(self, size: i64) -> None:
        stack = self._stack
        third = stack.pop()
        if size == 1:
            stack.append((third,))
            return
        second = stack.pop()
        stack.append((second, third) if size == 2 else (stack.pop(), second, third))

    def _gather(self, opcode: i64) -> None:
        """Put what has gathered on the stack into a container."""
        stack = self._stack
        if opcode == 0x61:  # APPEND
            items = [stack.pop()]
        elif opcode == 0x73:  # SETITEM
            value = stack.pop()
            items = [stack.pop(), value]
        else:
            items = self._marked()
        if opcode == 0x61 or opcode == 0x65:  # ..., APPENDS
            target = stack[-1]
            if not isinstance(target, list):
                raise ValueError("no valid pickle: it appends to what is no list")
            target.extend(items)
        elif opcode == 0x73 or opcode == 0x75:  # ..., SETITEMS
            target = stack[-1]
            if not isinstance(target, dict):
                raise ValueError("no valid pickle: it sets items of what is no dict")
            self._set_items(target, items)
        else:
            self._make(opcode, items)

    def _make(self, opcode: i64, items: list[object]) -> None:
        stack = self._stack
        if opcode == 0x74:  # TUPLE
            stack.append(tuple(items))
        elif opcode == 0x6C:  # LIST
            stack.append(items)
        elif opcode == 0x64:  # DICT
            made: dict[object, object] = {}
            self._set_items(made, items)
            stack.append(made)
        elif opcode == 0x91:  # FROZENSET
            for item in items:
                self._check_key(items, item)
            stack.append(frozenset(items))
            self._crowds.pop(id(items), None)
        else:  # ADDITEMS
            target = stack[-1]
            if not isinstance(target, set):
                raise ValueError("no valid pickle: it adds items to what is no set")
            for item in items:
                self._check_key(target, item)
                target.add(item)

    def _marked(self) -> list[object]:
        mark: i64 = self._marks.pop()
        stack = self._stack
        if mark > len(stack):
            raise ValueError("no valid pickle: a mark has lost its place")
        items = stack[mark:]
        del stack[mark:]
        return items

    def _set_items(self, target: dict[object, object], items: list[object]) -> None:
        if len(items) & 1:
            raise ValueError("no valid pickle: a key without a value")
        at: i64 = 0
        while at < len(items):
            key = items[at]
            if not isinstance(key, str):
                self._check_key(target, key)
            target[key] = items[at + 1]
            at += 2

    def _check_key(self, container: object, key: object) -> None:
        """A key is hashable in bounded time, and few have one hash: else a dict is a trap."""
        if isinstance(key, (str, bytes, bool)) or key is None:
            return
        if isinstance(key, int) and -(1 << 60) < key < 1 << 60:
            return
        self._left = weigh(key, self._left, 0)
        try:
            hashed = hash(key)
        except TypeError:
            raise ValueError("a list, dict or set can be no key and no member of a set") from None
        crowd = self._crowds.setdefault(id(container), {})
        crowd[hashed] = crowd.get(hashed, 0) + 1
        if crowd[hashed] > MAX_COLLISIONS:
            raise LimitError(f"more than {MAX_COLLISIONS} keys have the same hash")


def _constant(opcode: i64) -> object:
    if opcode == 0x4E:  # NONE
        return None
    if opcode == 0x88:  # NEWTRUE
        return True
    if opcode == 0x89:  # NEWFALSE
        return False
    if opcode == 0x5D:  # EMPTY_LIST
        return []
    if opcode == 0x29:  # EMPTY_TUPLE
        return ()
    return {} if opcode == 0x7D else set()  # EMPTY_DICT, EMPTY_SET


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:  # half a character, which Python's text may hold
        return data.decode("utf-8", "surrogatepass")
