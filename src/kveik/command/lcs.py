"""LCS: the longest common subsequence of two values. Called through the registry.

A row of the usual table, whose neighbours differ by 0 or 1, is kept as the bits of one integer, and
the next row is a handful of operations on it (H. Hyyroe, 2004): 32 times less memory than numbers,
and faster by about as much. The way back goes where Redis goes, so that of several subsequences of
that length the same one is found.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, integer
from kveik.command.command import TWO, Command, on_data
from kveik.command.job import Job
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.limits import MAX_LCS
from kveik.native import i64

AT_ONCE: Final = 1 << 20  # pairs of bytes that are compared without a break
WORK: Final = 1 << 21  # about as many operations on bits are a step
ROW_COST: Final = 1000  # operations on bits that a row costs beside its own
WALK: Final = 5000  # places of the way back that are a step


class LcsOptions:
    """What stands behind the keys; CommandError as Redis words it."""

    def __init__(self, args: list[bytes]) -> None:
        self.length = False
        self.ranges = False
        self.with_lengths = False
        self.least = 0
        at = 3
        while at < len(args):
            word = args[at].upper()
            if word == b"LEN":
                self.length = True
            elif word == b"IDX":
                self.ranges = True
            elif word == b"WITHMATCHLEN":
                self.with_lengths = True
            elif word == b"MINMATCHLEN" and at + 1 < len(args):
                at += 1
                self.least = integer(args[at])
            else:
                raise CommandError(SYNTAX)
            at += 1
        if self.length and self.ranges:
            raise CommandError("ERR If you want both the length and indexes, please just use IDX.")


class LcsJob(Job):
    """one, other: the values. Rows stand for bytes of one, bits in a row for bytes of other.

    A bit that is 0 says that the subsequence up to this byte of other is longer than up to the one
    before.
    """

    def __init__(self, one: bytes, other: bytes, options: LcsOptions) -> None:
        super().__init__()
        self._one = one
        self._other = other
        self._options = options
        self._all = (1 << len(other)) - 1
        self._row = self._all
        self._masks: dict[int, int] = {}  # for a byte: where other has it, as bits
        self._rows = bytearray()  # one behind the other; not kept where the length is enough
        self._stride: i64 = (len(other) + 7) >> 3
        self._at: i64 = 0  # rows done
        self._left: i64 = len(one)  # the way back: how much of both is left
        self._right: i64 = len(other)
        self._found = bytearray()  # last byte first
        self._matches: list[object] = []
        self._run: i64 = 0  # bytes of a range that may still grow

    def step(self) -> bool:
        if self._at < len(self._one) and self._other:
            self._fill()
            return True
        if not self._options.length and self._left > 0 and self._right > 0:
            self._walk()
            return True
        return False

    def reply(self) -> object:
        length = len(self._other) - self._row.bit_count()
        if self._options.length:
            return length
        if self._options.ranges:
            return {b"matches": self._matches, b"len": length}
        self._found.reverse()
        return bytes(self._found)

    def _fill(self) -> None:
        count: i64 = max(1, WORK // (len(self._other) + ROW_COST))
        stop: i64 = min(self._at + count, len(self._one))
        row = self._row
        while self._at < stop:
            common = row & self._mask(self._one[self._at])
            row = ((row + common) | (row - common)) & self._all
            if not self._options.length:
                self._rows += row.to_bytes(self._stride, "little")
            self._at += 1
        self._row = row

    def _mask(self, byte: int) -> int:
        mask = self._masks.get(byte)
        if mask is None:
            digits = bytearray(b"0" * 256)
            digits[byte] = ord("1")
            mask = int(self._other[::-1].translate(digits), 2)
            self._masks[byte] = mask
        return mask

    def _walk(self) -> None:
        one = self._one
        other = self._other
        left: i64 = WALK
        while left > 0 and self._left > 0 and self._right > 0:
            left -= 1
            if one[self._left - 1] == other[self._right - 1]:
                self._left -= 1
                self._right -= 1
                self._run += 1
                if not self._options.ranges:
                    self._found.append(one[self._left])
                continue
            self._end_run()
            if self._longer():
                self._left -= 1
            else:
                self._right -= 1
        if self._left == 0 or self._right == 0:
            self._end_run()

    def _longer(self) -> bool:
        """Whether the subsequence is longer with the last byte of other than without it."""
        bit: i64 = self._right - 1
        byte: i64 = self._rows[(self._left - 1) * self._stride + (bit >> 3)]
        return (byte >> (bit & 7)) & 1 == 0

    def _end_run(self) -> None:
        """The bytes that were just passed are a range that both have."""
        run = self._run
        self._run = 0
        if run == 0 or not self._options.ranges or run < self._options.least:
            return
        left = self._left
        right = self._right
        match: list[object] = [[left, left + run - 1], [right, right + run - 1]]
        if self._options.with_lengths:
            match.append(run)
        self._matches.append(match)


def lcs(txn: Transaction, args: list[bytes]) -> object:
    """LCS key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]"""
    one = txn.data(args[1]) or b""
    other = txn.data(args[2]) or b""
    options = LcsOptions(args)
    pairs = (len(one) + 1) * (len(other) + 1)
    if pairs > MAX_LCS:
        raise CommandError(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
        )
    job = LcsJob(one, other, options)
    job.seen = txn.seen
    if pairs > AT_ONCE:
        return job
    while job.step():
        pass
    return job.reply()


COMMANDS: Final[list[Command]] = [
    on_data(
        lcs,
        "LCS",
        -3,
        "readonly",
        "string",
        "Finds the longest common subsequence of two values.",
        TWO,
        "7.0.0",
    ),
]
