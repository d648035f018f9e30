"""`kveik bench all`: the short run of everything, for somebody who has never measured it."""

from __future__ import annotations

from dataclasses import dataclass

from kveik.bench import direct, durability, growth, peers, tcp, ycsb_run
from kveik.bench.keys import VALUE_BYTES
from kveik.bench.measurement import Measurement

MEMORY = 256 << 20


@dataclass(frozen=True)
class Scale:
    entries: int
    rounds: int
    limit: float  # seconds of the longest run
    sizes: tuple[int, ...]
    writes: int  # against existing keys
    requests: int
    keys: int
    tests: int
    killed_after: int
    peer_workloads: str
    letters: str = "abe"  # of YCSB


USUAL = Scale(
    entries=200_000,
    rounds=3,
    limit=4.0,
    sizes=(0, 1_000, 100_000, 500_000),
    writes=20_000,
    requests=100_000,
    keys=100_000,
    tests=5,
    killed_after=10_000,
    peer_workloads=peers.USUAL,
)
QUICK = Scale(
    entries=10_000,
    rounds=1,
    limit=0.5,
    sizes=(0, 1_000, 10_000),
    writes=2_000,
    requests=10_000,
    keys=10_000,
    tests=2,
    killed_after=2_000,
    peer_workloads="fillrandom,readrandom,range100",
)


def measurements(scale: Scale, seed: int) -> list[Measurement]:
    return [
        direct.Direct(direct.Options(scale.entries, "none", scale.rounds, MEMORY, scale.limit)),
        tcp.Tcp(
            tcp.Options(
                count=scale.requests,
                connections=50,
                pipeline=1,
                protocol="resp",
                durability="always",
                keys=scale.keys,
                size=VALUE_BYTES,
                rounds=scale.rounds,
                limit=scale.limit,
            )
        ),
        growth.Growth(
            growth.Options(scale.writes, scale.sizes, "none", scale.rounds, MEMORY, scale.limit)
        ),
        durability.Durability(
            durability.Options(scale.killed_after, scale.tests, "always", 16, VALUE_BYTES, seed)
        ),
        ycsb_run.Ycsb(
            ycsb_run.Options(
                letters=scale.letters,
                records=scale.entries,
                operations=scale.entries,
                threads=1,
                durability="none",
                rounds=scale.rounds,
                memory=MEMORY,
                limit=scale.limit,
            )
        ),
        *compared(
            peers.Options(
                peers=peers.PEERS,
                only=scale.peer_workloads,
                entries=scale.entries,
                rounds=scale.rounds,
                memory=MEMORY,
                limit=scale.limit,
                count=scale.requests,
            )
        ),
    ]


def compared(options: peers.Options) -> list[Measurement]:
    return [peers.Embedded(options), peers.Served(options)]
