"""Bytes that are nearly right, and a runner that feeds them to a decoder for a bounded time."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from random import Random

SECONDS = float(os.environ.get("KVEIK_FUZZ_SECONDS", "0.7"))
SLOWEST = 5.0  # seconds that one input of a few KiB may take on the busiest machine
MOST_MEMORY = 300 * 1024  # KiB by which the process may grow over all inputs of one decoder

NUMBERS = (
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x01\x00\x00\x00",
    b"\xff" * 8,
    b"\xff" * 7 + b"\x7f",
    b"\x80\x80\x80\x80\x80\x80",
    b"999999999999999999999",
    b"-1",
    b"1e999",
    b"[" * 300,
)

Decode = Callable[[bytes], object]


def mutated(random: Random, samples: list[bytes]) -> bytes:
    """A sample with some changes, from one flipped bit to several spliced parts."""
    data = bytearray(random.choice(samples))
    for _ in range(random.choice([1, 1, 2, 4, 16])):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(8)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = random.randrange(256)
        elif kind == 2:
            data[at : at + random.choice([1, 4, 40])] = b""
        elif kind == 3:
            data[at:at] = random.randbytes(random.choice([1, 3, 20]))
        elif kind == 4:
            number = random.choice(NUMBERS)
            data[at : at + random.choice([0, len(number)])] = number
        elif kind == 5:
            del data[at:]
        elif kind == 6:
            other = random.choice(samples)
            start = random.randrange(len(other) + 1)
            data[at:] = other[start:]
        elif at < len(data):
            data[at] = (data[at] + random.choice([-1, 1])) % 256
    return bytes(data)


def fuzz(
    decode: Decode,
    samples: list[bytes],
    allowed: tuple[type[Exception], ...],
    *,
    seconds: float = SECONDS,
    seed: int | None = None,
) -> int:
    """Feed mutated samples to a decoder; how many it took for good ones.

    Fails at any other error, and where one input takes too long or much memory. What failed is
    told with the seed of the run and with the input itself.
    """
    if seed is None:
        seed = int(os.environ.get("KVEIK_FUZZ_SEED") or time.time_ns() % (1 << 32))
    random = Random(seed)
    for sample in samples:
        decode(sample)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    deadline = time.monotonic() + seconds
    good = 0
    number = 0
    while time.monotonic() < deadline or number < 100:
        number += 1
        data = mutated(random, samples)
        began = time.monotonic()
        try:
            decode(data)
            good += 1
        except allowed:
            pass
        except BaseException as error:
            error.add_note(f"seed {seed}, input {number}: {data!r}")
            raise
        took = time.monotonic() - began
        assert took < SLOWEST, f"seed {seed}, input {number}: {took:.1f} s for {data!r}"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MOST_MEMORY, f"seed {seed}: grown by {grown} KiB"
    return good
