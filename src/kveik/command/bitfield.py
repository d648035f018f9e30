"""BITFIELD and BITFIELD_RO: integers of any width, at any bit, in the bits of a value.

A value that is changed becomes bytes, of whatever kind it was, and keeps its expiry. Called through
the registry.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, TOO_LONG, integer
from kveik.command.bits import bit_offset
from kveik.command.command import ONE, Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_VALUE
from kveik.model import BYTES

NO_TYPE: Final = (
    "ERR Invalid bitfield type. Use something like i16 u8. "
    "Note that u64 is not supported but i64 is."
)


class Field:
    """One integer: where its bits are, and which values it can have."""

    def __init__(self, kind: bytes, place: bytes) -> None:
        signed = kind[:1] == b"i"
        try:
            bits = integer(kind[1:])
        except CommandError:
            bits = 0
        if kind[:1] not in (b"i", b"u") or not 1 <= bits <= (64 if signed else 63):
            raise CommandError(NO_TYPE)
        self.bits = bits
        self.offset = bit_offset(place, bits)
        self.least = -(1 << (bits - 1)) if signed else 0
        self.most = self.least + (1 << bits) - 1
        self.start = self.offset >> 3  # the bytes that it reaches into
        self.stop = ((self.offset + bits - 1) >> 3) + 1
        self._shift = 8 * self.stop - self.offset - bits  # bits of the last byte behind it

    def get(self, data: bytes | bytearray) -> int:
        """Its value; behind the end of the data all bits are 0."""
        around = self._around(data)
        return self._fit((around >> self._shift) & ((1 << self.bits) - 1))

    def set(self, data: bytearray, value: int) -> None:
        """The data must reach that far."""
        mask = ((1 << self.bits) - 1) << self._shift
        around = (self._around(data) & ~mask) | ((value << self._shift) & mask)
        data[self.start : self.stop] = around.to_bytes(self.stop - self.start, "big")

    def wrapped(self, value: int) -> int:
        return self._fit(value & ((1 << self.bits) - 1))

    def _around(self, data: bytes | bytearray) -> int:
        """The bytes that it reaches into, as a number."""
        if self.start >= len(data):
            return 0
        piece = bytes(data[self.start : self.stop])
        return int.from_bytes(piece.ljust(self.stop - self.start, b"\x00"), "big")

    def _fit(self, bits: int) -> int:
        return bits - (1 << self.bits) if bits > self.most else bits


class Operation:
    """GET, SET or INCRBY of a field, and what happens where the new value does not fit."""

    def __init__(self, name: bytes, field: Field, number: int, overflow: bytes) -> None:
        self.name = name
        self.field = field
        self.number = number
        self.overflow = overflow

    def perform(self, data: bytearray) -> int | None:
        """What is answered; None where nothing was done."""
        field = self.field
        old = field.get(data)
        if self.name == b"GET":
            return old
        new = old + self.number if self.name == b"INCRBY" else self.number
        if new < 0 and field.least == 0 and self.name == b"SET":
            new += 1 << 64  # as Redis takes it
        if not field.least <= new <= field.most:
            if self.overflow == b"FAIL":
                return None
            if self.overflow == b"WRAP":
                new = field.wrapped(new)
            else:
                new = field.least if new < field.least else field.most
        field.set(data, new)
        return new if self.name == b"INCRBY" else old


def bitfield(txn: Transaction, args: list[bytes]) -> object:
    """BITFIELD key [GET type at | [OVERFLOW WRAP|SAT|FAIL] SET type at value | INCRBY ... ] ..."""
    operations = _operations(args)
    cell = txn.get(args[1])
    old = b"" if cell is None else cell.data
    reach = max([each.field.stop for each in operations if each.name != b"GET"], default=0)
    if reach == 0:
        return [each.field.get(old) for each in operations]
    if reach > MAX_VALUE:
        raise CommandError(TOO_LONG)
    data = bytearray(old)
    if reach > len(data):
        data += bytes(reach - len(data))
    answers = [each.perform(data) for each in operations]
    if data != old:
        txn.put(args[1], BYTES, bytes(data), 0 if cell is None else cell.expires)
        done = [at for at in range(len(answers)) if answers[at] is not None]
        if any([operations[at].name != b"GET" for at in done]):
            txn.tell(b"setbit", args[1])  # not where every write overflowed, as in Redis
    return answers


def bitfield_ro(txn: Transaction, args: list[bytes]) -> object:
    """BITFIELD_RO key [GET type at] ..."""
    operations = _operations(args)
    if any([each.name != b"GET" for each in operations]):
        raise CommandError("ERR BITFIELD_RO only supports the GET subcommand")
    data = txn.data(args[1]) or b""
    return [each.field.get(data) for each in operations]


def _operations(args: list[bytes]) -> list[Operation]:
    operations: list[Operation] = []
    overflow = b"WRAP"
    at = 2
    while at < len(args):
        name = args[at].upper()
        left = len(args) - at - 1
        if name == b"OVERFLOW" and left >= 1:
            overflow = args[at + 1].upper()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise CommandError("ERR Invalid OVERFLOW type specified")
            at += 2
            continue
        needs = 2 if name == b"GET" else 3
        if name not in (b"GET", b"SET", b"INCRBY") or left < needs:
            raise CommandError(SYNTAX)
        field = Field(args[at + 1], args[at + 2])
        number = 0 if name == b"GET" else integer(args[at + 3])
        operations.append(Operation(name, field, number, overflow))
        at += 1 + needs
    return operations


COMMANDS: Final[list[Command]] = [
    on_data(
        bitfield,
        "BITFIELD",
        -2,
        "write denyoom",
        "bitmap",
        "Reads and writes integers of any width in a value.",
        ONE,
        "3.2.0",
    ),
    on_data(
        bitfield_ro,
        "BITFIELD_RO",
        -2,
        "readonly fast",
        "bitmap",
        "Reads integers of any width in a value.",
        ONE,
        "6.0.0",
    ),
]
